"""Mean squared error of the pixels."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric


def mse(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over pixels and channels of (a - b)^2: (N, H, W, 3) x 2 in 0..1 -> (N,)."""
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return np.square(difference).mean(axis=(1, 2, 3))


MSE = Metric(
    id="mse",
    title="MSE",
    definition="mean over pixels and channels of (generated - truth)^2, values 0..1",
    citation="FACEGAN (self-reenactment, pixel level); its paper leaves the range open, 0..1 is ours",
    direction="lower",
    unit="1",
    pair="generated - truth",
    protocols=("self", "cross_truth"),
    backbone="pixels",
    range=(0.0, 1.0),
    per_pair=lambda views: mse(views.generated.pixels, views.truth.pixels),
)
