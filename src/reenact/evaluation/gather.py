"""Evaluations of any runs, found where somebody points, with names that tell them apart."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from reenact.corpus.shards import read_stage
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.evaluation.collect import Entry, comparable, entry_of, read_entry
from reenact.evaluation.records import read_metrics
from reenact.systems.branch import Branch

_INSIDE = ("branches", "predictions")  # of a run's folder


@dataclass(frozen=True, kw_only=True)
class _Found:
    folder: Path  # of a branch, with train/ or evaluate/ in it; or of an evaluation that lies elsewhere
    whole: bool  # the former
    name: str  # of the branch or method
    branch: Branch | None
    run: str  # "" where nobody named it


def gather(places: Sequence[str]) -> list[Entry]:
    """An entry per branch and per other method in `places`, in their order, each folder once.

    A place is the folder of a run (with branches/ or predictions/ in it), a folder of branches, a branch, or an
    evaluation; NAME=FOLDER names a run. A row is called as its branch; where two have one name, or a name was given, it
    is RUN/BRANCH. Raises BadInput for a place that holds nothing of the kind.
    """
    found: dict[Path, _Found] = {}
    for place in places:
        given, folder = _named(place)
        here = list(_below(folder, given))
        if not here:
            raise BadInput(
                f"{folder}: no evaluation here. Name a run (a folder with branches/ in it), a folder of branches, a "
                "branch (with evaluate/ in it), or a folder that `reenact evaluate` wrote."
            )
        for one in here:
            found.setdefault(one.folder.resolve(), one)
    each = list(found.values())
    runs = _runs(each)
    return comparable([_entry(*one) for one in zip(each, _names(each, runs), runs, strict=True)])


def _named(place: str) -> tuple[str, Path]:
    """(name or "", folder) of NAME=FOLDER or FOLDER."""
    name, equals, folder = place.partition("=")
    return (name, Path(folder)) if equals and not Path(place).exists() else ("", Path(place))


def _below(folder: Path, given: str) -> Iterator[_Found]:
    inside = [folder / name for name in _INSIDE if (folder / name).is_dir()]
    if inside:
        for part in inside:
            yield from _below(part, given)
        return
    itself = _here(folder, given)
    children = sorted(folder.iterdir()) if itself is None and folder.is_dir() else []
    yield from filter(None, [itself, *(_here(child, given) for child in children)])


def _here(folder: Path, given: str) -> _Found | None:
    """The branch or evaluation that a folder is; None where it is neither."""
    if (folder / "train").is_dir() or (folder / "evaluate").is_dir():
        return _Found(folder=folder, whole=True, name=folder.name, branch=_branch(folder.name), run=given)
    try:
        name = str(read_stage(folder, kind="evaluation")["branch"])
        record = read_metrics(folder)
    except (ReenactError, KeyError):
        return None
    if folder.name == "evaluate" and folder.parent.name == name:  # of a branch, pointed at more closely
        return _here(folder.parent, given)
    # Other methods may have names like a branch's; their records name no system.
    return _Found(folder=folder, whole=False, name=name, branch=_branch(name) if record.get("system") else None,
                  run=given)  # fmt: skip


def _branch(name: str) -> Branch | None:
    try:
        return Branch.parse(name)
    except SettingsError:
        return None


def _runs(found: Sequence[_Found]) -> list[str]:
    """The run of each: its given name, else RUN of RUN/branches/BRANCH; a number tells equal names apart."""
    names: dict[str | Path, str] = {}
    for one in found:
        if (key := one.run or _run_folder(one)) not in names:
            names[key] = _free(one.run or _run_name(_run_folder(one)), names.values())
    return [names[one.run or _run_folder(one)] for one in found]


def _run_folder(found: _Found) -> Path:
    above = found.folder.resolve().parents
    return above[1] if len(above) > 1 and above[0].name in _INSIDE else above[0]


def _run_name(folder: Path) -> str:
    """Every project has a folder `out`: the project's own name says more."""
    return folder.parent.name if folder.name == "out" else folder.name


def _free(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    return next(one for n in count(1) if (one := name if n == 1 else f"{name} ({n})") not in taken)


def _names(found: Sequence[_Found], runs: Sequence[str]) -> list[str]:
    """Of rows: a run's name before it where it was given, or where two would be called the same."""
    often = Counter(one.name for one in found)
    names: list[str] = []
    for one, run in zip(found, runs, strict=True):
        names.append(_free(f"{run}/{one.name}" if one.run or often[one.name] > 1 else one.name, names))
    return names


def _entry(found: _Found, name: str, run: str) -> Entry:
    if found.whole and found.branch:
        return entry_of(found.folder, found.branch, name=name, run=run)
    folder = found.folder / "evaluate" if found.whole else found.folder
    return replace(read_entry(folder, name=name, branch=found.branch), run=run)
