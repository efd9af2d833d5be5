"""What single frames can't show: flicker against the true video, and landmarks that tremble.

Values stand at frames whose predecessors in the sequence were drawn too; the first of a sequence has none.
"""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric, Views
from reenact.faces.landmarks import outer_eye_distance

Previous = NDArray[np.intp]


def temporal_error(
    generated: NDArray[np.floating], truth: NDArray[np.floating], previous: Previous
) -> NDArray[np.float64]:
    """mean |(g_t - g_{t-1}) - (y_t - y_{t-1})| over pixels and channels: (N, H, W, 3) x 2 in 0..1 -> (N,)."""
    result = np.full(len(generated), np.nan)
    for row in np.flatnonzero(previous >= 0):
        before = previous[row]
        change = generated[row].astype(np.float64) - generated[before]
        result[row] = np.abs(change - (truth[row].astype(np.float64) - truth[before])).mean()
    return result


def jitter(landmarks: NDArray[np.floating], previous: Previous) -> NDArray[np.float64]:
    """mean |l_{t+1} - 2 l_t + l_{t-1}| in outer eye distances of l_t, at t + 1: (N, 68, 2) -> (N,)."""
    points = np.asarray(landmarks, dtype=np.float64)
    before = np.where(previous >= 0, previous, 0)
    rows = np.flatnonzero((previous >= 0) & (previous[before] >= 0))
    middle, first = previous[rows], previous[previous[rows]]
    bend = np.linalg.norm(points[rows] - 2 * points[middle] + points[first], axis=-1).mean(axis=-1)
    result = np.full(len(points), np.nan)
    result[rows] = bend / outer_eye_distance(points[middle])
    return result


def flicker(pictures: NDArray[np.floating], previous: Previous) -> NDArray[np.float64]:
    """mean |x_{t+1} - 2 x_t + x_{t-1}| over pixels and channels, at t + 1: (N, H, W, 3) in 0..1 -> (N,)."""
    result = np.full(len(pictures), np.nan)
    for row in np.flatnonzero(previous >= 0):
        middle = previous[row]
        if previous[middle] >= 0:
            last, first = pictures[row].astype(np.float64), pictures[previous[middle]].astype(np.float64)
            result[row] = np.abs(last - 2 * pictures[middle].astype(np.float64) + first).mean()
    return result


def _temporal_error(views: Views) -> NDArray[np.float64]:
    return temporal_error(views.generated.pixels, views.truth.pixels, views.previous)


TEMPORAL_ERROR = Metric(
    id="temporal_error",
    title="Temporal error",
    definition="mean absolute difference between the change from frame to frame that was drawn and the true one",
    citation="ours: seed 000 names the lack of such a measure; without optical flow, so it is deterministic",
    direction="lower",
    unit="1, pixels in 0..1",
    pair="sequence of generated - true sequence",
    protocols=("selfvideo",),
    backbone="pixels",
    range=(0.0, 2.0),
    per_pair=_temporal_error,
)

JITTER = Metric(
    id="jitter",
    title="Jitter",
    definition=(
        "mean length of the second difference of the 68 landmarks over three frames, in outer eye distances: what "
        "trembles, not what moves. A still picture has none, so read it beside the rows of real video"
    ),
    citation="ours",
    direction="lower",
    unit="outer eye distance",
    pair="sequence of generated",
    protocols=("selfvideo", "crossvideo"),
    backbone="landmarks",
    range=(0.0, float("inf")),
    per_pair=lambda views: jitter(views.generated.landmarks, views.previous),
)

FLICKER = Metric(
    id="flicker",
    title="Flicker",
    definition=(
        "mean absolute second difference of the pixels over three frames: change that even motion does not explain. "
        "Needs no truth; a still picture has none and a camera's noise has some, so read it beside the rows of real "
        "video"
    ),
    citation="ours: what a detector sees who has the video alone",
    direction="lower",
    unit="1, pixels in 0..1",
    pair="sequence of generated",
    protocols=("selfvideo", "crossvideo"),
    backbone="pixels",
    range=(0.0, 4.0),
    per_pair=lambda views: flicker(views.generated.pixels, views.previous),
)
