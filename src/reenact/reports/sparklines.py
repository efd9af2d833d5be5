"""A value over a clip's time as a small drawing inside the page: many of them side by side, in a few hundred bytes."""

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT = 150, 36
_POINTS = 120  # of a line: more can't be seen


def sparkline(
    name: str, values: NDArray[np.floating], *, low: float, high: float, marks: Sequence[int] = (), digits: int = 1
) -> str:
    """An SVG line of (N,) values between `low` and `high` under its name and range; gaps where one is not a number.

    `marks` are frames, counted from 0, that get a thin upright line. A single value is a dot.
    """
    finite = values[np.isfinite(values)]
    seen = f"{finite.min():.{digits}f} to {finite.max():.{digits}f}" if len(finite) else "no values"
    title = f"<span>{html.escape(name)}</span> <span>{seen}</span>"
    across = _WIDTH / max(len(values) - 1, 1)
    upright = "".join(f"M{mark * across:.0f} 0V{_HEIGHT}" for mark in marks)
    line = _line(_thinned(values), low, high)
    return (
        f'<div class="spark"><div>{title}</div><svg viewBox="0 -2 {_WIDTH} {_HEIGHT + 4}" preserveAspectRatio="none">'
        f'<path class="marks" d="{upright}"/><path class="line" d="{line}"/></svg></div>'
    )


def _line(values: NDArray[np.floating], low: float, high: float) -> str:
    """The path's commands; a stretch between gaps begins with a move."""
    down = _HEIGHT * (1.0 - (np.clip(values, low, high) - low) / max(high - low, 1e-9))
    across = np.linspace(0, _WIDTH, len(values)) if len(values) > 1 else np.array([_WIDTH / 2])
    parts, drawing = [], False
    for x, y in zip(across, down, strict=True):
        if not np.isfinite(y):
            drawing = False
            continue
        # A stretch of one point has no length: a hair of a line makes its round ends visible.
        parts.append(f"L{x:.0f} {y:.1f}" if drawing else f"M{x:.0f} {y:.1f}h.1")
        drawing = True
    return "".join(parts)


def _thinned(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """At most _POINTS values: of each stretch the one farthest from the median, so that no peak is lost."""
    if len(values) <= _POINTS or not np.isfinite(values).any():
        return values
    middle = np.nanmedian(values)
    parts = np.array_split(np.asarray(values, dtype=np.float64), _POINTS)
    return np.array(
        [part[np.nanargmax(np.abs(part - middle))] if np.isfinite(part).any() else np.nan for part in parts]
    )
