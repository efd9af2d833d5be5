"""Landmark similarity: low only if both shape and expression are kept."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric
from reenact.faces.landmarks import outer_eye_distance


def lsim(generated: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean squared difference of coordinates in outer eye distances of `truth`: (N, 68, 2) x 2 -> (N,).

    No alignment: a shifted face is a wrong face.
    """
    truth = np.asarray(truth, dtype=np.float64)
    scale = outer_eye_distance(truth)[:, None, None]
    return np.square((np.asarray(generated, dtype=np.float64) - truth) / scale).mean(axis=(1, 2))


LSIM = Metric(
    id="lsim",
    title="LSIM",
    definition=(
        "source A and truth B are two frames of one person, the driver C is the frame of another person with the "
        "nearest action units to B's: mean squared difference of the 68 landmarks of generated and B, in squared "
        "outer eye distances of B"
    ),
    citation="FACEGAN; the normalisation, without alignment, is ours",
    direction="lower",
    unit="outer eye distance^2",
    pair="generated - truth B",
    protocols=("lsim",),
    backbone="landmarks",
    range=(0.0, float("inf")),
    per_pair=lambda views: lsim(views.generated.landmarks, views.truth.landmarks),
)
