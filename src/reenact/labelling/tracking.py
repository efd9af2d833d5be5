"""Follow one face through a video: detect, then landmarks on the tracked box, detect again to make sure.

Streaming: one frame is held at a time, per frame a box, a centre and a size are kept. A cut ends the stretch; the
longest stretch is the clip, the others are named for the quarantine table.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reenact.config import Settings
from reenact.corpus.shards import Image
from reenact.faces.landmarks import CROP_CENTRE
from reenact.labelling.backend import Box, Detection, Detector, Gray, LandmarkPredictor, Points
from reenact.labelling.geometry import detector_like_box, plausible, spread


class DetectSettings(Settings):
    """How faces are looked for."""

    min_face: int = Field(default=60, ge=20)  # px of the video: the smallest face that is looked for; smaller is slower
    every: int = Field(default=10, ge=1)  # frames between two detections that confirm the track
    threshold: float = 0.0  # detector score from which a face counts as found
    confirm: float = -0.5  # and from which one near the tracked face confirms the track
    max_gap: float = Field(default=1.0, ge=0)  # s without a face after which a new stretch begins


@dataclass(frozen=True)
class TrackedFrame:
    """One frame with the followed face, in video pixels."""

    frame: int
    centre: tuple[float, float]  # landmark 28
    extent: float  # max(width, height) of the box around the landmarks
    box: Box  # as the detector would draw it
    score: float  # the detector's, NaN where tracked


@dataclass
class Track:
    """A face's stretches, each a list of frames between cuts; `notes` are sentences for the quarantine table."""

    stretches: list[list[TrackedFrame]] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)  # why each stretch began
    frames_read: int = 0
    faces: int = 0  # the most faces seen in one frame
    faces_at: int = 0  # and the frame where


def follow(
    frames: Iterable[tuple[int, Image]],
    *,
    fps: float,
    detector: Detector,
    predictor: LandmarkPredictor,
    settings: DetectSettings,
    confirmer: Detector | None = None,
) -> Track:
    """Follow the largest, most central face through (number, RGB picture) pairs.

    `confirmer` looks near a tracked face and may be easier to satisfy than the `detector` of the whole picture.
    """
    follower = _Follower(
        detector, confirmer or detector, predictor, settings, max_gap=max(2, round(settings.max_gap * fps))
    )
    for number, image in frames:
        follower.step(number, np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8))
    return follower.track


class _Follower:
    def __init__(
        self,
        detector: Detector,
        confirmer: Detector,
        predictor: LandmarkPredictor,
        settings: DetectSettings,
        max_gap: int,
    ) -> None:
        self.detector, self.confirmer, self.predictor = detector, confirmer, predictor
        self.settings, self.max_gap = settings, max_gap
        self.track = Track()
        self.cuts = CutFinder()
        self.last: Points | None = None  # landmarks of the frame before, None while lost
        self.speed = np.zeros(2)  # of their centroid, px a frame
        self.look: NDArray[np.float32] | None = None  # the face's picture in the frame before
        self.lost = 0  # frames since the face was lost
        self.age = 0  # frames since a detection
        self.pending = "the beginning"

    def step(self, number: int, gray: Gray) -> None:
        self.track.frames_read += 1
        if self.cuts(gray) and self.track.stretches:
            self.last, self.lost, self.pending = None, 0, f"cut at frame {number}"
        score = float("nan")
        if self.last is not None:
            landmarks, score = self._track(gray, self.last)
        else:
            landmarks, score = self._search(number, gray)
        if landmarks is None:
            self.lost = self.lost + 1
            if self.lost == self.max_gap and self.track.stretches and not self.pending:
                self.pending = "the face was away for longer than detect.max_gap"
            self.last = None
            return
        if not self.pending and self.lost and self._elsewhere(landmarks):
            self.pending = f"another place at frame {number}"
        if self.pending:
            self.track.stretches.append([])
            self.track.starts.append(self.pending)
            self.pending = ""
        # Half of the last motion: heads swing, they don't fly on.
        self.speed = np.zeros(2) if self.last is None else 0.5 * (landmarks - self.last).mean(axis=0)
        self.look = face_look(gray, detector_like_box(landmarks))
        self.last, self.lost = landmarks, 0
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        x, y = landmarks[CROP_CENTRE]
        self.track.stretches[-1].append(
            TrackedFrame(number, (float(x), float(y)), float((high - low).max()), detector_like_box(landmarks), score)
        )

    def _track(self, gray: Gray, last: Points) -> tuple[Points | None, float]:
        """Landmarks near those of the frame before; every few frames and at every doubt a detector must agree."""
        self.age += 1
        expected = last + self.speed
        landmarks = self.predictor(gray, detector_like_box(expected))
        size, before = float(spread(landmarks)), float(spread(last))
        surprise = float(np.linalg.norm(landmarks.mean(axis=0) - expected.mean(axis=0)))
        # The predictor only corrects its box by so much: what moved further than that it has probably lost.
        # Left behind on hair or wall it may stay as it was; but then the picture under the landmarks changes.
        look = face_look(gray, detector_like_box(landmarks))
        changed = self.look is not None and float((look * self.look).mean()) < 0.8
        leap = surprise > 0.2 * before or not 0.87 < size / before < 1.15
        doubt = changed or leap or not plausible_in(landmarks, gray)
        if not doubt and self.age < self.settings.every:
            return landmarks, float("nan")
        found = self._detect_near(gray, detector_like_box(expected))
        self.age = 0
        if found is None:
            return None, float("nan")
        # The detector's box drifts less than one made from landmarks.
        landmarks = self.predictor(gray, found.box)
        return (landmarks, found.score) if plausible_in(landmarks, gray) else (None, float("nan"))

    def _search(self, number: int, gray: Gray) -> tuple[Points | None, float]:
        """Look at the whole picture; while nothing is found for long, only every few frames."""
        if self.lost > self.settings.every and self.lost % self.settings.every:
            return None, float("nan")
        found = detect_faces(gray, self.detector, min_face=self.settings.min_face)
        if len(found) > self.track.faces:
            self.track.faces, self.track.faces_at = len(found), number
        for detection in sorted(found, key=lambda one: -_prominence(one, gray)):
            landmarks = self.predictor(gray, detection.box)
            if plausible_in(landmarks, gray):
                self.age = 0
                return landmarks, detection.score
        return None, float("nan")

    def _detect_near(self, gray: Gray, box: Box) -> Detection | None:
        """Detect in the surroundings of a box, at a scale where such a face measures 110 px: fast in any video."""
        height, width = gray.shape
        x, y = box.centre
        reach = 1.1 * box.side
        x0, x1 = max(0, int(x - reach)), min(width, int(x + reach))
        y0, y1 = max(0, int(y - reach)), min(height, int(y + reach))
        if min(x1 - x0, y1 - y0) < 8:
            return None
        scale = 110.0 / box.side
        found = [
            Detection(one.box.scaled(1 / scale, x0, y0), one.score)
            for one in self.confirmer(_resized(gray[y0:y1, x0:x1], scale))
        ]
        near = [one for one in found if _overlap(one.box, box) > 0.25]
        return max(near, key=lambda one: _overlap(one.box, box), default=None)

    def _elsewhere(self, landmarks: Points) -> bool:
        """Whether a face that comes back does so at quite another place or size: then nobody knows who it is."""
        before = self.track.stretches[-1][-1]
        return _overlap(detector_like_box(landmarks), before.box) < 0.1


