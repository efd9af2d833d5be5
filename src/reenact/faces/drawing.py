"""Landmarks as lines a person can look at."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import CLOSED_GROUPS, GROUPS

# RGB on black: jaw grey, brows orange, nose blue, eyes green, lips red
COLOURS: dict[str, tuple[int, int, int]] = {
    "jaw": (200, 200, 200),
    "right_brow": (240, 150, 40), "left_brow": (240, 150, 40),
    "nose_bridge": (90, 150, 255), "nose_base": (90, 150, 255),
    "right_eye": (90, 220, 110), "left_eye": (90, 220, 110),
    "outer_lip": (240, 70, 80), "inner_lip": (250, 150, 150),
}  # fmt: skip
_SHIFT = 4  # sixteenths of a pixel


def draw_landmarks(landmarks: NDArray[np.floating], size: int) -> NDArray[np.uint8]:
    """(68, 2) crop coordinates 0..1 -> RGB (size, size, 3): lines through the groups, eyes and lips closed."""
    picture = np.zeros((size, size, 3), dtype=np.uint8)
    points = np.rint((np.asarray(landmarks, dtype=np.float64) * size - 0.5) * 2**_SHIFT).astype(np.int32)
    for name, members in GROUPS.items():
        line = points[members.start : members.stop]
        cv2.polylines(picture, [line], name in CLOSED_GROUPS, COLOURS[name], max(1, size // 128), cv2.LINE_AA, _SHIFT)
    return picture
