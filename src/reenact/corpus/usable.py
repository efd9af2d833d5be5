"""Which frames of a split a training can draw from, and sentences on those it can't."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.splits import Part
from reenact.corpus.stills import ONE_EACH, pool_of
from reenact.errors import BadInput


class Picture(NamedTuple):
    """One stored frame, numbered from its clip's first."""

    clip: Clip
    frame: int


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The usable frames of one clip's part, or the usable single pictures of one person in one split.

    Usable are those whose landmarks were found. `frames` (N,) are numbered from their clip's first; `clips` has one
    entry for all of them, or one for each.
    """

    clips: tuple[Clip, ...]
    frames: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Picture]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Picture:
        return Picture(self.clips[place if len(self.clips) > 1 else 0], int(self.frames[place]))

    @property
    def identity(self) -> str:
        """Who is seen."""
        return self.clips[0].identity

    @property
    def person(self) -> str:
        """The identity of the video: frames of one person make no pair of two people."""
        return self.clips[0].person


@dataclass(frozen=True, kw_only=True)
class Needs:
    """The different frames of one clip, or pictures of one person, that a sample takes."""

    sources: int = 1
    target: bool = False  # of the same clip
    third: bool = False

    def __int__(self) -> int:
        return self.sources + self.target + self.third

    def __str__(self) -> str:
        sources = f"{self.sources} source picture{'s' if self.sources > 1 else ''}"
        more = [name for name, wanted in (("a target", self.target), ("a third frame", self.third)) if wanted]
        return " and ".join([", ".join([sources, *more[:-1]]), *more[-1:]])


def clip_numbers(corpus: Corpus, parts: Sequence[Part]) -> dict[tuple[str, str], int]:
    """A number from 0 on for each clip and for each person's single pictures, by `pool_of`.

    They follow the order of the parts alone: whatever of them can be used, all samplers count alike.
    """
    numbers: dict[tuple[str, str], int] = {}
    for part in parts:
        numbers.setdefault(pool_of(_clip(corpus, part)), len(numbers))
    return numbers


def usable_frames(
    corpus: Corpus, parts: Sequence[Part], *, needs: Needs = Needs()
) -> tuple[list[Frames], tuple[str, ...]]:
    """Frames with landmarks, part by part; a part with fewer than a sample needs is left out with a sentence.

    Single pictures come after the clips, those of one person together.
    """
    usable, notes = [], []
    stills: dict[str, list[Picture]] = {}
    for part in parts:
        clip = _clip(corpus, part)
        frames = part.start + np.flatnonzero(corpus.found(clip)[part.start : part.stop])
        if clip.still:
            stills.setdefault(clip.identity, []).extend(Picture(clip, int(frame)) for frame in frames)
        elif len(frames) < int(needs):
            counted = f"{len(frames)} of {part.stop - part.start} frames have landmarks"
            notes.append(f"{part.clip}: {counted}, {int(needs)} needed ({needs}).")
        else:
            usable.append(Frames(clips=(clip,), frames=frames))
    enough = [pictures for pictures in stills.values() if len(pictures) >= int(needs)]
    usable += [
        Frames(clips=tuple(one.clip for one in pictures), frames=np.array([one.frame for one in pictures]))
        for pictures in enough
    ]
    if len(enough) < len(stills):
        notes.append(
            f"{len(stills) - len(enough)} of {len(stills)} people with single pictures have fewer than {int(needs)} "
            f"with landmarks ({needs}): they are left out."
        )
    return usable, tuple(notes)


def _clip(corpus: Corpus, part: Part) -> Clip:
    clip = corpus.by_name.get(part.clip)
    if clip is None:
        raise BadInput(f"the split names clip {part.clip}, the corpus has no such clip: run validate_data again.")
    return clip


def nothing_usable(corpus: Corpus, parts: Sequence[Part], needs: Needs) -> str:
    """Why no sample can be drawn from any of the parts."""
    clips = [corpus.by_name[part.clip] for part in parts]
    if not clips or not all(clip.still for clip in clips):
        most = max((int(corpus.found(_clip(corpus, part))[part.start : part.stop].sum()) for part in parts), default=0)
        return (
            f"none of {len(parts)} clips has {int(needs)} frames with landmarks ({needs}), the longest has {most}: "
            "nothing to train on. Add longer clips, or train a system with fewer sources."
        )
    people = len({clip.identity for clip in clips})
    if people == len(clips):
        return ONE_EACH
    return (
        f"nobody of {people} people has {int(needs)} single pictures with landmarks ({needs}): nothing to train on. "
        "Add pictures of the same people, or train a system that needs fewer at a time."
    )
