"""Light on the face: broad shading from the mesh's normals, and the fine folds that follow the action units."""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import fixed, smooth
from reenact.rendering.head import Head, mesh_points, normals, triangles

Array = NDArray[np.float64]
Plane = NDArray[np.float32]

_NEUTRAL = 128
# How much less light reaches a landmark because its surroundings shade it.
_OCCLUSION = {
    **dict.fromkeys((37, 38, 43, 44), 0.86), **dict.fromkeys((39, 42), 0.74), **dict.fromkeys((36, 45), 0.90),
    **dict.fromkeys((31, 35), 0.84), **dict.fromkeys((32, 33, 34), 0.78), **dict.fromkeys(range(3, 14), 0.88),
    **dict.fromkeys((57, 58, 56), 0.96), 27: 0.97, 95: 0.86,  # 95: below the lower lip
}  # fmt: skip


@dataclass(frozen=True)
class Light:
    """A far light and the light from all around."""

    direction: Array  # (3,) unit vector towards the light, in the picture's axes
    colour: Array  # (3,) RGB factors
    ambient: float  # 0..1


def face_light(head: Head, light: Light, size: int) -> Plane:
    """(size, size) factors around 1: the light that falls on the face; 1 elsewhere."""
    side = size // 2
    points = mesh_points(head)
    facing = normals(points) @ head.matrix.T @ light.direction
    level = light.ambient + (1.0 - light.ambient) * np.clip(facing, 0, None)
    straight = light.ambient + (1.0 - light.ambient) * max(0.0, -float(light.direction[2]))
    level = level / straight
    for index, share in _OCCLUSION.items():
        level[index] *= share
    placed = head.place(points)
    faces = triangles()
    order = np.argsort(-placed[faces, 2].mean(axis=1), kind="stable")
    corners = fixed(placed[:, :2], 0.5)[faces[order]]
    values = np.clip(level[faces[order]].mean(axis=1) * _NEUTRAL, 1, 255)
    plane = np.zeros((side, side), dtype=np.uint8)
    for triangle, value in zip(corners, values.tolist(), strict=True):
        cv2.fillConvexPoly(plane, triangle, (value,), cv2.LINE_8, 4)
    mask = np.asarray(plane > 0, dtype=np.float32)
    sigma = 2.6 * head.unit  # 5 mm in the half-size plane
    soft, weight = (cv2.GaussianBlur(p, (0, 0), sigma) for p in (plane.astype(np.float32) / _NEUTRAL, mask))
    shade = (soft + 0.02) / (weight + 0.02)
    # Beyond the mesh's border the shading fades to 1.
    shade = 1.0 + (shade - 1.0) * np.minimum(1.0, weight * 2.0)
    return np.asarray(cv2.resize(shade, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def folds(head: Head, size: int) -> Plane:
    """(size, size) factors around 1: wrinkles, creases and highlights."""
    plane = np.full((size, size), _NEUTRAL, dtype=np.uint8)
    pen = _Pen(plane, head)
    age, level = head.person.age, head.level
    points = head.points
    lift = max(level("AU01"), level("AU02"))
    for up in (0.50, 0.64, 0.78):
        across = np.linspace(-0.52, 0.52, 7)
        line = head.brow_surface(across, up + 0.06 * lift + 0.015 * np.cos(across * 5))
        pen.dark(line, 0.05 * age + 0.26 * lift, 1.6)
    frown = max(level("AU04"), 0.7 * level("AU09"))
    for side in (-1.0, 1.0):
        line = np.array([(side * 5.5, -58, -19.5), (side * 5, -50, -20), (side * 6.5, -42, -18.5)])
        pen.dark(line, 0.04 * age + 0.40 * frown, 1.8)
    nose = level("AU09")
    for y in (-27.0, -22.0):
        pen.dark(np.array([(-8, y, -15), (0, y + 2.5, -20), (8, y, -15)]) + (0, 3 * nose, 0), 0.38 * nose, 1.6)
    for side, eye, corner, ala in ((-1.0, (36, 41, 40, 39, 37, 38), 48, 31), (1.0, (45, 46, 47, 42, 44, 43), 54, 35)):
        _around_eye(pen, head, points[list(eye)], side)
        _around_mouth(pen, head, points[corner], points[ala], side)
    _chin(pen, head)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.8 * size / 256), dtype=np.float32) / np.float32(_NEUTRAL)


def _around_eye(pen: "_Pen", head: Head, eye: Array, side: float) -> None:
    outer, low_outer, low_inner, inner, up_outer, up_inner = eye
    age, squint = head.person.age, max(head.level("AU06"), 0.5 * head.level("AU07"))
    for dy, reach in ((-5.0, 12.0), (1.0, 14.0), (7.0, 12.0)):
        start = outer + (side * 4, dy * 0.4, 2)
        pen.dark(np.array([start, start + (side * reach * 0.6, dy * 0.6, 5), start + (side * reach, dy, 10)]),
                 0.05 * age + 0.34 * squint, 1.4)  # fmt: skip
    bag = np.array(
        [inner + (side * 2, 5, 0), low_inner + (0, 6, 0), low_outer + (0, 6.5, 0), outer + (-side * 2, 5, 0)]
    )
    pen.dark(bag, 0.05 + 0.12 * age + 0.24 * max(head.level("AU06"), head.level("AU07")), 1.8)
    crease = np.array([inner + (side * 2, -4, 0), up_inner + (0, -4.2, 0), up_outer + (0, -4.2, 0), outer + (0, -3, 0)])
    crease[1:3, 1] = np.minimum(crease[1:3, 1], head.rest[[38 if side < 0 else 43, 37 if side < 0 else 44], 1] - 3.2)
    pen.dark(crease, 0.30, 1.3)


