"""`reenact compare-runs`: put evaluations of any runs, and of other methods, into one comparison."""

from pathlib import Path
from typing import Annotated

import typer

from reenact.atomic import storage_errors
from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.errors import BranchesMissing


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare-runs")(compare_runs)


def compare_runs(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]FOLDER...",
            help="Runs, folders of branches, branches, or evaluations; NAME tells a run's rows apart.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The folder of the comparison.")],
    log: Annotated[bool, typer.Option("--log/--no-log", help="Keep it as a run of MLflow.")] = True,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Compare any set of evaluations on one page: of several runs, and of other people's methods."""
    blocks = load(params, profile, overrides).blocks
    from reenact.evaluation.gather import gather
    from reenact.stages.compare import CompareSettings, compare_entries
    from reenact.tracking.connect import TrackingSettings

    settings, tracking = blocks["compare"], blocks["tracking"]
    assert isinstance(settings, CompareSettings)
    assert isinstance(tracking, TrackingSettings)
    with storage_errors():
        comparison = compare_entries(gather(places), out=out, settings=settings, tracking=tracking if log else None)
    typer.echo((out / "table.md").read_text())
    typer.echo(f"report: {out / 'report.html'}")
    if comparison.lost:
        raise BranchesMissing(
            f"{out / 'table.md'}: written, but {len(comparison.lost)} of {len(comparison.entries)} rows have no "
            f"figures: {'; '.join(comparison.lost)}."
        )
