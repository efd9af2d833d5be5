"""Identity on a scale that means something: 0 is somebody else, 1 is the same person's real picture.

Any two faces resemble each other for a recognition network (drawn ones score 0.98 as strangers), so a raw cosine says
little. Beside it stands (value - floor) / (ceiling - floor): the floor is the row `other identity`, the ceiling the row
`ground truth`, where a protocol has no truth that of self-reenactment.
"""

import numpy as np
import pandas as pd

from reenact.evaluation.reference_names import GROUND_TRUTH, OTHER_IDENTITY

SCALED = "_scaled"
LEAST = 1e-3  # of a span below which the network can't tell people apart, and the scale says nothing
IDENTITY = ("csim_source", "csim_truth", "csim_arcface_source", "csim_arcface_truth")


def add_scaled(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column NAME_scaled beside each column of an identity metric that has floor and ceiling."""
    rows = table.set_index("row")
    for name in [column for column in table.columns if column.endswith(IDENTITY)]:
        floor = _value(rows, OTHER_IDENTITY, name)
        ceiling = _value(rows, GROUND_TRUTH, name)
        if np.isnan(ceiling):
            ceiling = _value(rows, GROUND_TRUTH, name.replace("cross_", "self_"))
        if ceiling - floor > LEAST:  # also false where one is missing
            table[name + SCALED] = (table[name] - floor) / (ceiling - floor)
    return table


def _value(rows: pd.DataFrame, row: str, column: str) -> float:
    return float(rows[column].get(row, np.nan)) if column in rows else float("nan")
