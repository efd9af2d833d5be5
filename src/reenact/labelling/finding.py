"""Finding faces: in a whole picture, near where one was, and whether landmarks found there can be a face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reenact.config import Settings
from reenact.labelling.backend import Box, Confirmer, Detection, Detector, Gray, LandmarkPredictor, Points
from reenact.labelling.geometry import plausible, spread


class DetectSettings(Settings):
    """How faces are looked for."""

    min_face: int = Field(default=60, ge=20)  # px of the video: the smallest face that is looked for; smaller is slower
    every: int = Field(default=10, ge=1)  # frames between two detections that confirm the track
    threshold: float = 0.0  # detector score from which a face counts as found
    confirm: float = -0.5  # and from which one near the tracked face confirms the track
    max_gap: float = Field(default=1.0, ge=0)  # s without a face after which a new track begins
    back: float = Field(default=10.0, ge=0)  # s over which `synthetic` follows a face back from where it was found


@dataclass(frozen=True)
class Tools:
    """What finds faces: `confirmer` looks near a tracked one and may be easier to satisfy than the `detector`."""

    detector: Detector
    confirmer: Detector | Confirmer
    predictor: LandmarkPredictor
    settings: DetectSettings


def detect_faces(gray: Gray, detector: Detector, *, min_face: int) -> list[Detection]:
    """All faces of a picture: first on a small copy (large faces, fast), then at the scale that `min_face` asks for."""
    fine = detector.smallest / max(1, min_face)
    coarse = min(fine, 360.0 / min(gray.shape))
    for scale in (coarse, fine) if coarse < 0.8 * fine else (fine,):
        found = _detect_at(gray, detector, scale)
        if found:
            return found
    return []


def detect_every_face(gray: Gray, detector: Detector, *, min_face: int) -> list[Detection]:
    """The same where one large face must not hide the small ones: always at the scale that `min_face` asks for."""
    return _detect_at(gray, detector, detector.smallest / max(1, min_face))


def _detect_at(gray: Gray, detector: Detector, scale: float) -> list[Detection]:
    return [Detection(one.box.scaled(1 / scale), one.score) for one in detector(_resized(gray, scale))]


def detect_near(gray: Gray, confirmer: Detector | Confirmer, box: Box) -> Detection | None:
    """Detect in the surroundings of a box, at a scale where such a face measures 110 px: fast in any video."""
    if isinstance(confirmer, Confirmer):
        return confirmer.near(gray, box)
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
        for one in confirmer(_resized(gray[y0:y1, x0:x1], scale))
    ]
    near = [one for one in found if overlap(one.box, box) > 0.25]
    return max(near, key=lambda one: overlap(one.box, box), default=None)


def plausible_in(landmarks: Points, gray: Gray) -> bool:
    """`plausible` for landmarks in pixels of a picture; a face may reach beyond the border by half its size."""
    height, width = gray.shape
    reach = float(spread(landmarks))
    low, high = landmarks.mean(axis=0) - 4 * reach, landmarks.mean(axis=0) + 4 * reach
    x, y = landmarks.mean(axis=0)
    return bool(0 <= x <= width and 0 <= y <= height and plausible(((landmarks - low) / (high - low))[None])[0])


def prominence(detection: Detection, gray: Gray) -> float:
    """Large and central: the side, less up to half for a face at the border."""
    height, width = gray.shape
    x, y = detection.box.centre
    off = np.hypot((x - width / 2) / width, (y - height / 2) / height) / np.hypot(0.5, 0.5)
    return detection.box.side * (1.0 - 0.5 * float(off))


def face_look(gray: Gray, box: Box) -> NDArray[np.float32]:
    """The inside of a box as (24, 24) numbers of mean 0 and deviation 1; two looks correlate by their mean product."""
    height, width = gray.shape
    x0, y0 = min(max(int(box.x0), 0), width - 1), min(max(int(box.y0), 0), height - 1)
    inside = gray[y0 : max(int(box.y1), y0 + 1), x0 : max(int(box.x1), x0 + 1)]
    small = cv2.resize(inside, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray((small - small.mean()) / max(float(small.std()), 1e-3), dtype=np.float32)


def overlap(a: Box, b: Box) -> float:
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
