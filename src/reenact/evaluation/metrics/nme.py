"""Normalised mean error of landmarks: the usual measure of how far a drawn face's shape is off."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric
from reenact.faces.landmarks import outer_eye_distance


def nme(generated: NDArray[np.floating], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean distance of the 68 points in outer eye distances of `truth`: (N, 68, 2) x 2 -> (N,). No alignment."""
    truth = np.asarray(truth, dtype=np.float64)
    distances = np.linalg.norm(np.asarray(generated, dtype=np.float64) - truth, axis=-1)
    return np.asarray(distances.mean(axis=-1) / outer_eye_distance(truth))


NME = Metric(
    id="nme",
    title="NME",
    definition="mean distance of the 68 landmarks of generated and true face, in outer eye distances of the true one",
    citation="Sagonas et al. 2013 (300-W), which the 68 points and this normalisation come from",
    direction="lower",
    unit="outer eye distance",
    pair="generated - truth",
    protocols=("self", "cross_truth"),
    backbone="landmarks",
    range=(0.0, float("inf")),
    per_pair=lambda views: nme(views.generated.landmarks, views.truth.landmarks),
)
