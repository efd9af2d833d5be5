"""The face as a smooth surface through its landmarks: a thin-plate spline over the unwrapped face.

The unwrapped face is a sheet in mm: u runs around a vertical axis through the head, v down. Landmarks and further
control points have fixed places on it, the same for all people, with the mouth a little open, so that lips and lids
have room to part; what is painted there moves with the skin. In 3D the control points lie where identity and expression
put them, and the surface between follows linearly: one product with a matrix made once.
"""

import functools
import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS
from reenact.rendering.head import HAIRLINE, Camera, Head, pose_head
from reenact.rendering.person import plain_person
from reenact.rendering.raster import grid_faces, grid_normals

Array = NDArray[np.float64]

_OPENINGS = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (60, 61, 62, 63, 64, 65, 66, 67))
AXIS = 60.0  # mm: how far behind the model's origin the axis of the unwrapping lies
RADIUS = 75.0  # mm of u per radian around it
LEFT, TOP, RIGHT, BOTTOM = -140.0, -125.0, 140.0, 150.0  # the sheet, mm


@dataclass(frozen=True)
class Sheet:
    """The fixed part of the surface."""

    u: Array  # (C,) places of the grid's columns, mm
    v: Array  # (R,) of its rows
    weights: NDArray[np.float32]  # (R * C, K) of the control points
    faces: NDArray[np.int64]
    open: Array  # (R, C) how much light reaches a place: less under the jaw
    bone: Array  # (R, C) how closely the skin follows the skull, 0..1


def unwrap(points: Array) -> Array:
    """Template points (..., 3) mm -> places on the sheet (..., 2) mm."""
    angle = np.arctan2(points[..., 0], AXIS - points[..., 2])
    return np.stack([RADIUS * angle, points[..., 1]], axis=-1)


def face_points(head: Head) -> tuple[Array, Array]:
    """The surface as a grid (R, C, 3) mm before pose, and its unit normals."""
    one = sheet()
    product = one.weights @ controls(head).astype(np.float32)  # single precision: twice as fast
    points: Array = product.astype(np.float64).reshape(len(one.v), len(one.u), 3)
    points += one.bone[..., None] * (head.on_skull(points, -0.6) - points)
    return points, grid_normals(points)


def controls(head: Head) -> Array:
    """(K, 3) mm: landmarks, then the points between and around them that the surface also passes through."""
    p = head.points
    arc = head.brow_surface(HAIRLINE[:, 0], -HAIRLINE[:, 1])
    row = head.brow_surface(np.array([-0.72, -0.38, 0.0, 0.38, 0.72]), np.full(5, 0.66))
    above = head.brow_surface(np.array([-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9]), np.full(7, 1.17), -1.0)
    sides = [_side(head, p, *names) for names in (
        (36, 37, 38, 39, 40, 41, 48, 31, 32, 1, 3, 4, 17, 21, 50, -1.0),
        (45, 44, 43, 42, 47, 46, 54, 35, 34, 15, 13, 12, 26, 22, 52, 1.0),
    )]  # fmt: skip
    middle = [
        p[8] + (0, -13, -5.5), 0.5 * p[57] + 0.5 * p[8] + (0, -8, 3.5), 0.55 * p[33] + 0.45 * p[51] + (0, 0, 1.0),
        p[27] + (0, -12, -3.5),
    ]  # fmt: skip
    between = np.concatenate(
        [0.5 * (p[list(ring)] + p[list(ring[1:] + ring[:1])]) + _round(p[list(ring)]) for ring in _OPENINGS]
    )
    return np.concatenate([p, arc, row, above, *sides, np.array(middle), between, _below(p), _behind(head)])


def _round(ring: Array) -> Array:
    """From the middle between two neighbours of a ring (n, 3) to the smooth curve through all (Catmull-Rom)."""
    ahead = np.roll(ring, -1, axis=0)
    return np.asarray((ring + ahead - np.roll(ring, 1, axis=0) - np.roll(ring, -2, axis=0)) / 16.0)


def _side(head: Head, p: Array, outer: int, up1: int, up2: int, inner: int, low2: int, low1: int, corner: int,
          ala: int, wing: int, jaw1: int, jaw3: int, jaw4: int, tail: int, root: int, bow: int,
          sign: float) -> Array:  # fmt: skip
    bulge = 3.0 * head.level("AU12") + 2.5 * head.level("AU06")
    rest = head.rest
    cheek = 0.5 * p[low1] + 0.3 * p[corner] + 0.2 * p[jaw3] + (0, 0.4 - bulge * 0.5, -6 - bulge)
    return np.array([
        cheek,
        0.55 * p[outer] + 0.45 * p[jaw1] + (0, 8, -10),
        0.5 * p[jaw4] + 0.5 * p[corner] + (0, -6, -5),
        p[8] + (sign * 14, -13, -3),
        # The nose's side wall, its wing, and the groove beside it.
        p[27] + (sign * 8.5, 3, 7), p[28] + (sign * 8.0, 0, 8), p[29] + (sign * 9.5, 0, 11),
        p[30] + (sign * 8.0, 0.5, 6.5), p[ala] + (sign * 2.0, -4.5, 0.5), p[ala] + (sign * 6.5, -5.0, 7.5),
        p[ala] + (sign * 4.5, 3.0, 5.5), 0.5 * p[ala] + 0.5 * p[inner] + (sign * 4, 0, 4.5),
        # Around the eye: the fold of the upper lid, the bag below, the bone outside.
        0.55 * rest[up1] + 0.45 * p[up1] + (0, -6.0, 0.0), 0.55 * rest[up2] + 0.45 * p[up2] + (0, -6.0, 0.5),
        0.5 * (p[low1] + p[low2]) + (0, 8.5, 0.0), p[outer] + (sign * 13, -2, 9), p[inner] + (-sign * 5.0, -3.5, -3.5),
        # Beside the mouth.
        p[corner] + (sign * 10, 0, 6.0), 0.5 * p[ala] + 0.5 * p[corner] + (sign * 10, 0, 2.5),
    ])  # fmt: skip


