"""Expression distance."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric
from reenact.faces.actions import ACTION_UNITS, MAXIMUM


def ed(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """|| AU_a - AU_b ||_2 over the 17 intensities 0..5: (N, 17) x 2 -> (N,) in 0..20.6."""
    return np.linalg.norm(np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64), axis=-1)


ED = Metric(
    id="ed",
    title="ED",
    definition="Euclidean distance of the 17 action unit intensities (0..5) of generated and driving face",
    citation="FACEGAN; pose is left out, PSIM covers it (ours)",
    direction="lower",
    unit="AU intensity",
    pair="generated - driving",
    protocols=("self", "cross"),
    backbone="fit",
    range=(0.0, MAXIMUM * len(ACTION_UNITS) ** 0.5),
    per_pair=lambda views: ed(views.generated.actions, views.driving.actions),
)
