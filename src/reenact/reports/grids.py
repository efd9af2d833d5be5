"""Picture grids: source, landmarks, generated, target and where they differ."""

import html
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import CLOSED_GROUPS, GROUPS
from reenact.reports.page import picture

Image = NDArray[np.uint8]

LARGEST_ERROR = 96.0  # of 255: the end of the colour scale
_CELL, _GAP = 144, 4
_TITLES = {
    "self": ("source", "landmarks", "generated", "target", "difference"),
    "cross": ("source", "landmarks", "generated", "driver"),
}


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


def grid(samples: Mapping[str, Any], protocol: str) -> Image | None:
    """A row of cells per sample of a protocol; None where there are none. See `evaluate` for the keys."""
    if f"{protocol}_generated" not in samples:
        return None
    columns = {name: samples[f"{protocol}_{name}"] for name in ("source", "landmarks", "generated", "target")}
    rows = []
    for source, landmarks, generated, target in zip(*columns.values(), strict=True):
        cells = [_cell(source), draw_landmarks(landmarks, _CELL), _cell(generated), _cell(target)]
        if protocol == "self":  # a driver is another person: a difference to it would mean nothing
            cells.append(_cell(error_map(generated, target), smooth=False))
        gap = np.full((_CELL, _GAP, 3), 255, np.uint8)
        rows.append(np.hstack([part for cell in cells for part in (cell, gap)][:-1]))
    if not rows:
        return None
    line = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    return np.vstack([part for row in rows for part in (row, line)][:-1])


def grid_html(samples: Mapping[str, Any], protocol: str, *, alt: str) -> str:
    """The grid under its column titles; names of the samples below."""
    image = grid(samples, protocol)
    if image is None:
        return ""
    titles = _TITLES[protocol]
    head = "".join(f"<span>{title}</span>" for title in titles)
    style = f"display:grid;grid-template-columns:repeat({len(titles)},1fr);text-align:center;font-size:12px"
    names = "".join(f"<li>{html.escape(str(name))}</li>" for name in samples.get(f"{protocol}_name", ()))
    return (
        f'<div style="max-width:{image.shape[1]}px"><div class="soft" style="{style}">{head}</div>'
        + picture(image, alt=alt, kind="faces")
        + (colour_bar() if protocol == "self" else "")
        + f'</div><details class="small"><summary>Which frames</summary><ol>{names}</ol></details>'
    )


def colour_bar() -> str:
    """The scale of the difference pictures."""
    ramp = np.repeat(np.linspace(0.0, 1.0, 240, dtype=np.float32)[None], 10, axis=0)
    bar = picture(_viridis(ramp), alt="colour scale", photo=False)
    return f'<p class="small soft">difference: 0 {bar} {LARGEST_ERROR:.0f} of 255, mean over channels</p>'


def _viridis(values: NDArray[np.float32]) -> Image:
    """(H, W) in 0..1 -> RGB."""
    levels = np.round(values * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB), np.uint8)


def _cell(image: Image, *, smooth: bool = True) -> Image:
    how = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(image, (_CELL, _CELL), interpolation=how), np.uint8)
