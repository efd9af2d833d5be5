"""What a layout is asked for, and what it answers: the one protocol of this folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from reenact.config import Settings
from reenact.corpus.layouts.tree import Tree

Kind = Literal["video", "frames", "still"]


class LayoutOptions(Settings):
    """`fetch_data.options`: what some layouts leave open."""

    fps: float = Field(default=0.0, ge=0, le=1000)  # of numbered pictures; 0: the data set's own, else 25
    pts_offset: float = 1.0  # taken off the coordinates of .pts files, which count pixels from 1
    compression: Literal["auto", "raw", "c23", "c40"] = "auto"  # FaceForensics++; auto: the best there is
    pictures: Literal["aligned", "wild"] = "aligned"  # CelebA: img_align_celeba or img_celeba


@dataclass(frozen=True, kw_only=True)
class FoundClip:
    """One clip of a data set: where its picture, split and labels stand. `clip` is safe as a file's name."""

    clip: str
    identity: str = ""  # who is seen; "": nobody else than in this clip
    kind: Kind
    files: tuple[Path, ...]  # the video, the picture, or the frames in order
    fps: float = 0.0  # of frames
    official_split: Literal["train", "val", "test", ""] = ""
    pts: Mapping[int, Path] = field(default_factory=dict)  # frame -> its .pts file
    points: Path | None = None  # pickle of landmarks
    actions: Path | None = None  # pickle of AU intensities, by the picture's name
    openface: Path | None = None  # what OpenFace wrote for it
    columns: Mapping[str, str] = field(default_factory=dict)  # further columns of the table of clips


@dataclass(frozen=True, kw_only=True)
class LayoutFacts:
    """What a person should know before using the data."""

    licence: str  # recorded where no source.yaml says otherwise
    missing: tuple[str, ...] = ()  # what belongs to the data set and is not there, or is there and not read
    notes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()  # KEY=VALUE, as `-S` takes them


class Layout(Protocol):
    """A module of this folder."""

    @property
    def TITLE(self) -> str: ...  # noqa: N802
    def recognise(self, tree: Tree) -> float | None:
        """How sure it is that this is the data set, 0 to 1; None: it is not."""
        ...

    def find(self, tree: Tree, options: LayoutOptions) -> Iterator[FoundClip]:
        """The clips, in a stable order."""
        ...

    def facts(self, tree: Tree, options: LayoutOptions) -> LayoutFacts:
        """Licence, what is missing, recommended settings."""
        ...
