"""How far along the way from one thing to another a third one lies."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]  # of bytes or of floats


def share_of_way(start: Rows, end: Rows, reached: Rows) -> float:
    """0: still at the start, 1: at the end; (N, ...) each.

    sum <reached - start, end - start> / sum |end - start|^2 over the N rows: what lies far apart weighs more, and
    what is as near to the start as to the end gives 1/2, so blur and noise alone look like neither. Rows with values
    that are not finite are left out; NaN where no row is left or nothing lies apart.
    """
    start, end, reached = (np.asarray(rows, dtype=np.float32).reshape(len(rows), -1) for rows in (start, end, reached))
    known = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1) & np.isfinite(reached).all(axis=1)
    way, gone = (end - start)[known], (reached - start)[known]
    whole = float(np.square(way, dtype=np.float64).sum())
    return float(np.multiply(gone, way, dtype=np.float64).sum() / whole) if whole > 0 else float("nan")
