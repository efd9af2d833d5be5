"""The inside of every Kubeflow component: kfp's values in, a step run, its figures written for kfp."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reenact.atomic import atomic_folder, link_tree, write_json
from reenact.cluster.parallel import Machines, train_on
from reenact.errors import BranchesMissing, ReenactError, SettingsError
from reenact.progress import event
from reenact.stages.result import StageResult
from reenact.steps import FOLDERS, STEPS, call_stage, code_hash, run_step
from reenact.systems.branch import Branch


def run_component(
    stage: str,
    *,
    told: str,
    out: str,
    metrics: Any,
    folders: Mapping[str, str],
    branch: Mapping[str, Any] | None = None,
    results: str = "",
    store: str = "",
    shown: Mapping[str, str] | None = None,
    machines: Mapping[str, Any] | None = None,
) -> StageResult:
    """Run a stage with the arguments of a component; returns what the stage did.

    told: JSON of `steps.arguments`. metrics: a kfp Metrics artifact. results: folder that outlives the run's artifacts;
    branches, comparison and registration are copied there, and what follows a loop is read from there. store: folder of
    shards that outlives the run. Both may hold {run}, the run's own id. shown: files of the stage's folder that kfp's
    pages show, and where kfp wants them. machines: what a training may use, see `cluster.parallel.Machines`.
    """
    results, store = of_this_run(results), of_this_run(store)
    arguments = json.loads(told)
    same_code(stage, arguments)
    # A retried step finds what the killed one left in the same folder.
    shutil.rmtree(out, ignore_errors=True)
    given = {name: Path(folder) for name, folder in folders.items()}
    if stage in ("compare", "register"):
        given["branches"] = Path(results) / "branches"
        given["branches"].mkdir(parents=True, exist_ok=True)
    try:
        kept = Path(store) if store else None
        how: dict[str, Any] = {"told": arguments, "folders": given, "branch": branch, "out": Path(out)}
        if machines is not None:
            result = train_on(Machines(**machines), results=results, **how)
        else:
            result = run_step(stage, store=kept, **how)
    except BranchesMissing:
        publish(Path(out), Path(results) / _published(stage, branch))
        raise
    if results:
        publish(Path(out), Path(results) / _published(stage, branch))
    for name, value in result.counts.items():
        metrics.log_metric(name, float(value))
    for file, path in (shown or {}).items():
        shutil.copyfile(Path(out) / file, path)
    # The local cache takes a step without a file of each artifact for one that never ran.
    write_json(Path(metrics.path), result.plain())
    return result


def list_shards(*, told: str, videos: str) -> list[str]:
    """Names of the groups into which the clips fall; told: JSON of the arguments of each sharded stage."""
    from reenact.stages.extract_frames import ExtractFramesSettings, shard_list

    settings = json.loads(told)["extract_frames"]["settings"]
    return shard_list(Path(videos), ExtractFramesSettings.parse(settings, where="extract_frames"))


def prepare_shard(*, told: str, videos: str, group: str, store: str, metrics: Any) -> None:
    """Run every sharded stage on one group of clips, on one core, into the store of shards.

    What can't be done here is left to the stages themselves, which take from the store what is there: they have the
    whole corpus before them, and the sentence to say.
    """
    stages: dict[str, dict[str, Any]] = json.loads(told)
    store = of_this_run(store)
    start = time.monotonic()
    event("step", name="prepare_shards", state="running", part=True)
    made = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"videos": Path(videos)}
        for stage, arguments in stages.items():
            one_core = {**arguments, "runtime": {**arguments["runtime"], "workers": 1}}
            given = {name: folders[name] for name in STEPS[stage].inputs}
            more: dict[str, Any] = {"only": group} if stage == "extract_frames" else {}
            folders[FOLDERS[stage]] = out = Path(scratch, stage)
            try:
                made += call_stage(
                    stage, out=out, told=one_core, folders=given, store=Path(store), **more
                ).counts.get("shards_now", 0.0)  # fmt: skip
            except ReenactError:
                break
    event("step", name="prepare_shards", state="done", seconds=time.monotonic() - start, counts={"made": made})
    metrics.log_metric("shards_made", made)
    # The local cache takes a step without a file of each artifact for one that never ran.
    write_json(Path(metrics.path), {"shards_made": made})


def same_code(stage: str, told: Mapping[str, Any]) -> None:
    """Raise SettingsError where this image holds other code than a step was told of: its result, kept by a cache under
    the told code's name, would pass for that code's.
    """
    if told["code"] != code_hash(stage):
        built = os.environ.get("REENACT_GIT_COMMIT", "")[:12]
        raise SettingsError(
            f"{stage}: the run was made from other code than its image holds{f' (commit {built})' if built else ''}. "
            "Build and push the images again (`make images`), or submit and schedule from the code that they hold."
        )


def of_this_run(folder: str) -> str:
    """A folder's name with {run} replaced by KFP_RUN_ID: every run of a schedule has a folder of its own."""
    if "{run}" not in folder:
        return folder
    run = os.environ.get("KFP_RUN_ID", "")
    if not run:
        raise SettingsError(f"{folder}: KFP_RUN_ID is not set, so that nobody knows the run. Give a plain folder.")
    return folder.replace("{run}", run)


def push_data(*, told: str, folders: Mapping[str, str], results: str, metrics: Any) -> None:
    """Bring the data stages' folders to the DVC remote; told: JSON of `lock_fragment.push_told`."""
    from reenact.cluster import lock_fragment

    given = {stage: Path(folder) for stage, folder in folders.items()}
    with _reported("push_data", told) as counts:
        pushed = lock_fragment.push_data(json.loads(told), given, Path(of_this_run(results)))
        counts["bytes"] = float(sum(facts["size"] for facts in pushed.values()))
    metrics.log_metric("bytes", counts["bytes"])
    write_json(Path(metrics.path), pushed)


def push_outputs(*, told: str, results: str, fragment: Any) -> None:
    """Bring what lies in the results to the DVC remote and write the fragment of dvc.lock, as an artifact as well."""
    from reenact.cluster import lock_fragment

    with _reported("push_outputs", told) as counts:
        written = lock_fragment.push_outputs(json.loads(told), Path(of_this_run(results)))
        counts |= {name: float(len(written[name])) for name in ("stages", "left_out")}
    fragment.metadata.update({name: written[name] for name in ("git_commit", "params_hash", "videos", "remote")})
    write_json(Path(fragment.path), written)


@contextmanager
def _reported(name: str, told: str) -> Iterator[dict[str, float]]:
    """Start and end of a step that is no stage, to whoever watches; nothing where there is no remote to bring to."""
    counts: dict[str, float] = {}
    if not json.loads(told)["remote"]:
        yield counts
        return
    start = time.monotonic()
    event("step", name=name, state="running")
    try:
        yield counts
    except ReenactError as error:
        seconds = time.monotonic() - start
        event("step", name=name, state="failed", seconds=seconds, reason=str(error), code=error.exit_code)
        raise
    event("step", name=name, state="done", seconds=time.monotonic() - start, counts=counts)


def publish(folder: Path, to: Path) -> None:
    """Copy a finished folder, whole or not at all."""
    with atomic_folder(to) as temporary:
        link_tree(folder, temporary)


def _published(stage: str, branch: Mapping[str, Any] | None) -> Path:
    if branch:
        return Path("branches", Branch.of(branch).name, stage)
    return Path(FOLDERS[stage])
