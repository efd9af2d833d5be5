"""The square that the networks look at, and how points and turns go with it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.labelling.backend import Box, Gray

# The networks see this many sides of the face box: a box ends at brows and chin, and an opened mouth leaves it.
VIEW = 1.35


def view_of(box: Box) -> Box:
    """The square view around a face box, in the box's unit."""
    x, y = box.centre
    half = VIEW * box.side / 2
    return Box(x - half, y - half, x + half, y + half)


def cut_view(gray: Gray, view: Box, size: int) -> Gray:
    """The part of a (H, W) picture inside a square as (size, size); beyond the border its last pixels repeat."""
    shrink = 2.0 * size / view.side
    near = _inside(gray, view)
    if shrink >= 1.0 or near is None:
        return _sampled(gray, view, size)
    # Bilinear sampling alone would skip pixels: first the surroundings at twice the size asked for.
    part, dx, dy = near
    whole = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
    small = np.asarray(cv2.resize(part, whole, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    fx, fy = whole[0] / part.shape[1], whole[1] / part.shape[0]
    return _sampled(
        small, Box((view.x0 - dx) * fx, (view.y0 - dy) * fy, (view.x1 - dx) * fx, (view.y1 - dy) * fy), size
    )


def sampling_matrix(view: Box, size: int) -> NDArray[np.float64]:
    """(2, 3) for cv2.warpAffine with WARP_INVERSE_MAP: where in the picture each pixel of the view lies."""
    step_x, step_y = (view.x1 - view.x0) / size, (view.y1 - view.y0) / size
    # Pixel i's centre lies at i + 0.5 here, at i in OpenCV.
    return np.array([[step_x, 0.0, view.x0 + 0.5 * step_x - 0.5], [0.0, step_y, view.y0 + 0.5 * step_y - 0.5]])


def mean_depth_removed(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 68, 3) with the mean of z at 0: how far away a face is can't be seen in a crop."""
    moved = points.copy()
    moved[..., 2] -= points[..., 2].mean(axis=-1, keepdims=True)
    return moved


def _inside(gray: Gray, view: Box) -> tuple[Gray, int, int] | None:
    height, width = gray.shape
    x0, y0 = max(0, int(view.x0) - 4), max(0, int(view.y0) - 4)
    x1, y1 = min(width, int(view.x1) + 5), min(height, int(view.y1) + 5)
    return (gray[y0:y1, x0:x1], x0, y0) if x1 - x0 >= 8 and y1 - y0 >= 8 else None


def _sampled(gray: Gray, view: Box, size: int) -> Gray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = sampling_matrix(view, size)
    return np.asarray(
        cv2.warpAffine(gray, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )
