"""Pictures that an evaluation leaves for looking at, as they are read back, and the pairs that are cases."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.tables import read_table
from reenact.evaluation.metrics.metric import Metric

ROLES = ("source", "driving", "truth", "generated")
NO_FACE = "no face"

Picture = NDArray[np.uint8]


def read_samples(path: Path) -> pd.DataFrame:
    """The table that `sample_pairs.write_samples` wrote; see `decoded`."""
    return read_table(path, kind="samples")


def decoded(sample: Mapping[Any, Any], role: str) -> Picture | None:
    """(S, S, 3) RGB uint8 picture of a row of samples; None where there is none."""
    data = sample.get(role)
    if not isinstance(data, bytes):
        return None
    picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def cases(faces: pd.DataFrame, metric: Metric) -> list[tuple[str, str, float]]:
    """(best | median | worst, pair, value) of a row's lines of one protocol, by a metric; fewer where few were judged.

    Equal values are ordered by pair. The median is the better one of two in the middle.
    """
    known = faces[faces[metric.id].notna()].sort_values("pair", kind="stable")
    known = known.sort_values(metric.id, ascending=metric.direction == "lower", kind="stable")
    if known.empty:
        return []
    places = dict(zip(("best", "median", "worst"), (0, (len(known) - 1) // 2, len(known) - 1), strict=True))
    chosen = {place: name for name, place in reversed(places.items())}
    pairs, values = known["pair"].astype(str).to_list(), known[metric.id].to_list()
    return [(chosen[place], pairs[place], float(values[place])) for place in sorted(chosen)]


def without_face(faces: pd.DataFrame) -> list[str]:
    """Pairs of a row's lines whose picture was drawn, but shows no face to the judge."""
    return sorted(faces.loc[faces["drawn"].astype(bool) & ~faces["face_found"].astype(bool), "pair"].astype(str))
