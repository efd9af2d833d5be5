"""The tools judge: what reads pose, expression and identity from a picture. Fixed, the same for every corpus.

dlib's HOG detector, dlib's 68 landmarks, our fit of the shape model and dlib's recognition network, on pictures
enlarged to 256 px. None of them was trained on the corpus or is used inside a loss. Real and generated pictures go
the same way, at the size that the system draws, so that the judge's own error is the same for both.
(dlib's 68-point model was trained on data for research only; see the README.)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.evaluation.metrics.metric import Floats

POINTS, ACTIONS, DESCRIPTOR = 68, 17, 128


@dataclass(frozen=True)
class People:
    """Whom N pictures should show, as labelled for their clips: what a fit may take as known."""

    shape: Floats  # (N, K) identity coefficients of the shape model
    neutral: Floats  # (N, 17) the person's resting level of each action unit

    def __getitem__(self, rows: NDArray[Any]) -> "People":
        return People(self.shape[rows], self.neutral[rows])


class Tools(Protocol):
    """What the judge is made of. Pictures are RGB uint8 (S, S, 3), landmarks in their pixels (centres at +0.5)."""

    name: str
    sha256: dict[str, str]  # of the model files

    def landmarks(self, picture: Image) -> Floats | None:
        """(68, 2) of the surest face; None where the detector finds none."""

    def descriptor(self, picture: Image, landmarks: Floats) -> Floats:
        """(128,) of the face with these landmarks."""

    def fit(self, landmarks: Floats, people: People) -> tuple[Floats, Floats]:
        """(N, 68, 2) in crop coordinates of N people -> pose (N, 3) in degrees, intensities (N, 17)."""


class Judge:
    """Reads pictures with the tools; a picture that it has read (by content) is not read again."""

    def __init__(self, tools: Tools, *, size: int = 256) -> None:
        self.tools = tools
        self.size = size
        self._landmarks: dict[bytes, Floats | None] = {}
        self._descriptors: dict[bytes, Floats] = {}

    @property
    def card(self) -> dict[str, Any]:
        """Name, picture size and hashes of the model files: part of every record, tables refuse to mix them."""
        return {"name": self.tools.name, "size": self.size, "sha256": dict(self.tools.sha256)}

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1; NaN rows where no face was found."""
        result = np.full((len(pictures), POINTS, 2), np.nan, dtype=np.float32)
        for row, picture in enumerate(pictures):
            found = self._find(_key(picture), picture)
            if found is not None:
                result[row] = found / self.size
        return result

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 128); NaN rows where no face was found."""
        result = np.full((len(pictures), DESCRIPTOR), np.nan, dtype=np.float32)
        for row, picture in enumerate(pictures):
            key = _key(picture)
            found = self._find(key, picture)
            if found is None:
                continue
            if key not in self._descriptors:
                self._descriptors[key] = self.tools.descriptor(self._enlarge(picture), found)
            result[row] = self._descriptors[key]
        return result

    def fit(self, landmarks: Floats, people: People) -> tuple[Floats, Floats]:
        """Pose (N, 3) and intensities (N, 17) of (N, 68, 2) landmarks; NaN rows stay NaN."""
        pose, actions = np.full((len(landmarks), 3), np.nan), np.full((len(landmarks), ACTIONS), np.nan)
        found: NDArray[np.bool_] = np.asarray(np.isfinite(landmarks).all(axis=(1, 2)))
        if found.any():
            pose[found], actions[found] = self.tools.fit(landmarks[found], people[found])
        return pose, actions

    def _find(self, key: bytes, picture: Image) -> Floats | None:
        if key not in self._landmarks:
            self._landmarks[key] = self.tools.landmarks(self._enlarge(picture))
        return self._landmarks[key]

    def _enlarge(self, picture: Image) -> Image:
        if picture.shape[0] == self.size:
            return np.ascontiguousarray(picture)
        shrinks = picture.shape[0] > self.size
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, (self.size, self.size), interpolation=how), dtype=np.uint8)


def _key(picture: Image) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=16).digest()


class Reading:
    """N pictures as the judge reads them, each measure only when asked for; see metrics.metric.View.

    `usable` (N,) is false where there is no such picture (no truth, not finite): its rows are NaN everywhere.
    """

    def __init__(self, judge: Judge, pictures: NDArray[np.uint8], usable: NDArray[np.bool_], people: People) -> None:
        self.judge, self.pictures, self.usable, self.people = judge, pictures, usable, people

    @cached_property
    def pixels(self) -> NDArray[np.float32]:
        """(N, H, W, 3) in 0..1."""
        values = self.pictures.astype(np.float32) / 255.0
        values[~self.usable] = np.nan
        return values

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates."""
        return self._spread(self.judge.landmarks(self._usable_pictures), (POINTS, 2))

    @cached_property
    def descriptor(self) -> NDArray[np.float32]:
        """(N, 128)."""
        return self._spread(self.judge.descriptors(self._usable_pictures), (DESCRIPTOR,))

    @property
    def pose(self) -> Floats:
        """(N, 3) degrees."""
        return self._fit[0]

    @property
    def actions(self) -> Floats:
        """(N, 17) 0..5."""
        return self._fit[1]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,): whether there is a picture and a face in it."""
        return np.asarray(np.isfinite(self.landmarks).all(axis=(1, 2)))

    @cached_property
    def _fit(self) -> tuple[Floats, Floats]:
        return self.judge.fit(self.landmarks, self.people)

    @cached_property
    def _usable_pictures(self) -> list[Image]:
        return [self.pictures[row] for row in np.flatnonzero(self.usable)]

    def _spread(self, rows: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
        result = np.full((len(self.pictures), *shape), np.nan, dtype=np.float32)
        result[self.usable] = rows
        return result
