"""`reenact edit`: people with single action units, angles or their background changed, as one picture."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.cli.stages import ROOT, Root
from reenact.errors import SettingsError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(edit)


def edit(
    model: Annotated[str, typer.Argument(help="A trained branch (facegan-full-0), or a folder with its model.json.")],
    sources: Annotated[list[str], typer.Argument(help="Whom to draw: CLIP:FRAME of the corpus, or picture files.")],
    edits: Annotated[
        list[str] | None, typer.Option("--edit", help="AU12=3 (0..5) or yaw=20 (degrees); as often as needed.")
    ] = None,
    sweeps: Annotated[
        list[str] | None, typer.Option("--sweep", help="An action unit or angle to be drawn at every level.")
    ] = None,
    levels: Annotated[int, typer.Option("--levels", min=2, max=31, help="Levels of a sweep.")] = 6,
    background: Annotated[
        str, typer.Option("--background", help="What to draw before: a picture file, or CLIP:FRAME.")
    ] = "",
    picture: Annotated[Path, typer.Option("--picture", help="The PNG file to write.")] = Path("edited.png"),
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    out: Root = ROOT,
) -> None:
    """Draw people with action units, angles or their background changed: a row each, marked as synthetic."""
    effective = load(params, profile, overrides)
    wanted, swept = parsed(edits or []), list(dict.fromkeys(sweeps or []))
    _check(wanted, swept, background, picture)

    import torch

    from reenact.atomic import storage_errors
    from reenact.cli.edit_sources import Sources, find_model
    from reenact.evaluation.edit_drawing import check_offers, draw_edits
    from reenact.reports.edit_grid import Cell, edit_grid, write_synthetic_png
    from reenact.systems import store
    from reenact.training.device import device_of

    torch.set_num_threads(effective.runtime.threads)
    folder = find_model(model, out)
    device = device_of(effective.runtime)
    system, facts = store.load_system(folder, device=device)
    check_offers(system, edits=bool(wanted or swept), background=bool(background))
    reader = Sources(out, size=int(facts["size"]), labels=system.labels)
    behind = reader.background(background) if background else None
    people = reader.read(sources, lambda more: load(params, profile, [*(overrides or []), *more]))
    shown = [] if behind is None else [Cell(picture=behind, caption=Path(background).name)]
    lines: list[list[Cell]] = []
    for person in people:
        first = [Cell(picture=person.picture, caption=Path(person.name).name), *shown]
        faces = person.faces.to(device)
        for asked, captions in _asked(wanted, swept, levels):
            images = draw_edits(system, faces, asked, background=behind)
            fakes = [Cell(picture=one, caption=said, fake=True) for one, said in zip(images, captions, strict=True)]
            lines.append([*first, *fakes])
    with storage_errors():
        write_synthetic_png(picture, edit_grid(lines), {"Software": "reenact", "Source": model})
    count = sum(cell.fake for line in lines for cell in line)
    typer.echo(f"{picture}: {count} synthetic faces of {len(people)} people, drawn by {folder}")


def parsed(edits: Sequence[str]) -> dict[str, float]:
    """`AU12=3` by name; raises SettingsError for what is no such pair, or is set twice."""
    found: dict[str, float] = {}
    for text in edits:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise SettingsError(f"--edit {text}: write it as NAME=VALUE, for example AU12=3 or yaw=20.") from None
        if name in found:
            raise SettingsError(f"--edit {name}: set twice, to {found[name]:g} and {number:g}.")
        found[name] = number
    return found


def _check(edits: Mapping[str, float], swept: Sequence[str], background: str, picture: Path) -> None:
    """All that can be said before the system is there."""
    if not (edits or swept or background):
        raise SettingsError("edit: nothing to change. Give --edit AU12=3, --sweep AU12, or --background FILE.")
    both = [name for name in swept if name in edits]
    if both:
        raise SettingsError(f"--sweep {both[0]}: it is set by --edit, too. Choose one.")
    if picture.suffix.lower() != ".png":
        raise SettingsError(f"--picture {picture}: name a .png file; it is the form that carries the mark.")

    from reenact.faces.edits import check_edits

    check_edits({**edits, **dict.fromkeys(swept, 0.0)})


def _asked(
    edits: Mapping[str, float], swept: Sequence[str], levels: int
) -> Iterator[tuple[list[dict[str, float]], list[str]]]:
    """A row of the grid each: what is set in its pictures, and their captions. One row for each label that is swept."""
    from reenact.evaluation.sweeps import FURTHEST
    from reenact.faces.actions import ACTION_UNITS, MAXIMUM

    if not swept:
        yield [dict(edits)], [", ".join(f"{name}={value:g}" for name, value in edits.items()) or "own motion"]
    for name in swept:
        low, high = (0.0, MAXIMUM) if name in ACTION_UNITS else (-FURTHEST, FURTHEST)
        values = [low + (high - low) * step / (levels - 1) for step in range(levels)]
        yield [{**edits, name: value} for value in values], [f"{name} {value:g}" for value in values]