def _around_mouth(pen: "_Pen", head: Head, corner: Array, ala: Array, side: float) -> None:
    age, level = head.person.age, head.level
    fold = max(level("AU12"), level("AU10"), 0.8 * level("AU09"))
    start = ala + (side * 3, -3, 2)
    end = corner + (side * 6.5, 2 - 5 * level("AU12"), 3)
    middle = 0.5 * (start + end) + (side * (2 + 4 * level("AU12")), -2, -1)
    pen.dark(np.array([start, middle, end]), 0.06 + 0.14 * age + 0.34 * fold, 2.2)
    dimple = level("AU14")
    pen.dark(corner + np.array([(side * 3, -4, 2), (side * 5, 0, 3), (side * 3.5, 5, 2)]), 0.5 * dimple, 2.4)
    stretch = level("AU20")
    for gap in (8.0, 12.0):
        pen.dark(
            corner + np.array([(side * gap, -7, 6), (side * (gap + 1.5), 0, 7), (side * gap, 8, 6)]),
            0.30 * stretch,
            1.6,
        )
    pen.dark(
        corner + np.array([(side * 1, 2, 1), (side * 3, 8, 2), (side * 3, 15, 2)]),
        0.05 * age + 0.42 * level("AU15"),
        2.2,
    )


def _chin(pen: "_Pen", head: Head) -> None:
    chin, lip = head.points[8], head.points[57]
    below = lip + np.array([(-11, 4, 2), (0, 5.5, 1.5), (11, 4, 2)])
    pen.dark(below, 0.18 + 0.2 * head.level("AU17"), 2.6)
    bunch = head.level("AU17")
    for x, y in ((-8.0, -18.0), (0.0, -20.0), (8.0, -18.0), (-4.0, -13.0), (4.0, -13.0)):
        pen.dark(chin + np.array([(x - 2.5, y + 1, -7), (x, y - 1, -8), (x + 2.5, y + 1, -7)]), 0.34 * bunch, 1.4)
    press = head.level("AU23")
    for x in (-9.0, -3.0, 3.0, 9.0):
        pen.dark(head.points[51] + np.array([(x, -1, 0), (x * 1.1, -4.5, 0.5)]), 0.34 * press, 1.2)
        pen.dark(head.points[57] + np.array([(x, 0, 0), (x * 1.1, 3.5, 0.5)]), 0.30 * press, 1.2)


def soft_planes(head: Head, size: int) -> tuple[Plane, Plane]:
    """Two (size, size) planes for the light: `glow`, broad highlights, and `blush`, how much redder the skin is."""
    p, level = head.points, head.level
    half = size // 2
    glow, blush = np.zeros((half, half), dtype=np.uint8), np.zeros((half, half), dtype=np.uint8)
    bright, red = _Pen(glow, head, 0.5), _Pen(blush, head, 0.5)
    bright.add(p[[27, 28, 29]], 0.10, 4.0)
    bright.add(p[[29, 30]] + (0, 1, 0), 0.26, 7.0)
    bright.add(head.brow_surface(np.linspace(-0.35, 0.35, 5), np.full(5, 0.55)), 0.10, 16.0)
    bright.add(p[[8, 8]] + np.array([(-4, -12, -8), (4, -12, -8)]), 0.12, 9.0)
    red.add(p[[29, 30]] + (0, 1, 0), 0.10, 12.0)
    rounded = max(level("AU12"), level("AU06"))
    for side, eye, corner in ((-1.0, 41, 48), (1.0, 46, 54)):
        apple = 0.6 * p[eye] + 0.4 * p[corner] + (side * 9, 0, -3)
        line = apple + np.array([(-side * 6, 1, 0), (0, 0, 0), (side * 6, -1, 2)])
        bright.add(line, 0.12 + 0.16 * rounded, 11.0)
        red.add(line + (0, 2, 0), 0.16 + 0.10 * rounded, 17.0)
    sigma = 3.0 * head.unit
    planes = [cv2.resize(cv2.GaussianBlur(plane, (0, 0), sigma), (size, size)) for plane in (glow, blush)]
    return np.asarray(planes[0] / 255, dtype=np.float32), np.asarray(planes[1] / 255, dtype=np.float32)


class _Pen:
    """Draws soft lines given in head points on a plane of factors."""

    def __init__(self, plane: NDArray[np.uint8], head: Head, factor: float = 1.0) -> None:
        self.plane, self.head, self.factor = plane, head, factor

    def dark(self, line: Array, depth: float, width: float) -> None:
        """A crease: `depth` 0..1 of the light is lost in it, `width` mm."""
        self._draw(line, -depth, width)

    def add(self, line: Array, amount: float, width: float) -> None:
        """On a plane that starts at 0: a soft line of an amount 0..1."""
        self._line(line, 255 * amount, width)

    def _draw(self, line: Array, change: float, width: float) -> None:
        if abs(change) >= 0.02:
            self._line(line, _NEUTRAL * (1 + max(change, -0.75)), width)

    def _line(self, line: Array, value: float, width: float) -> None:
        flat = self.head.flat(np.asarray(line, dtype=np.float64))
        curve = fixed(smooth(flat, steps=4), self.factor)
        thickness = max(1, round(width * self.head.unit * self.factor))
        cv2.polylines(self.plane, [curve], False, (float(np.clip(value, 0, 255)),), thickness, cv2.LINE_AA, 4)
