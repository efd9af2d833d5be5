"""Where a head's parts are to be expected around its landmarks, before any colour is looked at.

Pixels are looked up in millimetres of the upright head: the mean face of the shape model is laid through the landmarks
(an affine fit, made orthogonal), which gives scale, roll and how far the head is turned. Sizes are those of a grown
head with some margin; every border is soft, since colours decide.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.shape_model import shape_model

SIDE = 128  # px of every segment map
PARTS = 4  # background, face, hair, clothes
BACKGROUND, FACE, HAIR, CLOTHES = range(PARTS)

# Points that expressions move least: jaw, brows, nose, eyes.
_STEADY = np.r_[0:17, 17:27, 27:36, 36:48]
_DEPTH = 45.0  # mm that the head's middle lies behind the face: it goes to the side as the head turns
_FLAT = np.array([0.5, 0.2, 0.3, 0.5])  # what is expected where nothing is known; clothes below the neck only
_FLAT_SHARE = 0.3


@dataclass(frozen=True)
class Place:
    """A head in a crop: `scale` crop sides per mm, `roll` in radians, `turn` sine of yaw, origin as landmarks are."""

    scale: float
    roll: float
    turn: float
    origin: tuple[float, float]


def place_head(landmarks: NDArray[np.floating]) -> Place:
    """Of (68, 2) landmarks in crop coordinates."""
    fitted = (_solver() @ landmarks[_STEADY].astype(np.float64)).T  # (2, 4)
    left, sizes, right = np.linalg.svd(fitted[:, :3], full_matrices=False)
    turned = left @ right
    return Place(
        scale=max(float(sizes.mean()), 1e-5),
        roll=float(np.arctan2(turned[1, 0], turned[0, 0])),
        turn=float(np.clip(turned[0, 2], -1, 1)),
        origin=(float(fitted[0, 3]), float(fitted[1, 3])),
    )


def expected_parts(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """(SIDE, SIDE, PARTS) shares that add up to 1, of (68, 2) landmarks in crop coordinates."""
    place = place_head(landmarks)
    across, down = _millimetres(place)
    middle = _DEPTH * place.turn
    head = _soft(-_ellipse(across - middle, down + 48, 83, 95), 8)
    front = _soft(-_ellipse(across - 0.3 * middle, down + 12, 76, 94), 6)
    scalp = _soft(-down - 58, 8)
    neck = 0.9 * _soft(56 - np.abs(across - 0.4 * middle), 7) * _soft(down - 45, 10) * _soft(165 - down, 12)
    long_hair = 0.3 * _soft(112 - np.abs(across - middle), 10) * _soft(down + 60, 15) * _soft(120 - down, 15)
    below = _soft(down - 105, 10)
    face = np.maximum(front * (1 - 0.1 * scalp), neck)
    hair = np.maximum(head, long_hair) * (1 - face)
    rest = np.maximum(1 - face - hair, 0.01)
    parts = np.stack([rest * (1 - below), face, hair, rest * below], axis=-1)
    unknown = np.stack([1 - below, np.ones_like(below), 1 - below, below], axis=-1) * _FLAT
    mixed = (1 - _FLAT_SHARE) * _shares(parts) + _FLAT_SHARE * _shares(unknown)
    sure = 0.98 * _inside_hull(landmarks, place)[..., None]
    return ((1 - sure) * mixed + sure * np.array([0.005, 0.98, 0.01, 0.005])).astype(np.float32)


@cache
def _solver() -> NDArray[np.float64]:
    mean = shape_model().mean[_STEADY]
    return np.linalg.pinv(np.column_stack([mean, np.ones(len(mean))]))


def _millimetres(place: Place) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of every pixel's centre: mm to the right and down from the head's origin, the head upright."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    x = (centres[None, :] - place.origin[0]) / place.scale
    y = (centres[:, None] - place.origin[1]) / place.scale
    cosine, sine = np.cos(place.roll), np.sin(place.roll)
    return cosine * x + sine * y, cosine * y - sine * x


def _inside_hull(landmarks: NDArray[np.floating], place: Place) -> NDArray[np.float32]:
    """0 outside the hull of jaw and brows, rising to 1 at 6 mm inside: this is face, whatever its colour."""
    hull = cv2.convexHull(np.clip(landmarks[:27] * SIDE * 16, -1e6, 1e6).astype(np.float32))
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    cv2.fillPoly(mask, [hull.astype(np.int32)], 1, shift=4)
    within = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return np.asarray(np.clip(within / (6 * place.scale * SIDE), 0, 1), dtype=np.float32)


def _ellipse(x: NDArray[np.float64], y: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
    """About the distance in mm from an ellipse around the origin, negative inside."""
    return (np.hypot(x / a, y / b) - 1) * (a + b) / 2


def _soft(distance: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(distance / width, -20, 20)))


def _shares(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return parts / parts.sum(axis=-1, keepdims=True)
