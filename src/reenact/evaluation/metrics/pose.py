"""Head pose: PSIM as published, and the angle that says what PSIM can't."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric, cosine


def pose_angle(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean absolute difference of pitch, yaw and roll: (N, 3) x 2 in degrees -> (N,) degrees.

    Each difference is taken the short way round, so that 179 and -179 degrees are 2 apart.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return np.abs((difference + 180.0) % 360.0 - 180.0).mean(axis=-1)


PSIM = Metric(
    id="psim",
    title="PSIM",
    definition="cosine of the vectors (pitch, yaw, roll) of generated and driving face",
    citation="FACEGAN, which says only head angle: the vector is ours. Ignores magnitude and is noise near frontal",
    direction="higher",
    unit="1",
    pair="generated - driving",
    protocols=("self", "cross"),
    backbone="fit",
    range=(-1.0, 1.0),
    per_pair=lambda views: cosine(views.generated.pose, views.driving.pose),
)

POSE_ANGLE = Metric(
    id="pose_angle",
    title="Pose angle",
    definition="mean absolute difference of pitch, yaw and roll between generated and driving face",
    citation="ours, beside PSIM",
    direction="lower",
    unit="degrees",
    pair="generated - driving",
    protocols=("self", "cross"),
    backbone="fit",
    range=(0.0, 180.0),
    per_pair=lambda views: pose_angle(views.generated.pose, views.driving.pose),
)
