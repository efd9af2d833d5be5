"""What GANimation trains from (Pumarola et al. 2018): imgs/, aus_openface.pkl, train_ids.csv, test_ids.csv."""

from collections.abc import Iterator

from reenact.corpus.layouts.found import FoundClip, LayoutFacts, LayoutOptions
from reenact.corpus.layouts.names import PICTURE_SUFFIXES, clip_name
from reenact.corpus.layouts.pictures import STILLS
from reenact.corpus.layouts.tables import read_words
from reenact.corpus.layouts.tree import Tree, stem_of

TITLE = "GANimation's layout"
_PICKLE = "aus_openface.pkl"
_LISTS = {"train_ids.csv": "train", "test_ids.csv": "test"}


def recognise(tree: Tree) -> float | None:
    """imgs/ and the pickle or a list of names."""
    if not any(next(tree.having(PICTURE_SUFFIXES, below=folder), None) for folder in tree.folders("imgs")):
        return None
    return 0.95 if tree.named(_PICKLE) else 0.7 if tree.named(*_LISTS) else None


def find(tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
    """A still per picture, its intensities from the pickle. Nothing says who is seen."""
    pickles = tree.named(_PICKLE)
    splits = {
        stem_of(words[0]): split for name, split in _LISTS.items() for path in tree.named(name)[:1]
        for words in read_words(path)
    }  # fmt: skip
    for below in tree.folders("imgs")[:1]:
        for folder, name in tree.having(PICTURE_SUFFIXES, below=below):
            stem = stem_of(name)
            yield FoundClip(
                clip=clip_name(stem),
                kind="still",
                files=(tree.path(folder, name),),
                official_split=splits.get(stem, ""),  # type: ignore[arg-type]
                actions=pickles[0] if pickles else None,
            )


def facts(tree: Tree, options: LayoutOptions) -> LayoutFacts:
    """The licence is that of the pictures somebody put in."""
    wanted = (_PICKLE, *_LISTS)
    return LayoutFacts(
        licence="",
        missing=tuple(name for name in wanted if not tree.named(name)),
        notes=(
            STILLS,
            "nothing says who is seen, so every picture is a person of its own, and no two make a pair",
            "converters took the intensities from OpenFace's file by place, not by name: from a file with other "
            "columns in front they are shifted; compare with `reenact labels compare` before trusting them",
        ),
        settings=("fetch_data.layout=ganimation", "validate_data.split.official=true"),
    )