class CutFinder:
    """Tells whether a frame begins another shot: its thumbnail differs much, and much more than frames did lately."""

    def __init__(self, *, least: float = 12.0, ratio: float = 5.0) -> None:
        self.least, self.ratio = least, ratio
        self._before: NDArray[np.float32] | None = None
        self._usual = 2.0

    def __call__(self, gray: Gray) -> bool:
        """Feed the next frame; True where it is the first of another shot."""
        small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.mean()  # a light that goes on is no cut
        before, self._before = self._before, small
        if before is None:
            return False
        difference = float(np.abs(small - before).mean())
        cut = difference > self.least and difference > self.ratio * self._usual
        if not cut:
            self._usual = 0.9 * self._usual + 0.1 * difference
        return cut


def detect_faces(gray: Gray, detector: Detector, *, min_face: int) -> list[Detection]:
    """All faces of a picture: first on a small copy (large faces, fast), then at the scale that `min_face` asks for."""
    fine = detector.smallest / max(1, min_face)
    coarse = min(fine, 360.0 / min(gray.shape))
    for scale in (coarse, fine) if coarse < 0.8 * fine else (fine,):
        found = [Detection(one.box.scaled(1 / scale), one.score) for one in detector(_resized(gray, scale))]
        if found:
            return found
    return []


def plausible_in(landmarks: Points, gray: Gray) -> bool:
    """`plausible` for landmarks in pixels of a picture; a face may reach beyond the border by half its size."""
    height, width = gray.shape
    reach = float(spread(landmarks))
    low, high = landmarks.mean(axis=0) - 4 * reach, landmarks.mean(axis=0) + 4 * reach
    x, y = landmarks.mean(axis=0)
    return bool(0 <= x <= width and 0 <= y <= height and plausible(((landmarks - low) / (high - low))[None])[0])


def face_look(gray: Gray, box: Box) -> NDArray[np.float32]:
    """The inside of a box as (24, 24) numbers of mean 0 and deviation 1; two looks correlate by their mean product."""
    height, width = gray.shape
    x0, y0 = min(max(int(box.x0), 0), width - 1), min(max(int(box.y0), 0), height - 1)
    inside = gray[y0 : max(int(box.y1), y0 + 1), x0 : max(int(box.x1), x0 + 1)]
    small = cv2.resize(inside, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray((small - small.mean()) / max(float(small.std()), 1e-3), dtype=np.float32)


def longest(track: Track) -> int:
    """Index of the stretch with the most frames, the first of equals."""
    return max(range(len(track.stretches)), key=lambda index: len(track.stretches[index]))


def gaps(stretch: list[TrackedFrame]) -> int:
    """Frames inside a stretch on which the face was lost (for `every: 1`)."""
    return sum(max(0, b.frame - a.frame - 1) for a, b in pairwise(stretch))


def _prominence(detection: Detection, gray: Gray) -> float:
    """Large and central: the side, less up to half for a face at the border."""
    height, width = gray.shape
    x, y = detection.box.centre
    off = np.hypot((x - width / 2) / width, (y - height / 2) / height) / np.hypot(0.5, 0.5)
    return detection.box.side * (1.0 - 0.5 * float(off))


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0))
    height = max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))
    both = width * height
    union = (a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both
    return both / union if union > 0 else 0.0


def _resized(gray: Gray, scale: float) -> Gray:
    if abs(scale - 1.0) < 0.02:
        return gray
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=way), dtype=np.uint8)
