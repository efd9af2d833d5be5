"""Pictures made for looking at: where two differ, and landmarks as lines."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import CLOSED_GROUPS, GROUPS
from reenact.reports.page import picture

Image = NDArray[np.uint8]

LARGEST_ERROR = 96.0  # of 255: the end of the colour scale


def error_map(generated: Image, target: Image) -> Image:
    """(H, W, 3) viridis picture of the mean over channels of |generated - target|, 0..LARGEST_ERROR of 255."""
    difference = np.abs(generated.astype(np.float32) - target.astype(np.float32)).mean(axis=2)
    return _viridis(np.clip(difference / LARGEST_ERROR, 0.0, 1.0))


def draw_landmarks(landmarks: NDArray[np.floating], side: int) -> Image:
    """(68, 2) crop coordinates as lines on a dark square of `side` pixels."""
    canvas = np.full((side, side, 3), 24, np.uint8)
    # OpenCV counts from pixel centres; 3 bits of fraction keep small faces from shaking.
    points = np.round((landmarks * side - 0.5) * 8).astype(np.int32)
    for name, group in GROUPS.items():
        line = [points[list(group)].reshape(-1, 1, 2)]
        cv2.polylines(canvas, line, name in CLOSED_GROUPS, (120, 200, 255), max(1, side // 110), cv2.LINE_AA, shift=3)
    return canvas


def colour_bar() -> str:
    """The scale of the difference pictures."""
    ramp = np.repeat(np.linspace(0.0, 1.0, 240, dtype=np.float32)[None], 10, axis=0)
    bar = picture(_viridis(ramp), alt="colour scale", photo=False)
    return f'<p class="small soft">difference: 0 {bar} {LARGEST_ERROR:.0f} of 255, mean over channels</p>'


def _viridis(values: NDArray[np.float32]) -> Image:
    """(H, W) in 0..1 -> RGB."""
    levels = np.round(values * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8)
