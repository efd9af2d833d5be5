"""Outputs of different pairs are one picture."""

import numpy as np

from reenact.alarms.verdict import Alarm
from reenact.alarms.way import Rows

MODE_COLLAPSE = Alarm(
    name="mode_collapse",
    sick="low",
    measures="distance between outputs of different pairs, as a share of that between the real pictures",
    advice="The outputs are all alike: lower the adversarial weight or the generator's learning rate",
)


def mode_collapse(real: Rows, output: Rows) -> float:
    """Root mean squared distance of two of the N outputs over that of the real pictures, (N, ...) each.

    Rows with values that are not finite are left out; NaN where fewer than two rows are left.
    """
    real, output = (np.asarray(rows, dtype=np.float32).reshape(len(rows), -1) for rows in (real, output))
    known = np.isfinite(real).all(axis=1) & np.isfinite(output).all(axis=1)
    # the mean squared distance of two rows is twice the sum of the columns' variances
    spread = [float(rows[known].var(axis=0, dtype=np.float64).sum()) if known.sum() > 1 else 0.0
              for rows in (output, real)]  # fmt: skip
    return float(np.sqrt(spread[0] / spread[1])) if spread[1] > 0 else float("nan")
