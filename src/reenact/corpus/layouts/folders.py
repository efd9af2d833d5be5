"""What folders of people's own files have in common: who is seen, to which split they belong, labels beside them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from reenact.corpus.layouts.tree import Tree, stem_of

Split = Literal["train", "val", "test", ""]
SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train", "training": "train", "dev": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_OPENFACE_MARKS = (b"confidence", b"AU01_r")
OWN_LICENCE = ""
NO_SOURCE = "source.yaml with licence, consent, source and contact: runs and model cards carry it"


def split_folders(folders: Iterable[str]) -> bool:
    """Whether the top folders are train, test and the like, so that persons stand one folder deeper."""
    tops = {folder.partition("/")[0].lower() for folder in folders if folder}
    splits = {SPLIT_FOLDERS[top] for top in tops if top in SPLIT_FOLDERS}
    return len(splits) > 1 and tops <= set(SPLIT_FOLDERS)


def person_of(folder: str, *, splits: bool) -> tuple[str, Split]:
    """(person's folder, split) of what lies in `folder`; "" where it lies in nobody's."""
    parts = folder.split("/") if folder else []
    split: Split = SPLIT_FOLDERS[parts.pop(0).lower()] if splits and parts else ""
    return (parts[0] if parts else ""), split


def openface_beside(tree: Tree, folder: str, name: str) -> Path | None:
    """`NAME.csv` beside `NAME.mp4`, if OpenFace wrote it."""
    beside = f"{stem_of(name)}.csv"
    if beside not in tree.files.get(folder, ()):
        return None
    path = tree.path(folder, beside)
    try:
        with path.open("rb") as stream:
            head = stream.readline(1 << 15)
    except OSError:
        return None
    return path if any(mark in head for mark in _OPENFACE_MARKS) else None


def pts_beside(tree: Tree, folder: str, pictures: list[str]) -> dict[int, Path]:
    """`NAME.pts` beside `NAME.jpg`, by the picture's place in the list."""
    names = {name for name in tree.files[folder] if name.lower().endswith(".pts")}
    beside = ((number, f"{stem_of(name)}.pts") for number, name in enumerate(pictures))
    return {number: tree.path(folder, name) for number, name in beside if name in names}


def own_missing(tree: Tree) -> tuple[str, ...]:
    """What people's own folders lack, as sentences."""
    return () if tree.named("source.yaml") else (NO_SOURCE,)
