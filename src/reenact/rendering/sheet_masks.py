"""Where on the unwrapped face what is painted: masks that are the same for all people, made once per process.

The sheet has DENSITY texels per mm; a mask is float32 (HEIGHT, WIDTH), 0..1.
"""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import fixed, smooth
from reenact.rendering.surface import BOTTOM, LEFT, RIGHT, TOP, template, unwrap

Array = NDArray[np.float64]
Mask = NDArray[np.float32]

DENSITY = 2.0
WIDTH, HEIGHT = round((RIGHT - LEFT) * DENSITY), round((BOTTOM - TOP) * DENSITY)
EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
SIDES = (-1.0, 1.0)


def texels(points: Array) -> Array:
    """Template points (n, 3) mm -> texels (n, 2)."""
    return (unwrap(np.asarray(points, dtype=np.float64)) - (LEFT, TOP)) * DENSITY


def area(points: Array, blur: float = 0.5, *, closed: bool = True) -> Mask:
    """The inside of a smooth outline through template points; `blur` in mm."""
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    flat = texels(points)
    cv2.fillPoly(plane, [fixed(smooth(flat, closed=True) if closed else flat, 1.0)], (255,), cv2.LINE_AA, 4)
    return _soft(plane, blur)


def lines(curves: Sequence[Array], width: float, blur: float = 0.5) -> Mask:
    """Smooth curves through template points, of a width in mm."""
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    for curve in curves:
        flat = fixed(smooth(texels(curve)), 1.0)
        cv2.polylines(plane, [flat], False, (255,), max(1, round(width * DENSITY)), cv2.LINE_AA, 4)
    return _soft(plane, blur)


def spots(points: Sequence[Array] | Array, radius: float) -> Mask:
    """Soft round spots about template points; `radius` in mm, where a spot has fallen to 0.6."""
    found = np.zeros((HEIGHT, WIDTH), np.float32)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for u, v in texels(np.asarray(points)):
        square = (x - np.float32(u)) ** 2 + (y - np.float32(v)) ** 2
        found = np.maximum(found, np.exp(-square / np.float32(2 * (radius * DENSITY) ** 2)))
    return found


def _soft(plane: NDArray[np.uint8], blur: float) -> Mask:
    values = plane.astype(np.float32) / 255
    return np.asarray(cv2.GaussianBlur(values, (0, 0), blur * DENSITY) if blur > 0 else values, dtype=np.float32)


@functools.cache
def mask(name: str) -> Mask:
    """A mask by its name, read-only."""
    made = _MAKERS[name]()
    made.flags.writeable = False
    return made


def _holes() -> Mask:
    p = template().points
    eyes = [area(p[list(lids)], 0.25) for lids in EYES]
    return np.asarray(np.clip(eyes[0] + eyes[1] + area(p[60:68], 0.25), 0, 1))


def _upper_lip() -> Mask:
    p = template().points
    return area(np.concatenate([smooth(p[48:55]), smooth(p[[64, 63, 62, 61, 60]])]), 0.45, closed=False)


def _lower_lip() -> Mask:
    p = template().points
    return area(np.concatenate([smooth(p[[54, 55, 56, 57, 58, 59, 48]]), smooth(p[[60, 67, 66, 65, 64]])]), 0.45,
                closed=False)  # fmt: skip


def _lip_edge() -> Mask:
    p = template().points
    return lines([p[[*range(48, 60), 48]]], 1.0, 0.5)


def _mouth_line() -> Mask:
    p = template().points
    return np.maximum(lines([p[[60, 61, 62, 63, 64, 65, 66, 67, 60]]], 1.1, 0.35), spots(p[[48, 54]], 1.3))


def _lashes() -> Mask:
    """Along the upper lids, a little beyond the outer corners."""
    p = template().points
    return lines([p[list(lids)] + (0, -0.5, 0) for lids in ((36, 37, 38, 39), (42, 43, 44, 45))], 1.6, 0.3)


def _lower_lashes() -> Mask:
    p = template().points
    return lines([p[list(lids)] + (0, 0.4, 0) for lids in ((36, 41, 40, 39), (42, 47, 46, 45))], 0.9, 0.4)


def _creases() -> Mask:
    """The fold of the upper lids."""
    p, shift = template().points, np.array([(1.5, -4.0, 0), (0, -4.6, 0), (0, -4.8, 0), (2.0, -3.5, 1)])
    return lines([p[[39, 38, 37, 36]] + shift * (-1, 1, 1), p[[42, 43, 44, 45]] + shift], 1.1, 0.7)


def _lids() -> Mask:
    """The upper lids between lashes and fold."""
    p, shift = template().points, np.array([(0, -3, 0), (0, -5, 0), (0, -5, 0), (0, -3, 0)])
    right, left = (area(np.concatenate([p[up], p[up][::-1] + shift]), 1.0) for up in (slice(36, 40), slice(42, 46)))
    return np.asarray(np.clip(right + left, 0, 1), dtype=np.float32)


