"""Follow one face from frame to frame: landmarks on the tracked box, and a detector to make sure."""

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.faces.landmarks import CROP_CENTRE
from reenact.labelling.backend import Box, Gray, Points
from reenact.labelling.finding import Tools, detect_near, face_look, overlap, plausible_in
from reenact.labelling.geometry import detector_like_box, spread
from reenact.labelling.quality import FaceColours
from reenact.labelling.tracks import Track, TrackedFrame

_CALM = 5  # frames of a track that are recognised lie so far apart at least, whatever the doubts


class Face:
    """A face that is followed: `present` where it was seen in the latest frame, else `lost` counts frames without."""

    def __init__(self, tools: Tools, why: str) -> None:
        self.tools = tools
        self.track = Track(why)
        self.colours = FaceColours()
        self.lost = 0
        self._last: Points | None = None  # landmarks of the frame before, None while lost
        self._speed = np.zeros(2)  # of their centroid, px a frame
        self._look: NDArray[np.float32] | None = None  # the face's picture in the frame before
        self._age = 0  # frames since a detection
        self._unsampled = 0  # frames since it was recognised
        self._unsure = True  # whether it may have become another's face since then

    @property
    def present(self) -> bool:
        """Whether it was seen in the latest frame."""
        return self._last is not None

    @property
    def box(self) -> Box:
        """Where it was seen last."""
        return self.track.frames[-1].box

    @property
    def landmarks(self) -> Points:
        """(68, 2) in video pixels where it is present."""
        assert self._last is not None
        return self._last

    def advance(self, number: int, gray: Gray, image: Image) -> None:
        """Find the face in the next frame; where that fails it is lost until `seen` is called."""
        landmarks, score = self._followed(gray)
        if landmarks is None:
            self._last, self.lost = None, 1
        else:
            self._store(number, gray, image, landmarks, score)

    def seen(self, number: int, gray: Gray, image: Image, landmarks: Points, score: float) -> None:
        """It appears, or comes back, where a detector found it."""
        self._age, self._unsure, self._unsampled = 0, True, max(self._unsampled, _CALM)
        self._store(number, gray, image, landmarks, score)

    def same_place(self, landmarks: Points) -> bool:
        """Whether a face that comes back does so near where this one was lost: else nobody knows who it is."""
        return overlap(detector_like_box(landmarks), self.box) >= 0.1

    def finish(self) -> None:
        """Give the track what its frames are measured by."""
        self.track.colours = self.colours.usual()

    def wants_sample(self, every: int) -> bool:
        """Whether it is time to make sure who this is: in the beginning, after a doubt, every so many frames."""
        return self.present and (self._unsampled >= every or (self._unsure and self._unsampled >= _CALM))

    def sample(self, embedding: NDArray[np.float64]) -> None:
        """Remember who this is in the latest frame."""
        self.track.samples.append((len(self.track.frames) - 1, embedding))
        self._unsampled, self._unsure = 0, False

    def _store(self, number: int, gray: Gray, image: Image, landmarks: Points, score: float) -> None:
        # Half of the last motion: heads swing, they don't fly on.
        self._speed = np.zeros(2) if self._last is None else 0.5 * (landmarks - self._last).mean(axis=0)
        box = detector_like_box(landmarks)
        self._look = face_look(gray, box)
        self._last, self.lost = landmarks, 0
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        x, y = landmarks[CROP_CENTRE]
        self.track.frames.append(
            TrackedFrame(number, (float(x), float(y)), float((high - low).max()), box, score)
        )  # fmt: skip
        self.colours.offer(image, box)
        self._unsampled += 1

    def _followed(self, gray: Gray) -> tuple[Points | None, float]:
        """Landmarks near those of the frame before; every few frames and at every doubt a detector must agree."""
        self._age += 1
        tools, last = self.tools, self.landmarks
        expected = last + self._speed
        landmarks = tools.predictor(gray, detector_like_box(expected))
        doubtful = self._doubtful(gray, landmarks, expected)
        if not doubtful and self._age < tools.settings.every:
            return landmarks, float("nan")
        self._unsure = self._unsure or doubtful
        found = detect_near(gray, tools.confirmer, detector_like_box(expected))
        self._age = 0
        if found is None:
            return None, float("nan")
        # The detector's box drifts less than one made from landmarks.
        landmarks = tools.predictor(gray, found.box)
        return (landmarks, found.score) if plausible_in(landmarks, gray) else (None, float("nan"))

    def _doubtful(self, gray: Gray, landmarks: Points, expected: Points) -> bool:
        size, before = float(spread(landmarks)), float(spread(self.landmarks))
        surprise = float(np.linalg.norm(landmarks.mean(axis=0) - expected.mean(axis=0)))
        # The predictor only corrects its box by so much: what moved further than that it has probably lost.
        # Left behind on hair or wall it may stay as it was; but then the picture under the landmarks changes.
        look = face_look(gray, detector_like_box(landmarks))
        changed = self._look is not None and float((look * self._look).mean()) < 0.8
        leap = surprise > 0.2 * before or not 0.87 < size / before < 1.15
        return changed or leap or not plausible_in(landmarks, gray)
