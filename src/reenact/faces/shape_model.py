"""The 3D shape model: 68 points in millimetres as a mean, identity modes and one displacement per action unit.

    points(a, e) = mean + sum_k a_k identity_k + sum_j (e_j / 5) actions_j          canonical head, before pose

Axes: x right in the image, y down, z away from the camera: a frontal nose tip has the smallest z. The origin lies
between eyes and mouth, near the centre that the pose turns about (`faces.pose.rotation`). The person's right side is at
negative x, on the image's left. All is mirror symmetric: of each pair of points one is written down, the other follows.

The numbers are ours: sizes follow common anthropometric proportions, directions of the action units the muscle actions
described by Ekman & Friesen's coding system. Amplitudes are those of a strong expression (intensity 5).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.landmarks import FLIP, POINTS

Points = NDArray[np.float64]
Half = Mapping[int, tuple[float, float, float]]

# The person's right half and the middle line, in mm.
# fmt: off
_MEAN: Half = {
    0: (-77, -28, 48), 1: (-76, -9, 46), 2: (-73, 10, 42), 3: (-68, 29, 36), 4: (-60, 46.5, 27), 5: (-49, 61.5, 16),
    6: (-36, 73, 5), 7: (-19.5, 80, -4), 8: (0, 83, -8),
    17: (-58, -42, 4), 18: (-49, -49, -5.5), 19: (-37.5, -51.5, -12), 20: (-25.5, -49.5, -16), 21: (-14, -45, -18),
    27: (0, -29, -17), 28: (0, -16.5, -23), 29: (0, -4, -30), 30: (0, 8, -37),
    31: (-15, 17.5, -16), 32: (-8, 20.5, -21), 33: (0, 22, -24),
    36: (-45, -27.5, 4), 37: (-36.5, -33, -4), 38: (-26, -33, -5), 39: (-17.5, -26.5, -2), 40: (-26, -23, -4),
    41: (-36.5, -23, -3),
    48: (-25.5, 41, -7), 49: (-15, 36, -17), 50: (-6, 33.5, -21.5), 51: (0, 35, -22.5), 57: (0, 52, -20),
    58: (-7.5, 51, -19),
    59: (-16.5, 47.5, -15),
    60: (-22, 41.3, -9), 61: (-8, 40.7, -18), 62: (0, 41, -19.5), 66: (0, 42, -19), 67: (-8, 41.8, -17.5),
}

_RIGHT_EYE, _BROW, _MOUTH = range(36, 42), range(17, 22), (48, 49, 50, 51, 57, 58, 59, 60, 61, 62, 66, 67)
_UPPER_LIP, _LOWER_LIP = (49, 50, 51, 61, 62), (57, 58, 59, 66, 67)
_NOSE = (27, 28, 29, 30, 31, 32, 33)


def _move(points: tuple[int, ...] | range, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Half:
    return dict.fromkeys(points, (x, y, z))


# One standard deviation each, in mm.
IDENTITY_MODES: Mapping[str, Half] = {
    "face_width": {p: (0.055 * x, 0, 0) for p, (x, _, _) in _MEAN.items()},
    "face_length": {p: (0, 0.06 * y, 0) for p, (_, y, _) in _MEAN.items()},
    "face_depth": {p: (0, 0, 0.09 * z) for p, (_, _, z) in _MEAN.items()},
    "jaw_width": {2: (-1.5, 0, 0), 3: (-3, 0, 0), 4: (-4.5, 0.5, 0), 5: (-4.5, 1.5, 0), 6: (-3, 1.5, 0),
                  7: (-1, 0.5, 0)},
    "chin_length": {5: (0, 1, 0), 6: (0, 2.5, 0), 7: (0, 4, -0.5), 8: (0, 4.5, -0.5), 4: (0, 0.3, 0)},
    "eye_distance": {**_move(_RIGHT_EYE, -2.2), **_move(_BROW, -1.4), 27: (0, 0, 0.6)},
    "eye_size": {36: (-1.6, 0, 0), 37: (-0.6, -1.3, 0), 38: (0.6, -1.3, 0), 39: (1.3, 0, 0), 40: (0.6, 0.9, 0),
                 41: (-0.6, 0.9, 0)},
    "eye_slant": {36: (0, -1.8, 0), 37: (0, -0.8, 0), 38: (0, 0.5, 0), 39: (0, 1.2, 0), 40: (0, 0.5, 0),
                  41: (0, -0.8, 0),
                  17: (0, -1.6, 0), 18: (0, -0.8, 0), 20: (0, 0.5, 0), 21: (0, 1, 0)},
    "eye_height": {**_move(_RIGHT_EYE, 0, -2), **_move(_BROW, 0, -2), 27: (0, -1.8, 0), 28: (0, -0.8, 0)},
    "brow_height": _move(_BROW, 0, -2.2),
    "brow_arch": {17: (0, 1.2, 0), 18: (0, -0.8, 0), 19: (0, -1.8, 0), 20: (0, -0.6, 0), 21: (0, 1.2, 0)},
    "nose_length": {28: (0, 1, 0), 29: (0, 2, 0), 30: (0, 3, -0.4), 31: (0, 2.6, 0), 32: (0, 2.8, 0), 33: (0, 3, 0)},
    "nose_width": {31: (-2.2, 0, 0.4), 32: (-1.1, 0, 0)},
    "nose_depth": {27: (0, 0, -0.6), 28: (0, 0, -1.4), 29: (0, 0, -2.4), 30: (0, -0.6, -3.4), 32: (0, 0, -1),
                   33: (0, 0, -1.6)},
    "mouth_width": {48: (-3, 0, 0.8), 49: (-1.6, 0, 0), 50: (-0.6, 0, 0), 58: (-0.7, 0, 0), 59: (-1.7, 0, 0),
                    60: (-2.8, 0, 0.6),
                    61: (-0.9, 0, 0), 67: (-0.9, 0, 0)},
    "mouth_height": _move(_MOUTH, 0, -2),
    "lip_thickness": {49: (0, -1.1, -0.2), 50: (0, -1.5, -0.5), 51: (0, -1.4, -0.5), 57: (0, 1.9, -0.6),
                      58: (0, 1.8, -0.6),
                      59: (0, 1.2, -0.3)},
}

_DISPLACEMENTS: Mapping[str, Half] = {  # mm at intensity 5
    "AU01": {21: (0.8, -8.5, 0.5), 20: (0.5, -7, 0.5), 19: (0, -3, 0.3), 38: (0, -0.5, 0)},
    "AU02": {17: (0, -7, 1), 18: (0, -8.5, 0.8), 19: (0, -6, 0.5), 20: (0, -1.5, 0), 37: (0, -0.5, 0)},
    "AU04": {21: (4.2, 6, -0.5), 20: (3.8, 5.2, -0.3), 19: (2.8, 4, 0), 18: (1.2, 2.5, 0), 17: (0.3, 1, 0),
             27: (0, 1, 0), 37: (0, 0.8, 0),
             38: (0, 1.2, 0)},
    "AU05": {37: (0, -3.2, 0), 38: (0, -3.2, 0), 36: (0, -0.4, 0)},
    "AU06": {36: (0.6, 0.3, 0), 37: (0, 0.9, 0), 40: (0, -2.4, -0.4), 41: (0, -2.8, -0.6), 39: (0, -0.3, 0),
             17: (0, 1, 0), 2: (-0.8, 0, 0),
             3: (-0.8, -0.3, 0)},
    "AU07": {37: (0, 2.2, 0), 38: (0, 2, 0), 40: (0, -1.8, 0), 41: (0, -1.6, 0)},
    "AU09": {30: (0, -2.4, -0.5), 31: (-1.2, -4.2, 0), 32: (-0.6, -3.4, 0), 33: (0, -2.6, 0), 29: (0, -1.4, -0.3),
             28: (0, -0.8, 0),
             20: (1, 2.2, 0), 21: (1.8, 3.2, 0), 19: (0.3, 1, 0), 50: (0, -2, 0), 51: (0, -1.6, 0), 49: (0, -1.4, 0),
             39: (0, 0.6, 0), 40: (0, -0.9, 0)},
    "AU10": {49: (-0.8, -4.8, -0.6), 50: (-0.4, -6, -1), 51: (0, -5.2, -1), 61: (0, -4.6, -0.6), 62: (0, -4.6, -0.8),
             31: (-1, -1.2, 0),
             48: (-0.3, -1.2, 0), 60: (-0.2, -1.2, 0)},
    "AU12": {48: (-8.5, -8.5, 4), 60: (-7.5, -7.5, 3.5), 49: (-4.6, -3.4, 2), 59: (-5, -3.6, 2), 61: (-2.8, -1.6, 1),
             67: (-2.8, -1.6, 1),
             50: (-1.8, -0.8, 0.8), 58: (-2.2, -1.2, 0.8), 51: (0, 0.4, 0.8), 57: (0, -0.6, 0.8), 62: (0, 0, 0.6),
             66: (0, -0.4, 0.6),
             31: (-1.2, -0.5, 0), 3: (-1.2, 0, 0), 4: (-1.4, -0.6, 0), 41: (0, -0.7, 0)},
    "AU14": {48: (3.4, 0.4, 3.2), 60: (3, 0.3, 2.8), 49: (1.4, 0.8, 0.8), 59: (1.6, -1, 0.8), 4: (0.6, 0, 0.8),
             61: (0.8, 0, 0), 67: (0.8, 0, 0)},
    "AU15": {48: (-1.2, 6.8, 0.6), 60: (-1, 5.8, 0.6), 49: (-0.6, 2.4, 0.2), 59: (-0.6, 3.8, 0.2), 61: (0, 0.8, 0),
             67: (0, 1, 0),
             58: (0, 0.8, 0)},
    "AU17": {7: (0, -2.2, -1), 8: (0, -3, -1.6), 57: (0, -4, -2.2), 58: (0, -3.6, -1.8), 59: (0, -2.4, -0.8),
             66: (0, -2.8, -1.6),
             67: (0, -2.4, -1.2), 62: (0, -2.4, -1), 61: (0, -2, -0.8), 51: (0, -2, -0.8), 50: (0, -1.8, -0.8),
             48: (0.2, 0.8, 0)},
    "AU20": {48: (-7, 1.8, 4), 60: (-6.2, 1.6, 3.4), 49: (-3.6, 1, 1.6), 59: (-4, 0.6, 1.8), 50: (-1.2, 0.6, 0.4),
             58: (-1.6, 0, 0.5),
             61: (-2, 0, 0.6), 67: (-2, 0, 0.6), 57: (0, -0.6, 0.3), 51: (0, 0.8, 0.3), 5: (-0.8, 0, 0),
             4: (-0.8, 0, 0)},
    "AU23": {48: (4.2, 0, -1), 60: (3.6, 0, -0.8), 49: (1.8, 2, 0.4), 50: (0.6, 2.6, 0.8), 51: (0, 2.5, 0.8),
             57: (0, -4, 0.8),
             58: (0.8, -3.6, 0.8), 59: (2, -2.4, 0.4), 61: (0.8, 0, 0), 67: (0.8, 0, 0)},
    "AU25": {50: (0, -1.4, -0.2), 51: (0, -1.4, -0.2), 61: (0, -2.2, 0), 62: (0, -2.6, 0), 49: (0, -0.8, 0),
             57: (0, 5, 0), 58: (0, 4.6, 0),
             59: (0, 2.8, 0), 66: (0, 5.4, 0), 67: (0, 4.8, 0)},
    "AU26": {8: (0, 13, 5), 7: (0, 12.5, 4.8), 6: (0, 10.5, 4), 5: (0, 7.5, 2.5), 4: (0, 3.8, 1), 3: (0, 1.2, 0),
             57: (0, 12, 3.5),
             58: (0, 11.2, 3.2), 59: (0.6, 7.5, 2.2), 66: (0, 11.5, 3.2), 67: (0, 10, 2.8), 48: (1.8, 3, 0.8),
             60: (1.6, 3, 0.8),
             61: (0.4, 0.3, 0), 62: (0, 0.3, 0), 49: (0.8, 0.6, 0)},
    "AU45": {37: (0, 8.6, 0.6), 38: (0, 8.8, 0.6), 40: (0, -0.9, 0), 41: (0, -0.9, 0), 36: (0, 0.8, 0),
             39: (0, 0.3, 0)},
}
# fmt: on


@dataclass(frozen=True)
class ShapeModel:
    """`mean` (68, 3) mm; `identity` (K, 68, 3) mm per standard deviation; `actions` (17, 68, 3) mm at intensity 5."""

    mean: Points
    identity: Points
    actions: Points


@functools.cache
def shape_model() -> ShapeModel:
    """The model as read-only arrays; made once per process."""
    mean = _whole(_MEAN)
    identity = np.stack([_whole(half) for half in IDENTITY_MODES.values()])
    actions = np.stack([_whole(_DISPLACEMENTS[name]) for name in ACTION_UNITS])
    for array in (mean, identity, actions):
        array.flags.writeable = False
    return ShapeModel(mean=mean, identity=identity, actions=actions)


def canonical(model: ShapeModel, identity: NDArray[np.floating], actions: NDArray[np.floating]) -> Points:
    """Head points before pose: identity (..., K) in deviations, actions (..., 17) in 0..5 -> (..., 68, 3) mm."""
    return (
        model.mean
        + np.einsum("...k,kpc->...pc", np.asarray(identity, dtype=np.float64), model.identity)
        + np.einsum("...a,apc->...pc", np.asarray(actions, dtype=np.float64) / MAXIMUM, model.actions)
    )


def mirror_points(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """The mirrored face: (..., 68, 3) canonical points with x -> -x and left and right exchanged."""
    mirrored = points[..., FLIP, :].copy()
    mirrored[..., 0] *= -1.0
    return mirrored


def _whole(half: Half) -> Points:
    """Complete a half written for the person's right side; points on the middle line must not leave it."""
    points = np.zeros((POINTS, 3))
    for point, (x, y, z) in half.items():
        points[point] = (x, y, z)
        if FLIP[point] != point:
            points[FLIP[point]] = (-x, y, z)
    return points
