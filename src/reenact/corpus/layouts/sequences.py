"""Image sequences: every folder of numbered pictures is a clip, the first folder above it the person."""

from collections.abc import Iterator
from itertools import islice

from reenact.corpus.layouts.folders import OWN_LICENCE, own_missing, person_of, pts_beside, split_folders
from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name, in_order, number_of, person_name
from reenact.corpus.layouts.tree import Tree, stem_of, suffix_of

TITLE = "image sequences: folders of numbered pictures"
_LOOKED_AT = 200  # folders
_MOST = 0.8


def recognise(tree: Tree) -> float | None:
    """Most folders with pictures hold numbered ones."""
    looked = list(islice((names for folder in tree.files if (names := _pictures(tree, folder))), _LOOKED_AT))
    numbered = sum(1 for names in looked if is_sequence(names))
    return 0.4 if looked and numbered >= _MOST * len(looked) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per folder with pictures; `folder.csv` of OpenFace is not looked for, `.pts` beside a picture is."""
    splits = split_folders(folder for folder in tree.files if _pictures(tree, folder))
    for folder in tree.files:
        if not (pictures := in_order(_pictures(tree, folder))):
            continue
        person, split = person_of(folder, splits=splits)
        yield FoundClip(
            clip=clip_name(*(folder.split("/") if folder else [tree.root.resolve().name])),
            identity=person_name(person),
            kind="frames",
            files=tuple(tree.path(folder, name) for name in pictures),
            fps=options.fps or 25.0,
            official_split=split,
            pts=pts_beside(tree, folder, pictures),
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """The rate is not written anywhere."""
    notes = [
        f"taken for {options.fps or 25:g} pictures a second; set fetch_data.options.fps",
        "the first folder is the person; separate pictures of a person are fetch_data.layout=pictures",
    ]
    return LayoutFacts(
        licence=OWN_LICENCE,
        missing=own_missing(tree),
        notes=tuple(notes),
        settings=("fetch_data.layout=sequences", f"fetch_data.options.fps={options.fps or 25:g}"),
    )


def is_sequence(names: list[str]) -> bool:
    """Two pictures or more whose names differ in their last number only."""
    stems = [stem_of(name) for name in names]
    numbers = {number_of(stem) for stem in stems}
    if len(names) < 2 or None in numbers or len(numbers) < len(names):
        return False
    return len({stem.rstrip("0123456789") for stem in stems}) == 1


def _pictures(tree: Tree, folder: str) -> list[str]:
    return [name for name in tree.files[folder] if suffix_of(name) in PICTURE_SUFFIXES]
