"""Separate pictures: every picture is a clip of one frame, its folder the person; without a folder its own person."""

from collections.abc import Iterator

from reenact.corpus.layouts.folders import OWN_LICENCE, own_missing, person_of, pts_beside, split_folders
from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name, person_name
from reenact.corpus.layouts.tree import Tree, stem_of, suffix_of

TITLE = "separate pictures, one folder per person"
STILLS = "stills only: samples pair two pictures of one person, and there is no motion to drive with"


def recognise(tree: Tree) -> float | None:
    """Any pictures; better founded layouts are surer."""
    return 0.2 if next(tree.having(PICTURE_SUFFIXES), None) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per picture, with the `.pts` beside it."""
    splits = split_folders(folder for folder, _ in tree.having(PICTURE_SUFFIXES))
    for folder, names in tree.files.items():
        pictures = [name for name in names if suffix_of(name) in PICTURE_SUFFIXES]
        person, split = person_of(folder, splits=splits)
        points = pts_beside(tree, folder, pictures) if pictures else {}
        for number, name in enumerate(pictures):
            parts = [*folder.split("/"), stem_of(name)] if folder else [stem_of(name)]
            yield FoundClip(
                clip=clip_name(*parts),
                identity=person_name(person),
                kind="still",
                files=(tree.path(folder, name),),
                official_split=split,
                pts={0: points[number]} if number in points else {},
            )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """No motion in stills."""
    return LayoutFacts(
        licence=OWN_LICENCE,
        missing=own_missing(tree),
        notes=(STILLS, "numbered pictures of one video are fetch_data.layout=sequences"),
        settings=("fetch_data.layout=pictures",),
    )
