"""`reenact evaluate`: score a branch, hand the pairs out, or score another method's pictures of them."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from reenact.atomic import storage_errors
from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.cli.stages import HELP, ROOT, Root, run_stage
from reenact.errors import SettingsError
from reenact.stages.result import StageResult


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate", help=HELP["evaluate"])(evaluate)


def evaluate(
    branch: Annotated[str, typer.Option("--branch", help="SYSTEM-VARIANT-SEED, for example cgan-full-0.")] = "",
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Score another method: a folder of pictures, or a video.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the pairs' pictures and names, for another method to draw.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="A pairs.parquet; default: the one the branches were scored on.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The method's row; default: its folder's name.")] = "",
    size: Annotated[int | None, typer.Option("--size", min=11, help="px; default: as the branches' pictures.")] = None,
    resize: Annotated[bool, typer.Option("--resize", help="Take square pictures of another size.")] = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    out: Root = ROOT,
) -> None:
    """One of three: a branch, predictions, or an export."""
    if sum(bool(choice) for choice in (branch, predictions, export)) != 1:
        raise SettingsError("evaluate: give one of --branch NAME, --predictions FOLDER and --export FOLDER.")
    effective = load(params, profile, overrides)
    if branch:
        if pairs or name or size or resize:
            raise SettingsError("evaluate --branch: --pairs, --name, --size and --resize are for --predictions.")
        run_stage("evaluate", effective, out, branch)
        return
    from reenact.stages import predictions as stage

    settings: Any = effective.blocks["evaluate"]
    request = stage.Request(root=out, settings=settings, runtime=effective.runtime, pairs=pairs, size=size)
    with storage_errors():
        if export:
            _say(stage.export(request, out=export), export)
        elif predictions:
            row = _row(name or _named_after(predictions))
            folder = out / "predictions" / row
            done = stage.score_predictions(request, source=predictions, name=row, out=folder, resize=resize)
            _say(done, folder)


def _named_after(predictions: Path) -> str:
    """The folder's whole name, since warp.v1 and warp.v2 are two methods; a video's without its ending."""
    place = predictions.resolve()
    return place.stem if place.is_file() else place.name


def _row(name: str) -> str:
    """A name that can stand in a table and be a folder, and that is no other row's."""
    from reenact.evaluation.reference_names import REFERENCES

    if name in REFERENCES:
        raise SettingsError(f'--name "{name}": this is a row of every table. Choose another, for example warp.')
    if not re.fullmatch(r"\w[\w .+-]*", name) or name != name.strip():  # brackets are those of systems' further rows
        raise SettingsError(
            f'--name "{name}": the name of a row has letters, digits, spaces and . _ + - only and begins with a letter '
            "or digit, for example warp."
        )
    return name


def _say(result: StageResult, folder: Path) -> None:
    typer.echo(
        f"{folder}: " + ", ".join(f"{count:.0f} {name.replace('_', ' ')}" for name, count in result.counts.items())
    )
    for note in result.notes:
        typer.echo(f"  {note}")
