"""What a judge is: something fixed that reads pose, expression and identity from pictures, whoever drew them.

Each judge has a file of its own (`tools.py`, ...) and a name in `judges.py`. Real and generated pictures go the same
way, at the size that the system draws, so that the judge's own error is the same for both.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.evaluation.metrics.metric import Floats

POINTS, ACTIONS = 68, 17


@dataclass(frozen=True)
class People:
    """Whom N pictures should show, as labelled for their clips: what a fit may take as known."""

    shape: Floats  # (N, K) identity coefficients of the shape model
    neutral: Floats  # (N, 17) the person's resting level of each action unit

    def __getitem__(self, rows: NDArray[Any]) -> "People":
        return People(self.shape[rows], self.neutral[rows])


class Judge(Protocol):
    """Reads N RGB pictures, uint8 (S, S, 3); rows of pictures in which it finds no face are NaN.

    What it says of one picture doesn't depend on those beside it. A judge remembers what it has read by a
    `feature_cache.FeatureCache`, so that asking again costs nothing.
    """

    @property
    def card(self) -> dict[str, Any]:
        """`name`, `size` in pixels, `sha256` by part: stands in every record, tables refuse to mix them.

        The parts that a metric's record names are `landmarks`, `fit` (pose and action units) and `recognition`; a judge
        that is one network says `network`.
        """

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1."""

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, D): two of one person are alike by their cosine. D is the judge's own."""

    def pose_and_actions(self, pictures: Sequence[Image], people: People) -> tuple[Floats, Floats]:
        """(N, 3) pitch, yaw, roll in degrees; (N, 17) intensities 0..5. Who needs no shape doesn't look at `people`."""


@runtime_checkable
class Prepared(Protocol):
    """A judge that wants to see all pictures before it is asked about any, to have them read elsewhere."""

    def prepare(self, pictures: Iterable[Image]) -> None:
        """Raises BadInput where that can't be done now, saying what to do."""


def enlarged(picture: Image, size: int) -> Image:
    """A square picture at the size that a judge reads; a larger one is shrunk."""
    if picture.shape[0] == size:
        return np.ascontiguousarray(picture)
    how = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how), dtype=np.uint8)


def in_chunks(
    pictures: Sequence[Image], read: Callable[[Sequence[Image]], NDArray[Any]], *, chunk: int = 16
) -> NDArray[Any]:
    """What a network says of at least one picture of one size, asked in batches of one size.

    A network's last bits depend on the size of the batch, not on the neighbours in it: the last one is filled up with
    black pictures, so that a picture's answer is the same whatever else is read with it.
    """
    parts = []
    for start in range(0, len(pictures), chunk):
        some = list(pictures[start : start + chunk])
        filling = [np.zeros_like(some[0])] * (chunk - len(some))
        parts.append(read([*some, *filling])[: len(some)])
    return np.concatenate(parts)


class Reading:
    """N pictures as a judge reads them, each measure only when asked for; see metrics.metric.View.

    `usable` (N,) is false where there is no such picture (no truth, not finite): its rows are NaN everywhere.
    """

    def __init__(self, judge: Judge, pictures: NDArray[np.uint8], usable: NDArray[np.bool_], people: People) -> None:
        self.judge, self.pictures, self.usable, self.people = judge, pictures, usable, people
        self._others: dict[int, Reading] = {}

    def by(self, judge: Judge) -> "Reading":
        """The same pictures as another judge reads them; the same object whenever asked."""
        if judge is self.judge:
            return self
        if id(judge) not in self._others:
            self._others[id(judge)] = Reading(judge, self.pictures, self.usable, self.people)
        return self._others[id(judge)]

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """(N, H, W, 3) in 0..1."""
        values = self.pictures.astype(np.float32) / 255.0
        values[~self.usable] = np.nan
        return values

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates."""
        return self._spread(self.judge.landmarks(self.shown), (POINTS, 2))

    @cached_property
    def descriptor(self) -> NDArray[np.float32]:
        """(N, D)."""
        rows = self.judge.descriptors(self.shown)
        return self._spread(rows, rows.shape[1:])

    @property
    def pose(self) -> Floats:
        """(N, 3) degrees."""
        return self._pose_and_actions[0]

    @property
    def actions(self) -> Floats:
        """(N, 17) 0..5."""
        return self._pose_and_actions[1]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,): whether there is a picture and a face in it."""
        return np.asarray(np.isfinite(self.landmarks).all(axis=(1, 2)))

    @cached_property
    def _pose_and_actions(self) -> tuple[Floats, Floats]:
        pose, actions = self.judge.pose_and_actions(self.shown, self.people[self.usable])
        return self._spread(pose, (3,)), self._spread(actions, (ACTIONS,))

    @cached_property
    def shown(self) -> list[Image]:
        """The pictures that there are."""
        return [self.pictures[row] for row in np.flatnonzero(self.usable)]

    def _spread(self, rows: Floats, shape: tuple[int, ...]) -> Any:
        result = np.full((len(self.pictures), *shape), np.nan, dtype=rows.dtype)
        result[self.usable] = rows
        return result
