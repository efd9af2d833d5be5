"""A folder of videos: every video is a clip, and nobody is in two of them."""

from collections.abc import Iterator

from reenact.corpus.layouts.folders import OWN_LICENCE, openface_beside, own_missing
from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import clip_name
from reenact.corpus.layouts.tree import Tree, stem_of
from reenact.corpus.video import VIDEO_SUFFIXES

TITLE = "a folder of videos"


def recognise(tree: Tree) -> float | None:
    """Videos in the folder itself, none deeper."""
    folders = {folder for folder, _ in tree.having(VIDEO_SUFFIXES)}
    return 0.5 if folders == {""} else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per video, named after it."""
    for folder, name in tree.having(VIDEO_SUFFIXES):
        parts = [*folder.split("/"), stem_of(name)] if folder else [stem_of(name)]
        yield FoundClip(
            clip=clip_name(*parts),
            kind="video",
            files=(tree.path(folder, name),),
            openface=openface_beside(tree, folder, name),
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """Every clip is taken for another person."""
    return LayoutFacts(
        licence=OWN_LICENCE,
        missing=own_missing(tree),
        notes=("every video is taken for another person; put a person's videos into one folder if that is wrong",),
    )
