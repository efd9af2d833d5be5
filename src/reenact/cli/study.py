"""`reenact study`: a paper's comparison as one command."""

from pathlib import Path
from typing import Annotated

import typer

from reenact.atomic import alone_in, storage_errors
from reenact.cli.options import PARAMS, Overrides, ParamsFile
from reenact.errors import BranchesMissing


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(study)


def study(
    name: Annotated[str, typer.Argument(help="studies/NAME.yaml, or a file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Default: out/studies/NAME.")] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option("--rows", help="Rows of this name, pattern, table or curve alone; repeatable."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.01, help="Wall clock of each training, in place of the file's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and how long it takes.")] = False,
    tables_only: Annotated[
        bool, typer.Option("--tables-only", help="Train nothing; write tables of what is there.")
    ] = False,
    params: ParamsFile = PARAMS,
    overrides: Overrides = None,
) -> None:
    """Train and score every row of a study and write its tables, curves and claims. Resumable."""
    from reenact.studies.reading import chosen_rows, find_study, plan

    planned = plan(find_study(name), params=params, overrides=overrides or [], minutes=minutes)
    folder = out or Path("out") / "studies" / planned.name
    wanted = chosen_rows(planned.study, rows or [])
    if dry_run:
        from reenact.studies.outlook import outlook

        typer.echo(outlook(planned, folder, wanted))
        return
    from reenact.studies.report import make_results, write_results
    from reenact.studies.run import run_study

    with storage_errors(), alone_in(folder):
        if not tables_only:
            run_study(planned, folder, wanted)
        results = make_results(planned, folder)
        write_results(folder, results)
    typer.echo((folder / "study.md").read_text())
    typer.echo(f"page: {folder / 'study.html'}")
    lost = [entry for entry in results.entries if entry.name in wanted and entry.status != "trained"]
    if lost:
        said = "; ".join(f"{entry.name} ({entry.status}: {entry.reason})" for entry in lost)
        raise BranchesMissing(
            f"{folder / 'study.md'}: written, but {len(lost)} of {len(wanted)} rows have no figures: {said}."
        )
