"""`reenact train-reader`: the judge reader made anew. Nothing else ever trains it."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from reenact.errors import SettingsError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train-reader")(train_reader)


def train_reader(
    out: Annotated[Path, typer.Option("--out", help="The file to write, NAME.safetensors; a card beside it.")],
    overrides: Annotated[
        list[str] | None, typer.Option("-S", "--set", help="key=value, as samples=200000; as often as needed.")
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="A folder that keeps the drawn faces.")] = None,
    start: Annotated[Path | None, typer.Option("--start", help="Go on from the weights of this file.")] = None,
    threads: Annotated[int, typer.Option("--threads", help="Processor cores to use.")] = 1,
) -> None:
    """Train the judge reader anew, on drawn faces. Evaluations use the one that comes with the package."""
    from reenact.backbones.judge_reader.making import make_reader

    settings = {}
    for item in overrides or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingsError(f"-S {item}: expected key=value, as samples=200000.")
        settings[name] = yaml.safe_load(value)
    card = make_reader(out=out, settings=settings, cache=cache, start=start, threads=threads)
    typer.echo(f"{out}\nsha256: {card['sha256']}\n{'yaw':>8} {'points':>7} {'yaw':>5} {'AUs':>5} {'same/other':>10}")
    for band, one in card["errors"]["by_yaw"].items():
        said = f"{one['landmarks']:7.1%} {one['yaw']:5.1f} {one['actions'] or 0:5.2f} {one['same_other'] or 0:10.3f}"
        typer.echo(f"{band:>8} {said}")
