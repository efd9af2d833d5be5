"""`reenact data ...`: look at data before it is used."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(name="data", help="Look at data before it is used.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app)


@app.callback()
def data() -> None:
    """Look at data before it is used."""


@app.command()
def inspect(
    source: Annotated[
        str, typer.Argument(help="A folder, an archive, s3://BUCKET/PREFIX or dvc://REPO (fetched first).")
    ],
    layout: Annotated[str, typer.Option("--layout", help="Take it for this layout (docs/data.md).")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Say what data is there, what is missing, under which licence it stands, and which settings to use."""
    from reenact.corpus.layouts.inspection import as_text, inspect_folder
    from reenact.corpus.sources.materialise import SourceSettings, materialise

    seen = inspect_folder(materialise(source, SourceSettings()).folder, layout, name=source)
    typer.echo(json.dumps({**asdict(seen), "settings": seen.settings()}, indent=1) if as_json else as_text(seen))
