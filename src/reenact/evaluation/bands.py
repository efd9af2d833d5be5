"""Figures by bands: of the driver's yaw, of how unlike the faces of source and driver are, of the number of shots.

A mean over all pairs hides that methods break at large turns, and that tools can't read them there: beside each figure
stands the share of pairs that could be judged.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.further_names import shot_rows
from reenact.evaluation.metrics.catalogue import metrics_of
from reenact.evaluation.reference_names import REFERENCES
from reenact.evaluation.statistics import bootstrap_mean
from reenact.evaluation.summary import identities_of, judged_values

COLUMNS = (
    "row", "kind", "band", "protocol", "identities", "metric", "value", "low", "high", "n", "people", "pairs", "judged",
)  # fmt: skip
YAW = (("0-30", 0.0, 30.0), ("30-60", 30.0, 60.0), ("over 60", 60.0, float("inf")))  # degrees to either side
_Bands = Callable[[pd.DataFrame], pd.Series]


def bands(entries: Sequence[Entry], *, split: str, repeats: int, seed: int) -> pd.DataFrame:
    """`COLUMNS`, a line per row, kind of band, band, protocol, kind of identities and metric.

    References once, then every entry with figures. `value` is over the pairs that the row, the copy and the truth could
    be judged on, with its interval over persons; `judged` is the share of the `pairs` that the row could be.
    """
    records: list[dict[str, Any]] = []
    trained = [entry for entry in entries if entry.status == "trained"]
    for number, entry in enumerate(trained):
        faces = entry.faces[entry.faces["split"] == split]
        rows = {**({name: name for name in REFERENCES} if number == 0 else {}), entry.name: entry.name}
        for kind, band_of in (("yaw", _yaw), ("shape", _shape)):
            records += _records(faces, kind, band_of, rows, repeats=repeats, seed=seed)
        shots = shot_rows(entry.name, faces["row"].unique())
        given = int(entry.record.get("shots", 1))
        for count, row in sorted({given: entry.name, **shots}.items()) if shots else ():
            still = faces[~faces["protocol"].str.endswith("video")].assign(shots=str(count))
            records += _records(still, "shots", _shots, {row: entry.name}, repeats=repeats, seed=seed)
    return pd.DataFrame(records, columns=list(COLUMNS))


def _records(
    faces: pd.DataFrame, kind: str, band_of: _Bands, rows: dict[str, str], *, repeats: int, seed: int
) -> Iterator[dict[str, Any]]:
    """`rows`: the faces' row -> the name it is shown by."""
    for (identities, protocol), group in faces.groupby(["identities", "protocol"], sort=False):
        of_pair = band_of(group)
        for band in sorted(set(of_pair) - {""}, key=_order):
            inside = group[of_pair == band]
            for metric in metrics_of(str(protocol), per_pair=True):
                if metric.id not in group:
                    continue  # an older evaluation, or a network that nobody gave
                for row, name in rows.items():
                    own = inside.loc[inside["row"] == row, metric.id]
                    if own.empty or not group.loc[group["row"] == row, metric.id].notna().any():
                        continue  # says nothing of this row: a reference without truth
                    # Over the whole protocol: what could be judged on no pair of a band still has to be, to be in it.
                    values = judged_values(group, metric.id, row)
                    values = values[values.index.isin(inside["pair"])]
                    people = identities_of(inside, values.index)
                    mean = bootstrap_mean(values.to_numpy(dtype=float), people, repeats=repeats, seed=seed)
                    yield {
                        "row": name, "kind": kind, "band": band, "protocol": str(protocol),
                        "identities": str(identities), "metric": metric.id, "value": mean.value, "low": mean.low,
                        "high": mean.high, "n": mean.n, "people": mean.people, "pairs": len(own),
                        "judged": float(own.notna().mean()),
                    }  # fmt: skip


def _yaw(group: pd.DataFrame) -> pd.Series:
    if "driving_yaw" not in group:
        return pd.Series("", index=group.index)
    turn, result = group["driving_yaw"].abs(), pd.Series("", index=group.index)
    for name, low, high in YAW:
        result[(turn >= low) & (turn < high)] = name
    return result


def _shape(group: pd.DataFrame) -> pd.Series:
    return group["shape_band"] if "shape_band" in group else pd.Series("", index=group.index)


def _shots(group: pd.DataFrame) -> pd.Series:
    return group["shots"]


def _order(band: str) -> tuple[bool, float]:
    """By where a band begins; "over 60" comes last."""
    return band.startswith("over"), float(band.removeprefix("over ").partition("-")[0])
