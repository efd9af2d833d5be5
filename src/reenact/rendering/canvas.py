"""Painting on one frame: anti-aliased shapes on a supersampled picture.

Coordinates are those of the final video picture: pixel (i, j) has its centre at (j + 0.5, i + 0.5). Colours are RGB
0..255.
"""

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]
Colour = Sequence[float] | NDArray[np.floating]
BACKGROUND, FACE, HAIR = 0, 1, 2

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


class Canvas:
    """A picture while it is drawn on."""

    def __init__(self, pixels: NDArray[np.uint8], factor: float) -> None:
        """`pixels`: uint8 (S * factor, S * factor, 3) for a picture of side S; they are drawn on, not copied."""
        self.pixels = pixels
        self.factor = factor
        self._corner = np.zeros(2, dtype=np.int64)  # of the part that is drawn on, see `inside`

    def fill(self, outline: Points, colour: Colour) -> None:
        """Fill a polygon (n, 2)."""
        cv2.fillPoly(self.pixels, [self._fixed(outline)], _rgb(colour), cv2.LINE_AA, _SHIFT)

    def shade(self, line: Points, share: float, width: float) -> None:
        """Let only a share of the light through along a line (n, 2), soft at its edges; width in final pixels."""
        box = self._box(line, 2 * width)
        if box is None:
            return
        part = self.pixels[box]
        mask = np.zeros(part.shape[:2], dtype=np.uint8)
        corner = np.array([box[1].start, box[0].start]) * 2**_SHIFT
        thickness = max(1, round(width * self.factor))
        cv2.polylines(
            mask, [self._fixed(line) - corner.astype(np.int32)], False, (255,), thickness, cv2.LINE_AA, _SHIFT
        )
        soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.4 * width * self.factor))
        left = cv2.convertScaleAbs(soft, alpha=share - 1.0, beta=255.0)
        part[:] = cv2.multiply(part, cv2.merge([left, left, left]), scale=1 / 255)

    def stroke(self, line: Points, colour: Colour, width: float, *, closed: bool = False) -> None:
        """Draw a line (n, 2) of a width in final pixels."""
        thickness = max(1, round(width * self.factor))
        cv2.polylines(self.pixels, [self._fixed(line)], closed, _rgb(colour), thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: Points, radius: float, colour: Colour) -> None:
        """A filled circle; `radius` in final pixels."""
        x, y = self._fixed(np.asarray(centre)[None])[0]
        cv2.circle(
            self.pixels, (int(x), int(y)), int(radius * self.factor * 2**_SHIFT), _rgb(colour), -1, cv2.LINE_AA, _SHIFT
        )

    def inside(self, outline: Points, paint: Callable[[], None], opacity: float = 1.0) -> None:
        """Let `paint` draw on this canvas, but keep of it only what falls inside a polygon, at an opacity 0..1."""
        box = self._box(outline)
        if box is None:
            return
        whole, corner = self.pixels, self._corner
        before = whole[box]
        self.pixels = before.copy()
        self._corner = np.array([box[1].start, box[0].start])
        try:
            paint()
            mask = np.zeros(before.shape[:2], dtype=np.uint8)
            cv2.fillPoly(mask, [self._fixed(outline)], (round(255 * opacity),), cv2.LINE_AA, _SHIFT)
            weight = cv2.merge([mask, mask, mask])
            painted = cv2.multiply(self.pixels, weight, scale=1 / 255)
            whole[box] = cv2.add(painted, cv2.multiply(before, 255 - weight, scale=1 / 255))
        finally:
            self.pixels, self._corner = whole, corner

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        return fixed(points, self.factor) - (self._corner * 2**_SHIFT).astype(np.int32)

    def _box(self, outline: Points, margin: float = 0.0) -> tuple[slice, slice] | None:
        side = self.pixels.shape[0]
        low = np.clip(np.floor((outline.min(axis=0) - margin) * self.factor).astype(int) - 2, 0, side)
        high = np.clip(np.ceil((outline.max(axis=0) + margin) * self.factor).astype(int) + 2, 0, side)
        if (high <= low).any():
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def fixed(points: Points, factor: float) -> NDArray[np.int32]:
    """Final-picture coordinates -> OpenCV's fixed point numbers on a picture `factor` times as large."""
    return np.round((np.asarray(points) * factor - 0.5) * 2**_SHIFT).astype(np.int32)


def smooth(points: Points, *, closed: bool = False, steps: int = 5) -> NDArray[np.float64]:
    """A Catmull-Rom curve through (n, d) points."""
    return _catmull_rom(len(points), closed, steps) @ points


def mix(first: Colour, second: Colour, share: float) -> NDArray[np.float64]:
    """`share` 0 gives the first colour, 1 the second."""
    return np.asarray(first, dtype=np.float64) * (1.0 - share) + np.asarray(second, dtype=np.float64) * share


def _rgb(colour: Colour) -> tuple[float, float, float]:
    r, g, b = (min(255.0, max(0.0, float(c))) for c in colour)
    return r, g, b


@functools.cache
def _catmull_rom(count: int, closed: bool, steps: int) -> NDArray[np.float64]:
    """Matrix that maps control points to curve points; open curves repeat their ends."""
    spans = count if closed else count - 1
    rows = []
    for span in range(spans):
        for step in range(steps):
            t = step / steps
            weights = (
                0.5 * (-t + 2 * t**2 - t**3),
                0.5 * (2 - 5 * t**2 + 3 * t**3),
                0.5 * (t + 4 * t**2 - 3 * t**3),
                0.5 * (-(t**2) + t**3),
            )
            row = np.zeros(count)
            for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
                index = span + offset
                row[index % count if closed else min(max(index, 0), count - 1)] += weight
            rows.append(row)
    if not closed:
        rows.append(np.eye(count)[-1])
    return np.stack(rows)
