"""How well measures of video tell a row's stretches from real ones: the area under the ROC curve.

0.5 is chance. Above it the generated stretches score higher, below it lower: smoother than life gives away as much as
trembling does. What one source and one driver were filmed in is one case, its value the mean over its frames; real
ones are the true frames of the `selfvideo` pairs. Temporal error can't be asked: it compares with the true video, so
real video scores 0 by its definition, and whoever has that truth needs no detector.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.evaluation.reference_names import GROUND_TRUTH
from reenact.evaluation.statistics import Interval, expanded_levels

TITLE = "Telling generated from real video"
MEASURES = ("jitter", "flicker")  # those that need no truth


def detection(faces: pd.DataFrame, row: str, *, split: str, repeats: int, seed: int) -> list[dict[str, Any]]:
    """Records of `protocol`, `measure` and the area with its interval, from a table of scores.

    `n` counts generated stretches, `people` the identities that drive them. Empty where nothing was filmed.
    """
    own = faces[faces["split"] == split]
    real = own[(own["row"] == GROUND_TRUTH) & (own["protocol"] == "selfvideo")]
    records = []
    for protocol in ("selfvideo", "crossvideo"):
        drawn = own[(own["row"] == row) & (own["protocol"] == protocol)]
        for measure in MEASURES:
            if not drawn.empty and measure in own:
                fake, real_ = _stretches(drawn, measure), _stretches(real, measure)
                interval = area(*fake, *real_, repeats=repeats, seed=seed)
                records.append({"row": row, "protocol": protocol, "measure": measure, **interval.plain()})
    return records


def area(
    fake: NDArray[np.float64], fake_people: Sequence[str], real: NDArray[np.float64], real_people: Sequence[str],
    *, repeats: int = 1000, seed: int = 0,
) -> Interval:  # fmt: skip
    """P(fake > real) + P(fake = real) / 2 of (N,) and (M,) values, identities drawn anew with all they drive."""
    if not len(fake) or not len(real):
        return Interval(value=float("nan"))
    names, codes = np.unique([*fake_people, *real_people], return_inverse=True)
    ours, theirs = codes[: len(fake)], codes[len(fake) :]
    above = (fake[:, None] > real[None]) + 0.5 * (fake[:, None] == real[None])
    facts: dict[str, Any] = {"value": float(above.mean()), "n": len(fake), "people": len(np.unique(ours))}
    if facts["people"] < 2:
        return Interval(**facts)
    rng = np.random.default_rng([seed, len(names)])
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=repeats)
    a, b = drawn[:, ours].astype(np.float64), drawn[:, theirs].astype(np.float64)
    weights = a.sum(axis=1) * b.sum(axis=1)
    areas = np.einsum("ri,ij,rj->r", a, above, b, optimize=True)[weights > 0] / weights[weights > 0]
    low, high = np.quantile(areas, expanded_levels(facts["people"]))
    return Interval(low=float(low), high=float(high), **facts)


def detection_markdown(records: Sequence[dict[str, Any]]) -> str:
    """A small table: a line per row and protocol, a column per measure."""
    lines = ["| | | " + " | ".join(MEASURES) + " | stretches |", "| --- | --- |" + " --- |" * (len(MEASURES) + 1)]
    by = {(r["row"], r["protocol"], r["measure"]): r for r in records}
    for row, protocol in dict.fromkeys((r["row"], r["protocol"]) for r in records):
        found = [by.get((row, protocol, measure)) for measure in MEASURES]
        counts = max((r["n"] for r in found if r), default=0)
        lines.append(f"| {row} | {protocol} | " + " | ".join(map(_cell, found)) + f" | {counts} |")
    return "\n".join(lines)


def _cell(record: dict[str, Any] | None) -> str:
    if record is None or record["value"] is None:
        return "-"
    within = "" if record["low"] is None else f" [{record['low']:.2f}, {record['high']:.2f}]"
    return f"{record['value']:.2f}{within}"


def _stretches(table: pd.DataFrame, measure: str) -> tuple[NDArray[np.float64], list[str]]:
    """Mean value of each stretch that could be judged, and who drives it."""
    means = table.dropna(subset=[measure]).groupby(["sequence", "driving_identity"], sort=True)[measure].mean()
    return means.to_numpy(dtype=np.float64), [str(name) for name in means.index.get_level_values(1)]
