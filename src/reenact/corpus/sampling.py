"""Which frames a training sample is made of, and the batch made of them.

What is drawn as sample n is a pure function of seed and n: each sample has a random stream of its own, found by its
number, so a restart, another batch size or another number of processes draws the same samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.shards import Image
from reenact.corpus.splits import Part
from reenact.corpus.stills import ONE_EACH
from reenact.errors import BadInput
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmarks import FLIP, flip_landmarks
from reenact.faces.pose import flip_pose

Pairs = Literal["self", "cross"]
_LABELS = ("landmarks", "actions", "pose", "landmarks3d", "visibility", "segments")


class Picture(NamedTuple):
    """One stored frame, numbered from its clip's first."""

    clip: Clip
    frame: int


_Rows = list[list[Picture]]  # a row per sample, a column per frame


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
class Sample:
    """What one sample consists of; with cross pairs the target is another identity's picture."""

    sources: tuple[Picture, ...]
    target: Picture
    third: Picture | None  # of the source's clip or pictures
    flip: bool

    @property
    def identity(self) -> str:
        """Who is seen in the sources."""
        return self.sources[0].clip.identity


class Sampler:
    """Samples from the parts of one split: anchor and further distinct frames of the same part, all flipped or none.

    The single pictures of one person stand for a part. A frame is as likely an anchor as any other, so long clips are
    drawn more often. `notes` says what can't be used.
    """

    def __init__(
        self,
        corpus: Corpus,
        parts: Sequence[Part],
        *,
        size: int,
        seed: int,
        labels: Sequence[str] = ("landmarks",),
        sources: int = 1,
        third: bool = False,
        pairs: Pairs = "self",
        flip: bool = True,
    ) -> None:
        if unknown := sorted(set(labels) - set(_LABELS)):
            raise BadInput(f"this corpus holds no {', '.join(unknown)}: label it first, or train another system.")
        if "segments" in labels and corpus.clips:
            corpus.segments(corpus.clips[0])  # says so where none were made
        self.corpus, self.size, self.seed, self.flip, self.pairs = corpus, size, seed, flip, pairs
        self.labels = tuple(dict.fromkeys(("landmarks", *labels)))
        self.sources, self.third = sources, third
        needed = sources + int(third) + (1 if pairs == "self" else 0)
        self.parts, self.notes = usable_frames(corpus, parts, needed=needed)
        self.identities = sorted({part.identity for part in self.parts})
        if not self.parts:
            raise BadInput(_nothing(corpus, parts, needed))
        if pairs == "cross" and len({part.person for part in self.parts}) < 2:
            raise BadInput("pairs of two identities need two identities with usable frames, there is one.")
        self._ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        """How many frames can be the anchor."""
        return int(self._ends[-1])

    def draw(self, number: int) -> Sample:
        """Sample `number`, whatever was drawn before it."""
        # The number stands in a high word of Philox's counter: as its low word, neighbours' streams would overlap.
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, number, 0]))
        part = self._part(random)
        wanted = self.sources + int(self.third)
        if self.pairs == "self":
            *pictures, target = [part[i] for i in random.choice(len(part), wanted + 1, replace=False)]
        else:
            pictures = [part[i] for i in random.choice(len(part), wanted, replace=False)]
            driver = self._part(random)
            while driver.person == part.person:
                driver = self._part(random)
            target = driver[random.choice(len(driver))]
        third = pictures.pop() if self.third else None
        flip = bool(random.random() < 0.5) and self.flip
        return Sample(sources=tuple(pictures), target=target, third=third, flip=flip)

    def _part(self, random: np.random.Generator) -> Frames:
        return self.parts[int(np.searchsorted(self._ends, random.integers(self._ends[-1]), side="right"))]

    def batch(self, numbers: Sequence[int], device: torch.device | str = "cpu") -> FaceBatch:
        """The samples of these numbers as one batch on a device."""
        return ready(self.read(numbers), device)

    def read(self, numbers: Sequence[int]) -> FaceBatch:
        """The same with pictures still bytes, (..., S, S, 3) uint8, as `ready` takes them; safe in any thread."""
        samples = [self.draw(number) for number in numbers]
        flips = [sample.flip for sample in samples]
        index = {name: number for number, name in enumerate(self.identities)}
        thirds = [[sample.third] for sample in samples if sample.third is not None]
        return FaceBatch(
            sources=self._faces([list(sample.sources) for sample in samples], flips),
            target=self._faces([[sample.target] for sample in samples], flips)[:, 0],
            third=self._faces(thirds, flips)[:, 0] if thirds else None,
            identity=torch.tensor([index[sample.identity] for sample in samples]),
        )

    def _faces(self, rows: _Rows, flips: list[bool]) -> Faces:
        labels = {name: self._label(name, rows, flips) for name in self.labels}
        return Faces(image=self._images(rows, flips), **labels)

    def _images(self, rows: _Rows, flips: list[bool]) -> Tensor:
        images = np.empty((len(rows), len(rows[0]), self.size, self.size, 3), dtype=np.uint8)
        for row, (frames, flip) in enumerate(zip(rows, flips, strict=True)):
            for column, (clip, frame) in enumerate(frames):
                image = resized(self.corpus.image(clip, frame), self.size)
                images[row, column] = image[:, ::-1] if flip else image
        return torch.from_numpy(images)

    def _label(self, name: str, rows: _Rows, flips: list[bool]) -> Tensor:
        read = getattr(self.corpus, name)
        values = np.stack([np.stack([read(clip)[frame] for clip, frame in frames]) for frames in rows])
        for row, flip in enumerate(flips):
            if flip:
                values[row] = flip_label(name, values[row])
        return torch.from_numpy(values)