def _sockets() -> Mask:
    """Where the brow's bone shades: the inner corners most, and under the eyes."""
    p = template().points
    inner = spots([p[39] + (3.5, -5, 0), p[42] + (-3.5, -5, 0)], 6.0)
    above = spots([0.6 * p[37] + 0.4 * p[19], 0.6 * p[44] + 0.4 * p[24], 0.6 * p[38] + 0.4 * p[20],
                   0.6 * p[43] + 0.4 * p[23]], 5.5)  # fmt: skip
    below = spots([p[40] + (0, 7, 0), p[47] + (0, 7, 0), p[41] + (0, 7.5, 0), p[46] + (0, 7.5, 0)], 4.5)
    return np.asarray(np.clip(inner + 0.55 * above + 0.5 * below, 0, 1.2))


def _nostrils() -> Mask:
    p = template().points
    return np.maximum(*(
        area(p[hole] + (side * 0.9, -1.4, 0) + np.array([
            (-3.6, 0.2, 1), (-1.8, -1.7, 0), (1.4, -1.6, 0), (3.4, 0.2, 0), (1.2, 1.1, 0), (-2.0, 1.1, 0),
        ]) * (-side, 1, 1), 0.45)
        for hole, side in ((32, -1.0), (34, 1.0))
    ))  # fmt: skip


def _nose_shade() -> Mask:
    """The grooves beside the wings and the underside."""
    p = template().points
    groove = np.array([(1.5, -9, 0), (4.0, -5.5, 0), (3.8, -1.0, 0), (1.0, 1.5, 0)])
    grooves = [p[31] + groove * (-1, 1, 1), p[35] + groove]
    under = lines([p[31:36] + (0, 0.6, 0)], 1.6, 0.8)
    return np.asarray(np.clip(0.75 * lines(grooves, 1.4, 0.9) + 0.9 * under, 0, 1))


def _nose_walls() -> Mask:
    p = template().points
    wall = np.array([(9, 2, 4), (9, 0, 6), (10, 0, 8), (11, -3, 8)])
    return lines([p[27:31] + wall * (side, 1, 1) for side in SIDES], 3.0, 2.6)


def _below_lip() -> Mask:
    p = template().points
    return lines([p[57] + np.array([(-11, 3.5, 2), (0, 5.0, 1.5), (11, 3.5, 2)])], 3.0, 1.6)


def _blush() -> Mask:
    p = template().points
    cheeks = spots([0.55 * p[41] + 0.45 * p[48] + (-9, -1, 0), 0.55 * p[46] + 0.45 * p[54] + (9, -1, 0)], 13.0)
    return np.asarray(np.clip(cheeks + 0.8 * spots([p[30]], 7.0) + 0.4 * spots([p[8] + (0, -8, 0)], 10.0), 0, 1.2))


def _beard() -> Mask:
    p = template().points
    cheek = np.array([
        p[14] + (0, -6, 0), 0.75 * p[14] + 0.25 * p[54] + (0, 7, 0), 0.45 * p[13] + 0.55 * p[54] + (2, 5, 0),
        p[54] + (4, 0, 0), p[55] + (3, 4, 0), p[57] + (0, 6, 0), p[59] + (-3, 4, 0), p[48] + (-4, 0, 0),
        0.45 * p[3] + 0.55 * p[48] + (-2, 5, 0), 0.75 * p[2] + 0.25 * p[48] + (0, 7, 0), p[2] + (0, -6, 0),
    ])  # fmt: skip
    outer = (unwrap(p[2:15]) - (0.0, -10.0)) * (1.12, 1.18) + (0.0, -10.0)
    flat = np.concatenate([(outer - (LEFT, TOP)) * DENSITY, texels(smooth(cheek))])
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(plane, [fixed(flat, 1.0)], (255,), cv2.LINE_AA, 4)
    return _soft(plane, 2.2)


def _moustache() -> Mask:
    p = template().points
    above = np.array([p[48] + (-2, 1, 0), p[31] * 0.45 + p[49] * 0.55, p[33] * 0.6 + p[51] * 0.4,
                      p[35] * 0.45 + p[53] * 0.55, p[54] + (2, 1, 0)])  # fmt: skip
    return area(np.concatenate([smooth(above), smooth(p[[54, 53, 52, 51, 50, 49, 48]])]), 0.8, closed=False)


_MAKERS = {
    "holes": _holes, "upper_lip": _upper_lip, "lower_lip": _lower_lip, "lip_edge": _lip_edge,
    "mouth_line": _mouth_line, "lashes": _lashes, "lower_lashes": _lower_lashes, "creases": _creases, "lids": _lids,
    "sockets": _sockets, "nostrils": _nostrils, "nose_shade": _nose_shade, "nose_walls": _nose_walls,
    "below_lip": _below_lip, "blush": _blush, "beard": _beard, "moustache": _moustache,
}  # fmt: skip
