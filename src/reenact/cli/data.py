"""`reenact data ...`: look at data before it is used."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reenact.cli.options import PARAMS, ParamsFile, load

if TYPE_CHECKING:
    from reenact.corpus.sources.materialise import Material, SourceSettings

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
        str, typer.Argument(help="A folder, an archive, s3://BUCKET/PREFIX, dvc://REPO or dvc+s3:// (fetched first).")
    ],
    layout: Annotated[str, typer.Option("--layout", help="Take it for this layout (docs/data.md).")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The same as one JSON object.")] = False,
) -> None:
    """Say what data is there, what is missing, under which licence it stands, and which settings to use."""
    from reenact.corpus.layouts.inspection import as_text, inspect_folder

    material = _here(source)
    for one in material.skipped:
        typer.echo(one.reason, err=True)
    seen = inspect_folder(material.folder, layout, name=source)
    typer.echo(json.dumps({**asdict(seen), "settings": seen.settings()}, indent=1) if as_json else as_text(seen))


@app.command()
def fetch(
    source: Annotated[str, typer.Argument(help="An archive, s3://, dvc:// or dvc+s3:// (docs/data.md).")],
) -> None:
    """Bring a source into the cache, and say where it lies and what of it is left out."""
    material = _here(source)
    for one in material.skipped:
        typer.echo(one.reason, err=True)
    typer.echo(material.folder)


@app.command()
def pin(
    file: Annotated[Path, typer.Argument(help="A YAML file with `source: ADDRESS`, as fetch_data.videos may name.")],
) -> None:
    """Note in the file which version its source has now; `dvc repro` then sees that there is something new."""
    from reenact.corpus.sources.materialise import version_of
    from reenact.corpus.sources.pointer import read_pointer, write_version

    version = version_of(read_pointer(file).source, _settings())
    write_version(file, version)
    typer.echo(f"{file}: version {version}")


@app.command()
def adopt(
    fragment: Annotated[Path, typer.Argument(help="lock_fragment.json of a run (its results, or the artifact).")],
    params: ParamsFile = PARAMS,
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Commit dvc.lock to git.")] = True,
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Although dvc.lock has changes that are not committed.")
    ] = False,
) -> None:
    """Turn what a run on a cluster made into entries of dvc.lock and a commit; then `dvc pull` brings it."""
    from reenact.cluster.adopt import adopt as take_over

    done = take_over(fragment, params=load(params, "", []), repo=Path.cwd(), commit=commit, allow_dirty=dirty)
    for note in (*(f"left out: {branch}: {reason}" for branch, reason in done.left_out.items()), *done.notes):
        typer.echo(note, err=True)
    at = f", commit {done.commit[:12]}" if done.commit else ""
    typer.echo(f"dvc.lock: {len(done.stages)} stages adopted{at}; `dvc pull` brings their data")


def _here(source: str) -> "Material":
    from reenact.corpus.sources.materialise import materialise

    return materialise(source, _settings())


def _settings() -> "SourceSettings":
    """Those of the project this is called in; the defaults elsewhere."""
    from reenact.corpus.sources.settings import SourceSettings
    from reenact.params import read_raw

    path = Path("params.yaml")
    block = read_raw(path).get("fetch_data", {}) if path.exists() else {}
    return SourceSettings.parse(
        {name: block[name] for name in SourceSettings.model_fields if name in block}, where="fetch_data"
    )
