"""Wrinkles: creases of the skin that come with age and with action units, as maps on the unwrapped face."""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.head import Head
from reenact.rendering.sheet_masks import HEIGHT, SIDES, WIDTH, Mask, lines, spots
from reenact.rendering.surface import template

Array = NDArray[np.float64]


def at_rest(age: float) -> Mask:
    """(HEIGHT, WIDTH) share of the light lost in the lines of a face at rest."""
    depth = {"forehead": 0.16, "frown": 0.12, "crow": 0.16, "bags": 0.20, "nasolabial": 0.26, "marionette": 0.14}
    total = np.zeros((HEIGHT, WIDTH), np.float32)
    for name, most in depth.items():
        floor = {"bags": 0.05, "nasolabial": 0.05}.get(name, 0.0)
        total += _map(name) * np.float32(floor + most * max(0.0, age - 0.15))
    return total


def moving(head: Head) -> Mask:
    """(HEIGHT // 2, WIDTH // 2) share of the light lost in what the action units fold, negative on the ridges."""
    names, maps = _stack()
    level = head.level
    depth = {
        "forehead": 0.34 * min(1.0, 0.8 * level("AU01") + 0.6 * level("AU02")),
        "forehead_sides": 0.30 * level("AU02"), "forehead_middle": 0.30 * level("AU01"),
        "frown": 0.52 * max(level("AU04"), 0.5 * level("AU09")), "nose": 0.46 * level("AU09"),
        "crow": 0.36 * max(level("AU06"), 0.35 * level("AU07")), "bags": 0.40 * max(level("AU06"), 0.6 * level("AU07")),
        "squint": 0.44 * level("AU07"),
        "nasolabial": 0.36 * max(level("AU12"), 0.9 * level("AU10"), 0.8 * level("AU09"), 0.5 * level("AU06")),
        "dimple": 0.62 * level("AU14"), "marionette": 0.46 * level("AU15"), "stretch": 0.36 * level("AU20"),
        "chin": 0.32 * level("AU17"), "purse": 0.42 * level("AU23"), "cheek": 0.30 * level("AU06"),
    }  # fmt: skip
    amounts = np.array([depth[name] for name in names], np.float32)
    return np.asarray(amounts @ maps.reshape(len(names), -1)).reshape(maps.shape[1:])


_NAMES = ("forehead", "forehead_sides", "forehead_middle", "frown", "nose", "crow", "bags", "squint", "nasolabial",
          "dimple", "marionette", "stretch", "chin", "purse", "cheek")  # fmt: skip


@functools.cache
def _stack() -> tuple[tuple[str, ...], Mask]:
    maps = [cv2.resize(_map(name), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA) for name in _NAMES]
    return _NAMES, np.stack(maps)


@functools.cache
def _map(name: str) -> Mask:
    """Dark in the crease, and a little brighter beside it, where the skin bulges."""
    if name == "cheek":
        return _cheek()
    curves, width = _CURVES[name]()
    crease = lines(curves, width, 0.45 * width)
    ridge = cv2.GaussianBlur(crease, (0, 0), 3.2 * width)
    found = np.asarray(crease - 0.9 * ridge, dtype=np.float32)
    found.flags.writeable = False
    return found


def _cheek() -> Mask:
    """The apple of the cheek catches light when it is raised; below it lies its shadow."""
    p = template().points
    found = np.zeros((HEIGHT, WIDTH), np.float32)
    for eye, corner, side in ((41, 48, -1.0), (46, 54, 1.0)):
        apple = 0.66 * p[eye] + 0.34 * p[corner] + (side * 10, 0, 0)
        found += 0.7 * spots([apple + (0, 13, 0)], 6.0) - 0.8 * spots([apple], 6.0)
    return found


def _forehead() -> tuple[list[Array], float]:
    across = np.linspace(-0.5, 0.5, 7)
    return [template().brow_surface(across, up + 0.018 * np.cos(across * 5 + up * 9)) for up in (0.44, 0.57, 0.70)], 1.5


def _forehead_sides() -> tuple[list[Array], float]:
    found = []
    for side in SIDES:
        across = side * np.linspace(0.42, 0.74, 4)
        found += [
            template().brow_surface(across, up + 0.05 * np.cos((np.abs(across) - 0.55) * 6))
            for up in (0.36, 0.46, 0.56)
        ]
    return found, 1.5


def _forehead_middle() -> tuple[list[Array], float]:
    across = np.linspace(-0.22, 0.22, 5)
    return [template().brow_surface(across, up - 0.03 * np.cos(across * 10)) for up in (0.36, 0.46, 0.56)], 1.5


