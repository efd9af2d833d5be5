"""The 68 iBUG points: groups, mirror permutation, measures.

Landmarks are (..., 68, 2) float32 in crop coordinates 0..1, x right, y down; pixel (i, j) of an image of side S
has its centre at ((j + 0.5) / S, (i + 0.5) / S), so that mirroring is x -> 1 - x at every size.
"""

import numpy as np
from numpy.typing import NDArray

POINTS = 68

# "right" and "left" are the person's; the person's right eye is on the image's left.
GROUPS: dict[str, range] = {
    "jaw": range(0, 17),
    "right_brow": range(17, 22),
    "left_brow": range(22, 27),
    "nose_bridge": range(27, 31),
    "nose_base": range(31, 36),
    "right_eye": range(36, 42),
    "left_eye": range(42, 48),
    "outer_lip": range(48, 60),
    "inner_lip": range(60, 68),
}
CLOSED_GROUPS = ("right_eye", "left_eye", "outer_lip", "inner_lip")

RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 36, 45
CROP_CENTRE = 28  # seed 000's code centres its crops on this point of the nose bridge

# new[i] = old[FLIP[i]], then x -> 1 - x
# fmt: off
FLIP = np.array([
    *range(16, -1, -1),
    *range(26, 16, -1),
    27, 28, 29, 30,
    35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46,
    39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48,
    59, 58, 57, 56, 55,
    64, 63, 62, 61, 60,
    67, 66, 65,
])
# fmt: on


def flip_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mirror (..., 68, 2 or 3) landmarks of normalised crop coordinates; a third coordinate stays as it is."""
    flipped = landmarks[..., FLIP, :].copy()
    flipped[..., 0] = 1.0 - flipped[..., 0]
    return flipped


def outer_eye_distance(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Distance of the outer eye corners, (..., 68, 2) -> (...): the unit in which landmark errors are given."""
    return np.linalg.norm(landmarks[..., RIGHT_EYE_OUTER, :] - landmarks[..., LEFT_EYE_OUTER, :], axis=-1)
