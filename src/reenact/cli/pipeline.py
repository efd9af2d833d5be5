"""`reenact run` and `reenact demo`: the Kubeflow pipeline on this machine."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from reenact.atomic import write_json, write_text
from reenact.cli.compiling import place_of
from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.cli.person import name_trainer
from reenact.cli.watch import Watch
from reenact.cluster.arguments import pipeline_arguments, stages_of
from reenact.cluster.container_run import container_run
from reenact.errors import ReenactError, SettingsError
from reenact.params import Params
from reenact.steps import STEPS
from reenact.systems.branch import Branch

RUNS = Path("runs")
_SOCKETS = 60  # bytes of a path below which Python's own names of sockets still fit the 107 that Linux takes
_PIPELINE = Path("pipelines", "training.py")
_TO_END = 20.0  # s for a pipeline to remove its containers


class RunFailed(ReenactError):
    """A step of the pipeline failed; carries that step's exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(demo)


def run(
    videos: Annotated[
        str, typer.Option("--videos", help="Your own: a folder, an archive, s3://, dvc://; else clips are drawn.")
    ] = "",
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    name: Annotated[str, typer.Option("--name", help="Name of the run's folder below runs/.")] = "",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Train only if the data drifted or the champion became worse.")
    ] = False,
) -> None:
    """Run the whole pipeline: clips or your videos, labels, training, comparison, registration, verdict, report."""
    from reenact.corpus.sources.materialise import is_remote

    changes = list(overrides or [])
    if name and (Path(name).name != name or name.startswith(".")):
        raise SettingsError(f"--name {name}: give a plain name, the folder is made below runs/.")
    if videos:
        if not is_remote(videos) and not Path(videos).exists():
            raise SettingsError(f"--videos {videos}: there is no such folder.")
        place = videos if is_remote(videos) else str(Path(videos).resolve())
        changes.append(f"fetch_data.videos={json.dumps(place)}")
    folder = RUNS / (name or time.strftime("%Y%m%d-%H%M%S"))
    run_pipeline(load(params, profile, changes), folder, pipeline="refresh" if refresh else "training")


def demo(overrides: Overrides = None) -> None:
    """Show the whole thing on drawn clips: the same as `reenact run --profile demo`."""
    run(profile="demo", overrides=overrides, name=time.strftime("demo-%Y%m%d-%H%M%S"))


def run_pipeline(params: Params, folder: Path, *, pipeline: str = "training", containers: bool = False) -> None:
    """Run it in a child process, show its progress, say where everything is.

    containers: every step in a container of its own, else in a process. Raises RunFailed.
    """
    folder = folder.resolve()
    if folder.exists():
        raise SettingsError(f"{folder}: this run exists already; choose another --name.")
    place_of(_PIPELINE)  # says so where there is none, before a folder is made that the next call would stumble over
    # Shards lie beside the runs: a later run takes those that an earlier one has made.
    store = str(folder.parent / ".shards")
    given = pipeline_arguments(params, pipeline=pipeline, results=str(folder), store=store, pods=False)
    write_json(folder / "arguments.json", given)
    write_json(folder / "settings.json", params.plain())
    write_text(folder / "pipeline.txt", f"{pipeline}\n")
    if containers:
        write_json(folder / "runner.json", container_run(params, folder=folder))
    names = [name for stage in stages_of(pipeline) for name in _step_names(stage, params)]
    maybe = tuple(names[names.index("rescore") + 1 :]) if "rescore" in names else ()
    names.insert(names.index("extract_frames"), "prepare_shards")
    watch = Watch(names, folder / "events.jsonl", maybe=maybe)
    start = time.monotonic()
    code = _child(folder, watch)
    watch.summary(time.monotonic() - start)
    _where(folder, params)
    if code:
        raise RunFailed(f"{watch.failure() or 'a step of the pipeline died'} (log: {folder / 'log.txt'})", watch.code())


def _child(folder: Path, watch: Watch) -> int:
    paths = [str(place_of(_PIPELINE)), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "REENACT_EVENTS": str(watch.events), "PYTHONPATH": os.pathsep.join(paths)}
    name_trainer(environment)
    with scratch_of(folder) as scratch, (folder / "log.txt").open("wb") as log:
        environment["TMPDIR"] = str(scratch)
        command = [sys.executable, "-W", "ignore", "-m", "pipelines.local", str(folder)]
        # A session of its own: kfp's steps are children of shells, and nothing else would end all of them with us.
        child = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            with _ended_by_sigterm():
                watch.follow(child)
        finally:
            _end(child)
    return child.returncode


@contextmanager
def scratch_of(folder: Path) -> Iterator[Path]:
    """Where a run's temporary files go while it runs: kfp leaves a folder of them behind for every step.

    They lie in the run's folder, where there is room. Processes meet at sockets in there, whose paths must be short: a
    folder that lies deep is called by a link.
    """
    scratch = folder / "tmp"
    scratch.mkdir()
    try:
        if len(os.fsencode(scratch)) <= _SOCKETS:
            yield scratch
            return
        with tempfile.TemporaryDirectory(prefix="reenact-") as near:
            link = Path(near, "t")
            link.symlink_to(scratch)
            yield link
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the pipeline if it still runs: asked first, since only it knows its containers, no children of ours."""
    if child.poll() is not None:
        return
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_TO_END)
    with suppress(ProcessLookupError):  # nobody of the group is left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let `kill` end us as Ctrl-C does, through every `finally`; a restart finds what is finished and checkpoints."""

    def end(*_: object) -> None:
        sys.exit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _step_names(stage: str, params: Params) -> list[str]:
    if not STEPS[stage].branch:
        return [stage]
    return [f"{stage} {Branch.of(item).name}" for item in params.branches()]


def _where(folder: Path, params: Params) -> None:
    """What was decided, the comparison table, and where everything is."""
    decision = folder / "rescored" / "decision.md"
    if decision.exists():
        typer.echo("\n" + decision.read_text())
    table = folder / "comparison" / "table.md"
    if table.exists():
        typer.echo("\n" + table.read_text())
    version = folder / "registered" / "version.json"
    places = {
        "drift": folder / "drift" / "drift.html",
        "decision": folder / "rescored" / "decision.json",
        "report": folder / "comparison" / "report.html",
        "table": folder / "comparison" / "table.csv",
        "branches": folder / "branches",
        "model version": version,
        "review": folder / "gate" / "review.html",
        "log": folder / "log.txt",
    }
    for what, path in places.items():
        if path.exists():
            typer.echo(f"{what + ':':<15}{os.path.relpath(path)}")
    if version.exists():
        facts = json.loads(version.read_text())
        typer.echo(f"{'registered:':<15}{facts.get('model')} version {facts.get('version')}")
    gated = folder / "gate" / "stage.json"
    if gated.exists():
        passed = json.loads(gated.read_text()).get("passed")
        typer.echo(f"{'gate:':<15}{'passed' if passed else 'failed'}; what waits for you: `reenact registry list`")
    from reenact.tracking.connect import TrackingSettings, tracking_uri

    tracking = params.blocks["tracking"]
    assert isinstance(tracking, TrackingSettings)
    typer.echo(f"{'MLflow:':<15}{tracking_uri(tracking)}")