def _below(p: Array) -> Array:
    """Two rows under the jaw line, towards the neck."""
    jaw = p[3:14]
    back = 62.0 - jaw[:, 2]
    near = jaw * (0.84, 1, 1) + np.stack([0 * back, 0 * back + 3.0, 0.24 * back + 4.0], axis=-1)
    far = jaw * (0.62, 1, 1) + np.stack([0 * back, 0 * back + 2.0, 0.66 * back + 6.0], axis=-1)
    return np.concatenate([near, far])


def _behind(head: Head) -> Array:
    """Down the sides, where ears and hair begin."""
    root = head.rest[[0, 16], 1].mean()
    found = []
    for sign in (-1.0, 1.0):
        for down, azimuth in ((-32, 1.72), (-62, 1.72), (-92, 1.72), (-62, 1.35)):
            polar = np.arccos(np.clip((-38.0 - root - down) / (head.person.hairline + 22.0), -1, 1))
            around = np.array(
                [np.sin(polar) * sign * np.sin(azimuth), -np.cos(polar), -np.sin(polar) * np.cos(azimuth)]
            )
            found.append(head.skull(around, -0.5))
        found += [
            np.array([sign * head.half_width * x, root + down, z]) for x, down, z in ((0.99, 0, 74), (0.95, 34, 70))
        ]
    return np.array(found)


@functools.cache
def template() -> Head:
    """The head whose landmarks' places on the sheet are everybody's."""
    actions = np.zeros(len(ACTION_UNITS))
    actions[ACTION_UNITS.index("AU25")], actions[ACTION_UNITS.index("AU26")] = 3.0, 1.0
    return pose_head(plain_person(), actions, np.zeros(3), Camera(1.0, (0.0, 0.0), 1e9))


@functools.cache
def places() -> Array:
    """(K, 2) places of `controls` on the sheet."""
    points = controls(template())
    flat = unwrap(points)
    count = len(points)
    # Under the jaw the sheet runs on outwards, where in 3D it turns back to the neck.
    jaw = flat[:17]
    along = np.gradient(jaw, axis=0)
    outward = np.stack([-along[:, 1], along[:, 0]], -1) / np.linalg.norm(along, axis=1, keepdims=True)
    outward *= np.sign((outward * (jaw - (0.0, -10.0))).sum(axis=1, keepdims=True))
    below = slice(count - 34, count - 12)
    flat[below] = np.concatenate([jaw[3:14] + 14.0 * outward[3:14], jaw[3:14] + 42.0 * outward[3:14]])
    return flat


@functools.cache
def sheet() -> Sheet:
    """The grid and its weights; made once per process (a tenth of a second)."""
    u = _spaced(np.array([(-140, 8), (-66, 3.6), (66, 8), (140, 8)]))
    v = _spaced(np.array([(-125, 8), (-62, 3.8), (-44, 2.2), (-14, 3.4), (30, 2.4), (68, 3.8), (96, 8), (150, 8)]))
    at, where = places(), np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    weights = _spline(at, where)
    outline = cv2.convexHull(at.astype(np.float32))
    middle = np.stack(np.meshgrid((u[1:] + u[:-1]) / 2, (v[1:] + v[:-1]) / 2), axis=-1)
    kept = np.array(
        [
            [cv2.pointPolygonTest(outline, (float(x), float(y)), measureDist=False) > 0 for x, y in line]
            for line in middle
        ]
    )
    kept &= ~((middle[..., 1] < -70) & (np.abs(middle[..., 0]) > 60 + 0.9 * (middle[..., 1] + 150)))  # skull there
    jaw = np.concatenate([at[:17], [(200.0, -200.0), (-200.0, -200.0)]]).astype(np.float32)
    beyond = np.array([-cv2.pointPolygonTest(jaw, (float(x), float(y)), measureDist=True) for x, y in where])
    lit = 1.0 - 0.55 * np.clip(beyond / 10.0, 0, 1).reshape(len(v), len(u))
    high, wide = np.clip((-66.0 - v) / 26.0, 0, 1)[:, None], np.clip((np.abs(u) - 92.0) / 18.0, 0, 1)[None]
    bone = np.maximum(high, wide * np.clip((-24.0 - v) / 14.0, 0, 1)[:, None])
    bone = bone * bone * (3 - 2 * bone)
    return Sheet(u, v, weights.astype(np.float32), grid_faces(len(v), len(u), kept), lit, bone)


def _spaced(stops: Array) -> Array:
    """Positions from the first stop to the last, each stop (place, spacing from there on)."""
    found: list[float] = []
    for (start, step), (end, _) in itertools.pairwise(stops):
        found += list(np.linspace(start, end, max(1, round((end - start) / step)), endpoint=False))
    return np.array([*found, stops[-1, 0]])


def _spline(at: Array, where: Array) -> Array:
    """(N, K) weights of values at `at` (K, 2) for the thin-plate spline at `where` (N, 2) (Bookstein 1989)."""
    count = len(at)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bending(at[:, None] - at[None]) + 0.05 * np.eye(count)
    system[:count, count], system[:count, count + 1 :] = 1.0, at
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, count))
    right[:count] = np.eye(count)
    solved = np.linalg.solve(system, right)
    basis = np.concatenate([_bending(where[:, None] - at[None]), np.ones((len(where), 1)), where], axis=1)
    return np.asarray(basis @ solved)


def _bending(difference: Array) -> Array:
    square = np.square(difference).sum(axis=-1)
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-12)))
