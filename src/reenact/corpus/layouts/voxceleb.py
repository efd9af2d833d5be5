"""VoxCeleb1 and 2 as video (Nagrani et al. 2017, Chung et al. 2018): [dev|test/mp4/]person/video/clip.mp4."""

import re
from collections.abc import Iterator
from pathlib import Path

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import clip_name, person_name
from reenact.corpus.layouts.tables import read_rows
from reenact.corpus.layouts.tree import Tree, stem_of
from reenact.corpus.video import VIDEO_SUFFIXES

TITLE = "VoxCeleb videos"
LICENCE = "VoxCeleb: metadata CC-BY-4.0, the videos stay their owners'; research only"
_PERSON = re.compile(r"id\d{5}")
_META = ("vox2_meta.csv", "vox1_meta.csv", "vox_meta.csv")
_SETS = {"dev": "train", "test": "test"}
_COLUMNS = {"gender": "gender", "nationality": "nationality"}
_CACHE = "points.pickle"


def recognise(tree: Tree) -> float | None:
    """Videos below id00012/VIDEO/."""
    persons = (folder.split("/") for folder, _ in tree.having(VIDEO_SUFFIXES))
    return 0.9 if any(len(parts) > 1 and _PERSON.fullmatch(parts[-2]) for parts in persons) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per file; column `source_video`: the YouTube video, whose clips belong together."""
    meta, caches = read_meta(tree), _caches(tree)
    for folder, name in tree.having(VIDEO_SUFFIXES):
        parts = folder.split("/")
        if len(parts) < 2:
            continue
        person, video = parts[-2:]
        facts = meta.get(person, {})
        own = _own_set(parts[:-2])
        clip = stem_of(name)
        yield FoundClip(
            clip=clip_name(person, video, clip),
            identity=person_name(person),
            kind="video",
            files=(tree.path(folder, name),),
            official_split=_SETS.get(own or facts.get("set", ""), ""),  # type: ignore[arg-type]
            points=caches.get((person, video, clip)),
            columns={"source_video": video, **_known(facts)},
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Which of the two it is, and what is not read."""
    missing = (
        [] if read_meta(tree) else ["vox2_meta.csv or vox1_meta.csv: sex, nationality, and the set of each person"]
    )
    tracks = sum(1 for path in tree.files if _PERSON.fullmatch(path.rpartition("/")[2]) and "txt" in path.split("/"))
    notes = ["clips of one YouTube video belong to one person, so they stay in one split"]
    if tracks:
        notes.append(f"txt tracks of {tracks} persons are not read: faces are followed in the videos themselves")
    return LayoutFacts(
        licence=LICENCE,
        missing=tuple(missing),
        notes=tuple(notes),
        settings=(
            "fetch_data.layout=voxceleb",
            "extract_frames.codec=jpeg",
            "extract_frames.size=256",
            "validate_data.split.official=auto",
        ),
    )


def read_meta(tree: Tree) -> dict[str, dict[str, str]]:
    """Person -> lower-case column -> value, of whichever table is there; VoxCeleb1 persons also by their name."""
    persons: dict[str, dict[str, str]] = {}
    for path in tree.named(*_META):
        for row in read_rows(path):
            facts = {key.lower(): value for key, value in row.items()}
            for key in ("voxceleb1 id", "voxceleb2 id", "voxceleb_id", "vggface1 id"):
                if facts.get(key):
                    persons.setdefault(facts[key], facts)
    return persons


def _known(facts: dict[str, str]) -> dict[str, str]:
    return {column: facts[key] for key, column in _COLUMNS.items() if facts.get(key)}


def _own_set(above: list[str]) -> str:
    """`dev` or `test` where the tree says so."""
    return next((part.lower() for part in reversed(above) if part.lower() in _SETS), "")


def _caches(tree: Tree) -> dict[tuple[str, str, str], Path]:
    """Landmark caches land/PERSON/VIDEO/CLIP/points.pickle."""
    found = {}
    for folder, names in tree.files.items():
        parts = folder.split("/")
        if _CACHE in names and len(parts) > 2:
            found[parts[-3], parts[-2], parts[-1]] = tree.path(folder, _CACHE)
    return found
