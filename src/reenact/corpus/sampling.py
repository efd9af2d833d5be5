"""Which frames a training sample is made of, and the batch made of them.

What is drawn as sample n is a pure function of seed and n: each sample has a random stream of its own, found by its
number, so a restart, another batch size or another number of processes draws the same samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import Image
from reenact.corpus.splits import Part
from reenact.corpus.stills import pool_of
from reenact.corpus.usable import Frames, Needs, Picture, clip_numbers, nothing_usable, usable_frames
from reenact.errors import BadInput
from reenact.faces.batch import FaceBatch, Faces
from reenact.faces.landmarks import FLIP, flip_landmarks
from reenact.faces.pose import flip_pose

Pairs = Literal["self", "cross"]
_LABELS = ("landmarks", "actions", "pose", "landmarks3d", "visibility", "segments")


_Rows = list[list[Picture]]  # a row per sample, a column per frame


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
    drawn more often. `notes` says what can't be used. A batch may have fewer than `sources`: the first of them.
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
        needs = Needs(sources=sources, target=pairs == "self", third=third)
        self.parts, self.notes = usable_frames(corpus, parts, needs=needs)
        if not self.parts:
            raise BadInput(nothing_usable(corpus, parts, needs))
        self.identities = sorted({part.identity for part in self.parts})
        self.clips = clip_numbers(corpus, parts)
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

    def read(self, numbers: Sequence[int], *, sources: int | None = None, pictures: bool = True) -> FaceBatch:
        """The same with pictures still bytes, (..., S, S, 3) uint8, as `ready` takes them; safe in any thread.

        With `sources` only the first so many source pictures of each sample are read, the rest of it is the same.
        Without `pictures` those have no pixels and faces no segments: reading them is nearly all that a sample costs.
        """
        samples = [self.draw(number) for number in numbers]
        kept = self.sources if sources is None else sources
        flips = [sample.flip for sample in samples]
        index = {name: number for number, name in enumerate(self.identities)}
        thirds = [[sample.third] for sample in samples if sample.third is not None]
        return FaceBatch(
            sources=self._faces([list(sample.sources[:kept]) for sample in samples], flips, pictures),
            target=self._faces([[sample.target] for sample in samples], flips, pictures)[:, 0],
            third=self._faces(thirds, flips, pictures)[:, 0] if thirds else None,
            identity=torch.tensor([index[sample.identity] for sample in samples]),
            clip=torch.tensor([self.clips[pool_of(sample.sources[0].clip)] for sample in samples]),
        )

    def _faces(self, rows: _Rows, flips: list[bool], pictures: bool) -> Faces:
        wanted = [name for name in self.labels if pictures or name != "segments"]
        labels = {name: self._label(name, rows, flips) for name in wanted}
        nothing = torch.empty((len(rows), len(rows[0]), 0, 0, 3), dtype=torch.uint8)
        return Faces(image=self._images(rows, flips) if pictures else nothing, **labels)

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
