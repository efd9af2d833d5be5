"""`reenact labels ...`: the labellers themselves, and a look at what they made."""

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
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
    if counted and int(clips) == 0:
        raise SettingsError("--clips 0: there is nothing to look at. Say how many clips, or name them.")
    chosen = worst_clips(corpus, int(clips)) if counted else named_clips(corpus, clips.split(","))
    segments = out / "segments"
    path = page or out / "labels.html"
    with storage_errors():
        written = write_review(path, corpus, chosen, segments=segments if segments.is_dir() else None)
    typer.echo(f"{path}: {written} of {len(corpus.clips)} clips")


@labels.command()
def compare(
    backends: Annotated[str, typer.Option("--backends", help="Two or more: dlib,synthetic,truth.")] = "",
    videos: Annotated[str, typer.Option("--videos", help="Videos to label, in place of the corpus below --out.")] = "",
    first: Annotated[Path | None, typer.Option("--a", help="A folder with frames/, landmarks/, ...")] = None,
    second: Annotated[Path | None, typer.Option("--b", help="Another one, the reference.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="A file for the figures.")] = None,
    work: Annotated[Path | None, typer.Option("--work", help="A folder that keeps the labels made.")] = None,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    out: Root = ROOT,
) -> None:
    """Compare label backends on the same frames, each with the first one named; or labels in two folders."""
    from reenact.atomic import storage_errors, write_json
    from reenact.cli import compare_labels
    from reenact.labelling.agreement import as_text

    if bool(backends) == bool(first or second) or bool(first) != bool(second) or (first and videos):
        raise SettingsError(
            "labels compare: give --backends NAME,NAME (with --videos FOLDER or --out), or --a and --b."
        )
    with storage_errors():
        if first and second:
            sets = {str(folder): compare_labels.stored(folder) for folder in (second, first)}
            if len(sets) < 2:
                raise SettingsError(f"--a and --b: both are {first}.")
            records = compare_labels.compared(dict(sets))
        else:
            chosen = [name.strip() for name in backends.split(",") if name.strip()]
            more = [f"fetch_data.videos={json.dumps(videos)}"] if videos else []
            effective = load(params, profile, [*(overrides or []), *more])
            records = compare_labels.on_frames(chosen, effective, videos=videos, work=work, root=out)
        if json_file:
            write_json(json_file, {"format": 1, "pairs": records})
    typer.echo("\n\n".join(as_text(record) for record in records))
