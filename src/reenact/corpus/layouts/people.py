"""One folder per person with that person's videos; train, val and test folders above them are an official split."""

from collections.abc import Iterator

from reenact.corpus.layouts.folders import OWN_LICENCE, openface_beside, own_missing, person_of, split_folders
from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import clip_name, person_name
from reenact.corpus.layouts.tree import Tree, stem_of
from reenact.corpus.video import VIDEO_SUFFIXES

TITLE = "one folder of videos per person"


def recognise(tree: Tree) -> float | None:
    """Videos in folders."""
    return 0.5 if any(folder for folder, _ in tree.having(VIDEO_SUFFIXES)) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A clip per video; videos that lie in no person's folder are a person of their own."""
    found = list(tree.having(VIDEO_SUFFIXES))
    splits = split_folders(folder for folder, _ in found)
    for folder, name in found:
        person, split = person_of(folder, splits=splits)
        parts = [*folder.split("/"), stem_of(name)] if folder else [stem_of(name)]
        yield FoundClip(
            clip=clip_name(*parts),
            identity=person_name(person),
            kind="video",
            files=(tree.path(folder, name),),
            official_split=split,
            openface=openface_beside(tree, folder, name),
        )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """The folder is the person."""
    notes = ["the folder is the person; fetch_data.layout=videos takes every video for another one"]
    if split_folders(folder for folder, _ in tree.having(VIDEO_SUFFIXES)):
        notes.append("train, val and test folders are taken for an official split")
    return LayoutFacts(licence=OWN_LICENCE, missing=own_missing(tree), notes=tuple(notes))
