"""What the Kubeflow pipeline costs on this machine beyond the stages it calls.

    python benchmarks/local_pipeline.py [--samples 2000] [--repeats 1] [--out FILE.json]

Three ways through the same drawn corpus, one branch, the same seeds, one core, each from nothing, in turn:

stages     every stage called one after another in one process that has all libraries loaded already
processes  the same, each stage in a process of its own, as the pipeline has them
pipeline   `reenact run`

One group of shards and one branch, so that nothing runs side by side: kfp gains no time that the others can't. Starting
a process and loading its libraries is what `processes` costs beyond `stages`; the pipeline starts two more for the
shards and one for itself, measured by themselves. What remains is the pipeline's own:
(pipeline - stages - starts) / stages. Seconds of the clock and, because other work on the machine moves those, of the
processor; of several repeats the best of each.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BRANCH = "cgan-full-0"
Pair = tuple[float, float]  # seconds of clock and processor
# What steps import before they call their stage; kfp comes with every component.
STEP = "import kfp.dsl.executor_main, reenact.component, reenact.cli.stages"

ONE_PROCESS = """
import json, os, sys, time
from pathlib import Path
from reenact.cli.options import load
params = load(Path("params.yaml"), "", json.loads(sys.argv[1]))
import kfp.dsl.executor_main, cv2, dlib, great_expectations, lightning_fabric, mlflow.pyfunc, pandas, scipy, torch
from reenact.cli.stages import run_stage
from reenact.cluster.arguments import stages_of
from reenact.steps import STEPS
def now():
    return time.monotonic(), sum(os.times()[:4])
took = {}
for stage in stages_of("training"):
    start = now()
    run_stage(stage, params, Path("out"), sys.argv[2] if STEPS[stage].branch else "")
    took[stage] = [end - begin for end, begin in zip(now(), start)]
Path("took.json").write_text(json.dumps(took))
"""

ONE_STAGE = f"""
import json, sys
from pathlib import Path
from reenact.cli.options import load
params = load(Path("params.yaml"), "", json.loads(sys.argv[1]))
{STEP}
from reenact.steps import STEPS
stage = sys.argv[3]
reenact.cli.stages.run_stage(stage, params, Path("out"), sys.argv[2] if STEPS[stage].branch else "")
"""

# The pipeline's further processes: the list of shards, the step that makes one, and kfp's own.
FURTHER = {
    "list_shards": f"{STEP}; import reenact.stages.extract_frames",
    "prepare_shard": f"{STEP}; import cv2, dlib, pandas, scipy, reenact.stages.extract_frames, "
    "reenact.stages.label_landmarks, reenact.stages.label_actions, reenact.stages.label_segments",
    "kfp": "import kfp.local, pipelines.training",
    "reenact run": "import reenact.cli.pipeline",
}


def settings(samples: int) -> list[str]:
    """A small corpus and a short training, on one core."""
    return [
        "runtime.workers=1", "runtime.device=cpu", "fanout.variants=[full]", "render_clips.identities=12",
        "render_clips.frames=60", "extract_frames.size=96", "extract_frames.shard_clips=1000",
        "train_guide.samples=4000",
        f"train.samples={samples}",
        "train.size=64",
    ]  # fmt: skip


def project(folder: Path) -> Path:
    """A folder with the settings and nothing else."""
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


def call(folder: Path, *command: str) -> tuple[float, float]:
    """Run a command there; its seconds of clock and processor. Raises RuntimeError with its last words if it fails."""
    environment: Mapping[str, str] = {
        **os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    start, used = time.monotonic(), sum(os.times()[2:4])
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - start, sum(os.times()[2:4]) - used


def measure(folder: Path, changes: list[str]) -> dict[str, Any]:
    """All three ways, once."""
    told = json.dumps(changes)
    one = project(folder / "stages")
    call(one, sys.executable, "-c", ONE_PROCESS, told, BRANCH)
    took: dict[str, Pair] = json.loads((one / "took.json").read_text())

    each = project(folder / "processes")
    processes = {name: call(each, sys.executable, "-c", ONE_STAGE, told, BRANCH, name) for name in took}

    words = [word for change in changes for word in ("-S", change)]
    whole = call(
        project(folder / "pipeline"),
        sys.executable,
        "-c",
        "from reenact.cli import main; main()",
        "run",
        "--name",
        "run",
        *words,
    )
    further = {name: call(folder, sys.executable, "-c", code) for name, code in FURTHER.items()}
    return {"stages": took, "processes": processes, "pipeline": whole, "further": further}


def summary(runs: list[dict[str, Any]], kind: int) -> dict[str, Any]:
    """The best of each way by the clock (kind 0) or the processor (1), and what the pipeline costs beyond them."""

    def best(way: str) -> dict[str, float]:
        return {name: min(run[way][name][kind] for run in runs) for name in runs[0][way]}

    took, processes, further = best("stages"), best("processes"), best("further")
    stages, whole = sum(took.values()), min(run["pipeline"][kind] for run in runs)
    starts = sum(processes.values()) - stages + sum(further.values())
    return {
        "stages_s": stages,
        "processes_s": sum(processes.values()),
        "pipeline_s": whole,
        "starts_s": starts,
        "own_s": whole - stages - starts,
        "own_percent": 100 * (whole - stages - starts) / stages,
        "each": {name: {"stage_s": took[name], "start_s": processes[name] - took[name]} for name in took},
        "further_starts_s": further,
    }


def table(found: Mapping[str, Any]) -> str:
    """A Markdown table of one kind of seconds."""
    lines = ["| step | stage, s | its process' start, s |", "| --- | --- | --- |"]
    lines += [f"| {name} | {item['stage_s']:.1f} | {item['start_s']:.1f} |" for name, item in found["each"].items()]
    lines += [f"| {name} | | {seconds:.1f} |" for name, seconds in found["further_starts_s"].items()]
    lines.append(f"| all | {found['stages_s']:.1f} | {found['starts_s']:.1f} |")
    lines.append(
        f"\nPipeline {found['pipeline_s']:.1f} s: its own {found['own_s']:.1f} s ({found['own_percent']:.1f} %)"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000, help="of the training")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    runs = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(measure(Path(folder), settings(options.samples)))
    found: dict[str, Any] = {"samples": options.samples, "repeats": options.repeats, "load": os.getloadavg()[0]}
    for kind, name in enumerate(("clock", "processor")):
        found[name] = summary(runs, kind)
        print(f"\nSeconds of the {name}:\n\n{table(found[name])}")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
