"""Which of the found clips are taken: without what a list excludes, and a few only for a trial."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from reenact.config import Settings
from reenact.corpus.layouts.found import FoundClip
from reenact.errors import SettingsError

_LINE = re.compile(r"(?P<name>.*\S)\s+(?P<first>\d+)(?:\s*-\s*(?P<last>\d+))?")
Ranges = tuple[tuple[int, int], ...]


class LimitSettings(Settings):
    """`fetch_data.limit`, for trials: the same few on every machine; 0 is all."""

    identities: int = Field(default=0, ge=0)
    clips: int = Field(default=0, ge=0)  # of each identity


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A clip that is used, without some of its frames."""

    clip: FoundClip
    excluded: Ranges = ()  # of frames, counted from 0, both ends inside


def named_apart(found: Iterable[FoundClip]) -> Iterator[FoundClip]:
    """The clips with names that differ in more than case; a clip that says nothing of its person is one itself."""
    taken: set[str] = set()
    for one in found:
        name = one.clip
        if name.casefold() in taken:
            name = f"{one.clip}{one.files[0].suffix.lower().replace('.', '-')}"
        if name.casefold() in taken:
            name = f"{name}-{hashlib.sha256(repr(one.files[0].parts).encode()).hexdigest()[:8]}"
        taken.add(name.casefold())
        yield replace(one, clip=name, identity=one.identity or name)


def read_exclusions(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Name -> ranges of frames, none for the whole of it, from lines `NAME`, `NAME 7` or `NAME 7-19`; # comments.

    `NAME` is a clip's or a file's, relative to the data set; frames count from 0.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"fetch_data.exclude: {path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"fetch_data.exclude: {path}: can't be read ({error}).") from None
    excluded: dict[str, list[tuple[int, int]]] = {}
    for line in text.splitlines():
        if words := line.partition("#")[0].strip():
            parts = _LINE.fullmatch(words)
            if parts:
                first, last = int(parts["first"]), int(parts["last"] or parts["first"])
                excluded.setdefault(parts["name"], []).append((first, last))
            else:
                excluded[words] = []
    return excluded


def exclude(
    found: Iterable[FoundClip], excluded: dict[str, list[tuple[int, int]]], root: Path, unused: set[str]
) -> Iterator[Taken]:
    """The clips that are left; names of the list that met something are taken out of `unused`."""
    for clip in found:
        if not excluded:
            yield Taken(clip=clip)
            continue
        own = [name for name in (clip.clip, _relative(clip.files[0], root)) if name in excluded]
        if clip.kind == "frames":
            own = own[:1] if own and own[0] == clip.clip else []
        unused.difference_update(own)
        if any(not excluded[name] for name in own):
            continue
        ranges = [one for name in own for one in excluded[name]] + list(_of_files(clip, excluded, root, unused))
        whole = clip.kind == "still" and any(first <= 0 <= last for first, last in ranges)
        if not whole:
            yield Taken(clip=clip, excluded=tuple(sorted(set(ranges))))


def _of_files(
    clip: FoundClip, excluded: dict[str, list[tuple[int, int]]], root: Path, unused: set[str]
) -> Iterator[tuple[int, int]]:
    """Frames whose picture or .pts file is named."""
    frames = enumerate(clip.files) if clip.kind == "frames" else ()
    for number, path in [*frames, *clip.pts.items()]:
        name = _relative(path, root)
        if name in excluded:
            unused.discard(name)
            yield number, number


def limit(taken: Sequence[Taken], settings: LimitSettings) -> list[Taken]:
    """A few identities, and a few clips of each, by the hash of their names; every official split keeps its share."""
    by_person: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        by_person[one.clip.identity].append(one)
    chosen = set(by_person)
    if 0 < settings.identities < len(by_person):
        splits: dict[str, list[str]] = defaultdict(list)
        for person, clips in by_person.items():
            splits[clips[0].clip.official_split].append(person)
        chosen = set()
        for people in splits.values():
            share = max(1, round(settings.identities * len(people) / len(by_person)))
            chosen.update(sorted(people, key=_position)[:share])
    few: set[str] = set()
    for person in chosen:
        names = sorted((one.clip.clip for one in by_person[person]), key=_position)
        few.update(names[: settings.clips or None])
    return [one for one in taken if one.clip.clip in few]


def _position(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
