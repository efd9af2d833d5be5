"""What stands beside a pair: the driver's yaw, how different the two shapes are, which split it comes from."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus

COLUMNS = ("driving_yaw", "shape_distance", "shape_band", "split_by")
_DIGITS = 4  # what another machine's last bits can't move: a list has a hash


def add_facts(pairs: pd.DataFrame, corpus: Corpus, by: Mapping[str, str]) -> pd.DataFrame:
    """The list with `COLUMNS`. They are stored with it, so that bands are of the list and not of whoever reads it.

    driving_yaw     degrees, as labelled
    shape_distance  between the clips' shape coefficients, in standard deviations of the shape model; NaN within a
                    person
    shape_band      terciles of the distance over the `cross` pairs of the list ("0-3.1", ...); "" where there is none
    split_by        `official`, `identity` or `time`: what put source and driver into the split. `by`: of each clip
    """
    driving = zip(pairs["driving_clip"], pairs["driving_frame"], strict=True)
    yaw = [float(corpus.pose(corpus.by_name[str(clip)])[int(frame)][1]) for clip, frame in driving]
    distance = _distances(pairs, corpus)
    both = [{by.get(str(a), ""), by.get(str(b), "")} for a, b in pairs[["source_clip", "driving_clip"]].to_numpy()]
    return pairs.assign(
        driving_yaw=np.array(yaw, dtype=np.float64).round(_DIGITS),
        shape_distance=distance,
        shape_band=_terciles(distance, (pairs["protocol"] == "cross").to_numpy()),
        split_by=[" and ".join(sorted(names - {""})) for names in both],
    )


def _distances(pairs: pd.DataFrame, corpus: Corpus) -> NDArray[np.float64]:
    shapes = corpus.shapes().set_index("clip")
    shapes = shapes[[name for name in shapes.columns if name.startswith("shape_")]]
    a, b = (shapes.loc[list(pairs[f"{role}_clip"])].to_numpy(dtype=np.float64) for role in ("source", "driving"))
    distance = np.linalg.norm(a - b, axis=1)
    distance[(pairs["source_identity"] == pairs["driving_identity"]).to_numpy()] = np.nan
    return np.asarray(distance).round(_DIGITS)


def _terciles(distance: NDArray[np.float64], measured: NDArray[np.bool_]) -> list[str]:
    known = distance[measured & np.isfinite(distance)]
    if not len(known):
        return [""] * len(distance)
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    names = (f"0-{low:.2f}", f"{low:.2f}-{high:.2f}", f"over {high:.2f}")
    return ["" if np.isnan(value) else names[int(value > low) + int(value > high)] for value in distance]
