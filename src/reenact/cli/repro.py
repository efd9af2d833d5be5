"""`reenact repro`: `dvc repro` that survives a branch."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from reenact.cli import stages
from reenact.cli.options import PARAMS, load
from reenact.cli.person import name_trainer
from reenact.errors import BranchesMissing, ReenactError, SettingsError
from reenact.params import Params
from reenact.process import prepare_process
from reenact.progress import say
from reenact.steps import own_videos
from reenact.systems.branch import Branch


class ReproFailed(ReenactError):
    """`dvc repro` ended red for a reason other than missing branches."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(repro)


def repro(
    targets: Annotated[list[str] | None, typer.Argument(help="Passed on to dvc repro.")] = None,
) -> None:
    """`dvc repro --keep-going`, what died tried once more, and the table written even where a branch is missing.

    Ends with exit code 8 where branches are missing or sick in the end.
    """
    if own := [word for word in targets or [] if word.startswith(("-S", "--set", "--profile", "--params"))]:
        raise SettingsError(f"{own[0]}: DVC takes settings from {PARAMS} alone; change them there.")
    params = load(PARAMS, "", None)
    _refuse_address(params)
    prepare_process(params.runtime.threads)
    more = targets or []
    if _dvc_repro(more) == 0:
        return
    if missing_branches(params) and _ready(params):
        say("repro: a branch's process died; trying it once more.")
        if _dvc_repro(more) == 0:
            return
    missing = missing_branches(params)
    if missing and _ready(params):
        stages.compare(params, stages.ROOT)
    sick = sorted(path.parent.parent.name for path in stages.ROOT.glob("branches/*/train/status.failed.json"))
    if sick:
        raise BranchesMissing(f"{', '.join(sick)}: training failed; see {stages.ROOT}/comparison/table.md.")
    raise ReproFailed("dvc repro ended red; what failed stands above.")


def _refuse_address(params: Params) -> None:
    """DVC would look for a file of that name, and say no more than that it is not there."""
    from reenact.corpus.sources.materialise import is_remote
    from reenact.corpus.sources.names import redacted

    videos = own_videos(params.plain())
    if is_remote(videos):
        raise SettingsError(
            f"fetch_data.videos: {redacted(videos)} is an address, and DVC watches files alone. Write a file "
            "faces.yaml with the line `source: ADDRESS`, run `reenact data pin faces.yaml`, and name faces.yaml in "
            f"{PARAMS} (docs/data.md)."
        )


def missing_branches(params: Params) -> list[str]:
    """Branches that left no record at all, neither of success nor of sickness."""
    names = [Branch.of(item).name for item in params.branches()]
    records = ("train/status.failed.json", "evaluate/stage.json")
    return [
        name for name in names if not any((stages.ROOT / "branches" / name / record).exists() for record in records)
    ]


def _ready(params: Params) -> bool:
    """Whether the data is there, so that what is missing can only be a branch's own doing."""
    return (stages.ROOT / "guide" / "stage.json").exists()


def _dvc_repro(more: list[str]) -> int:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    name_trainer(environment)
    command = [sys.executable, "-m", "dvc", "repro", "--keep-going", *more]
    return subprocess.run(command, env=environment, check=False).returncode