def usable_frames(corpus: Corpus, parts: Sequence[Part], *, needed: int) -> tuple[list[Frames], tuple[str, ...]]:
    """Frames with landmarks, part by part; a part with fewer than `needed` is left out with a sentence.

    Single pictures come after the clips, those of one person together.
    """
    usable, notes = [], []
    stills: dict[str, list[Picture]] = {}
    for part in parts:
        clip = corpus.by_name.get(part.clip)
        if clip is None:
            raise BadInput(f"the split names clip {part.clip}, the corpus has no such clip: run validate_data again.")
        frames = part.start + np.flatnonzero(corpus.found(clip)[part.start : part.stop])
        if clip.still:
            stills.setdefault(clip.identity, []).extend(Picture(clip, int(frame)) for frame in frames)
        elif len(frames) < needed:
            notes.append(
                f"{part.clip}: {len(frames)} of {part.stop - part.start} frames have landmarks, {needed} needed."
            )
        else:
            usable.append(Frames(clips=(clip,), frames=frames))
    enough = [pictures for pictures in stills.values() if len(pictures) >= needed]
    usable += [
        Frames(clips=tuple(one.clip for one in pictures), frames=np.array([one.frame for one in pictures]))
        for pictures in enough
    ]
    if len(enough) < len(stills):
        notes.append(
            f"{len(stills) - len(enough)} of {len(stills)} people with single pictures have fewer than {needed} with "
            "landmarks: they are left out."
        )
    return usable, tuple(notes)


def _nothing(corpus: Corpus, parts: Sequence[Part], needed: int) -> str:
    clips = [corpus.by_name[part.clip] for part in parts]
    if not clips or not all(clip.still for clip in clips):
        return f"none of {len(parts)} clips has {needed} frames with landmarks: nothing to train on."
    people = len({clip.identity for clip in clips})
    if people == len(clips):
        return ONE_EACH
    return (
        f"nobody of {people} people has {needed} single pictures with landmarks: nothing to train on. Add pictures of "
        "the same people, or train a system that needs fewer at a time."
    )


def resized(image: Image, size: int) -> Image:
    """An (S, S, 3) picture at another size: averaged when smaller, interpolated when larger."""
    if image.shape[0] == size:
        return image
    smaller = size < image.shape[0]
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)  # type: ignore[return-value]


def flip_label(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A label of the mirrored picture; action units are defined on both sides together and stay."""
    if name in ("landmarks", "landmarks3d"):
        return flip_landmarks(values)
    if name == "visibility":
        return values[..., FLIP]
    if name == "segments":
        return values[..., ::-1]
    return flip_pose(values) if name == "pose" else values


def ready(batch: FaceBatch, device: torch.device | str) -> FaceBatch:
    """What `Sampler.read` returned, on a device, its pictures (..., 3, S, S) in [-1, 1].

    Bytes travel, floats are made where they are used: a quarter of the transfer.
    """
    batch = batch.to(device)
    return replace(
        batch,
        sources=_planes(batch.sources),
        target=_planes(batch.target),
        third=None if batch.third is None else _planes(batch.third),
    )


def _planes(faces: Faces) -> Faces:
    planes = faces.image.movedim(-1, -3)
    floats = planes.to(torch.float32, memory_format=torch.contiguous_format)
    return replace(faces, image=floats.div_(127.5).sub_(1.0))
