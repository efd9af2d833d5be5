"""`reenact labels ...`: the labellers themselves, and a look at what they made."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from reenact.cli.stages import ROOT, Root
from reenact.errors import SettingsError

labels = typer.Typer(name="labels", help="Look at labels; make and compare labellers.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(labels)


@labels.command("train-synthetic")
def train_synthetic(
    out: Annotated[Path, typer.Option("--out", help="The file to write, NAME.safetensors; a card beside it.")],
    role: Annotated[str, typer.Option("--role", help="labels, or judge: other people and architecture.")] = "labels",
    overrides: Annotated[
        list[str] | None, typer.Option("-S", "--set", help="key=value, as samples=400000; as often as needed.")
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="A folder that keeps the drawn faces.")] = None,
    start: Annotated[Path | None, typer.Option("--start", help="Go on from the weights of this file.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Processor cores to use.")] = 1,
) -> None:
    """Train the network of the label backend `synthetic` anew, on drawn faces."""
    from reenact.labelling.synthetic.making import RECIPES, make_network

    if role not in RECIPES:
        raise SettingsError(f'--role {role}: there is "labels" and "judge".')
    settings = {}
    for item in overrides or []:
        name, equals, value = item.partition("=")
        if not equals:
            raise SettingsError(f"-S {item}: expected key=value, as samples=400000.")
        settings[name] = yaml.safe_load(value)
    card = make_network(role=role, out=out, settings=settings, cache=cache, start=start, workers=workers)  # type: ignore[arg-type]
    typer.echo(f"{out}\nsha256: {card['sha256']}\n{'yaw':>8} {'points':>7} {'pose':>6}  (% of the spread, degrees)")
    for band, one in card["errors"]["by_yaw"].items():
        typer.echo(f"{band:>8} {one['points']:7.2f} {one['pose']:6.2f}")


@labels.command()
def review(
    out: Root = ROOT,
    clips: Annotated[str, typer.Option("--clips", help="How many, the worst first; or names: ana--1,ben--2.")] = "24",
    page: Annotated[Path | None, typer.Option("--page", help="The file to write; default: OUT/labels.html.")] = None,
) -> None:
    """Write a page with frames, landmarks, segments, pose, action units and quality of some clips."""
    from reenact.atomic import storage_errors
    from reenact.corpus.corpus import Corpus
    from reenact.reports.label_review import named_clips, worst_clips, write_review

    corpus = Corpus(out / "frames", landmarks=out / "landmarks", actions=out / "actions")
    counted = clips.isdigit() and clips not in corpus.by_name
    chosen = worst_clips(corpus, int(clips)) if counted else named_clips(corpus, clips.split(","))
    segments = out / "segments"
    path = page or out / "labels.html"
    with storage_errors():
        written = write_review(path, corpus, chosen, segments=segments if segments.is_dir() else None)
    typer.echo(f"{path}: {written} of {len(corpus.clips)} clips")