def _frown() -> tuple[list[Array], float]:
    return [np.array([(side * 6.5, -60, -19.5), (side * 5, -51, -20), (side * 6.5, -41, -18.5)]) for side in SIDES], 1.7


def _nose() -> tuple[list[Array], float]:
    across = [np.array([(-8, y, -13), (0, y + 2.0, -19), (8, y, -13)]) for y in (-27.0, -21.0)]
    return across + [np.array([(side * 9, -20, -11), (side * 12, -9, -13), (side * 15, 0, -12)]) for side in SIDES], 1.6


def _crow() -> tuple[list[Array], float]:
    p, found = template().points, []
    for outer, side in ((36, -1.0), (45, 1.0)):
        for dy, reach in ((-7.0, 12.0), (-1.0, 14.0), (5.0, 14.0), (11.0, 12.0)):
            start = p[outer] + (side * 4.5, dy * 0.35, 2)
            found.append(np.array([start, start + (side * reach * 0.55, dy * 0.5, 6), start + (side * reach, dy, 11)]))
    return found, 1.2


def _bags() -> tuple[list[Array], float]:
    return _below_eyes(5.0, 7.5, 8.0, 6.0), 1.8


def _squint() -> tuple[list[Array], float]:
    return _below_eyes(2.5, 3.4, 3.6, 2.5), 1.2


def _below_eyes(*gaps: float) -> list[Array]:
    """Curves so many mm below the inner corners, the lower lids' two points, the outer corners."""
    p = template().points
    shift = np.array([(1.0, gaps[0], 0), (0.0, gaps[1], 0), (1.0, gaps[2], 0), (1.0, gaps[3], 0)])
    return [p[[39, 40, 41, 36]] + shift * (-1, 1, 1), p[[42, 47, 46, 45]] + shift]


def _nasolabial() -> tuple[list[Array], float]:
    p = template().points
    found = []
    for ala, corner, side in ((p[31], p[48], -1.0), (p[35], p[54], 1.0)):
        middle = 0.5 * ala + 0.5 * corner + (side * 12, 0, 3)
        found.append(np.array([
            ala + (side * 6, -6, 3), ala + (side * 10, 3, 4), middle, corner + (side * 9.5, -1, 4),
            corner + (side * 9, 6, 5),
        ]))  # fmt: skip
    return found, 2.2


def _dimple() -> tuple[list[Array], float]:
    p = template().points
    return [p[corner] + np.array([(side * 2.5, -6, 2), (side * 5, 0, 3), (side * 3.0, 6, 2)])
            for corner, side in ((48, -1.0), (54, 1.0))], 2.4  # fmt: skip


def _marionette() -> tuple[list[Array], float]:
    p = template().points
    return [p[corner] + np.array([(side * 1.5, 3, 1), (side * 4, 9, 2), (side * 4.5, 17, 3)])
            for corner, side in ((48, -1.0), (54, 1.0))], 2.2  # fmt: skip


def _stretch() -> tuple[list[Array], float]:
    p = template().points
    return [p[corner] + np.array([(side * gap, -8, 5), (side * (gap + 2.0), 0, 6), (side * gap, 9, 5)])
            for corner, side in ((48, -1.0), (54, 1.0)) for gap in (7.0, 11.0, 15.0)], 1.6  # fmt: skip


def _chin() -> tuple[list[Array], float]:
    chin = template().points[8]
    spots_ = ((-9.0, -17.0), (0.0, -19.0), (9.0, -17.0), (-5.0, -12.0), (5.0, -12.0), (0.0, -8.0))
    return [chin + np.array([(x - 2.8, y + 1.2, -7), (x, y - 1, -8), (x + 2.8, y + 1.2, -7)]) for x, y in spots_] + [
        template().points[57] + np.array([(-12, 4.5, 2), (0, 6.0, 1.5), (12, 4.5, 2)])
    ], 1.5


def _purse() -> tuple[list[Array], float]:
    p, found = template().points, []
    for x in (-13.0, -8.0, -3.0, 3.0, 8.0, 13.0):
        found.append(p[51] + np.array([(x * 0.9, -0.5, 0), (x * 1.05, -7.0, 0.5)]))
        found.append(p[57] + np.array([(x * 0.9, 0.5, 0), (x * 1.05, 6.0, 0.5)]))
    return found, 1.2


_CURVES = {
    "forehead": _forehead, "forehead_sides": _forehead_sides, "forehead_middle": _forehead_middle, "frown": _frown,
    "nose": _nose, "crow": _crow, "bags": _bags, "squint": _squint, "nasolabial": _nasolabial, "dimple": _dimple,
    "marionette": _marionette, "stretch": _stretch, "chin": _chin, "purse": _purse,
}  # fmt: skip
