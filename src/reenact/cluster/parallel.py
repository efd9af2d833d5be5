"""Where the step `train` of a pipeline runs: in this process, in several of this pod, or on several machines."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reenact.atomic import link_tree
from reenact.cluster.job_files import step_of
from reenact.cluster.processes import train_in_processes
from reenact.cluster.signals import within
from reenact.errors import ProcessLost, SettingsError
from reenact.stages.result import StageResult
from reenact.steps import run_step
from reenact.systems.branch import Branch


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What one training may use: the settings of the same names in the block `cluster`."""

    gpus: int = 1
    nodes: int = 1
    accelerator: str = "nvidia.com/gpu"
    deadline_hours: float = 24.0


def train_on(
    machines: Machines,
    *,
    told: Mapping[str, Any],
    folders: Mapping[str, Path],
    branch: Mapping[str, Any],
    out: Path,
    results: str,
) -> StageResult:
    """Run the step `train` on what there is for it; arguments as those of `run_step`.

    results: the run's folder on the volume, which training on several nodes needs. In a pod the deadline is kept: a
    training that is not over by then ends with ProcessLost, and a retry goes on from its last checkpoint. On one's own
    machine nobody asked for one.
    """
    name = Branch.of(branch).name
    hours = f"{machines.deadline_hours:g} hours (cluster.deadline_hours)"
    late = ProcessLost(f"train {name}: not over after {hours}. Tried again, it goes on from its last checkpoint.")
    step: dict[str, Any] = {"told": told, "folders": folders, "branch": branch, "out": out}
    if machines.nodes > 1:
        return _on_nodes(machines, name=name, results=results, step=step)
    pod = "KUBERNETES_SERVICE_HOST" in os.environ
    with within(machines.deadline_hours * 3600 if pod else 0.0, late):
        if machines.gpus > 1:
            with tempfile.TemporaryDirectory() as job:
                return train_in_processes(machines.gpus, job=Path(job), **step)
        return run_step("train", **step)


def _on_nodes(machines: Machines, *, name: str, results: str, step: Mapping[str, Any]) -> StageResult:
    """As a TrainJob. Its pods see the volume alone, so inputs are brought there, and what it writes is fetched."""
    from reenact.cluster.jobs_api import jobs_here, own_pod
    from reenact.cluster.launcher import train_on_nodes
    from reenact.cluster.trainjob import place_beside

    if not results:
        raise SettingsError(f"cluster.nodes: {machines.nodes}, but the pipeline has no folder for results.")
    run, job = os.environ.get("KFP_RUN_ID") or Path(results).name, Path(results, "jobs", name)
    folders = {kind: shared(folder, Path(results, "inputs", kind)) for kind, folder in step["folders"].items()}
    asked = step_of("train", told=step["told"], folders=folders, branch=step["branch"], out=job / "train")
    jobs = jobs_here()
    place = place_beside(
        own_pod(jobs), nodes=machines.nodes, gpus=machines.gpus, accelerator=machines.accelerator,
        deadline_hours=machines.deadline_hours, run=run,
    )  # fmt: skip
    result = train_on_nodes(place, jobs=jobs, job=job, run=run, branch=name, step=asked)
    link_tree(job / "train", step["out"])
    return result


def shared(folder: Path, to: Path) -> Path:
    """A copy of a stage's folder that all branches of a run share: made by the first who comes, and never replaced."""
    if to.exists():
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{to.name}-", dir=to.parent))
    try:
        temporary.chmod(0o755)
        link_tree(folder, temporary)
        temporary.rename(to)
    except OSError:
        if not to.exists():  # else another branch was quicker
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return to
