"""One metric of two evaluations, side by side on the test pairs that both could be judged on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.significance import set_difference
from reenact.evaluation.summary import identities_of, paired
from reenact.review.verdict import number

SPLIT = "test"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Figures of both and ours - theirs; None where something is not known."""

    ours: float | None
    theirs: float | None
    value: float | None
    low: float | None
    high: float | None
    p: float | None  # two-sided, not corrected
    n: int  # pairs that both could be judged on; 0 for metrics of whole sets


def own_lines(entry: Entry, protocol: str) -> pd.DataFrame:
    """An entry's own lines of the test pairs of a protocol: of unseen people where there are any, else of seen ones."""
    faces = entry.faces
    own = faces[(faces["row"] == entry.name) & (faces["split"] == SPLIT) & (faces["protocol"] == protocol)]
    unseen = own[own["identities"] == "unseen"]
    return unseen if len(unseen) else own


def figure_of(entry: Entry, metric: str, protocol: str) -> Mapping[str, Any] | None:
    """An entry's own record of a metric on the test pairs of a protocol; None where there is none."""
    wanted = {"row": entry.name, "split": SPLIT, "protocol": protocol, "metric": metric}
    found = {r["identities"]: r for r in entry.record["results"] if all(r[key] == wanted[key] for key in wanted)}
    return found.get("unseen") or found.get("seen")


def difference(ours: Entry, theirs: Entry, metric: Metric, protocol: str, *, repeats: int, seed: int) -> Difference:
    """ours - theirs with its interval and test, paired by persons."""
    if metric.per_pair is None:
        return _of_sets(ours, theirs, metric, protocol)
    a, b = (own_lines(entry, protocol).set_index("pair") for entry in (ours, theirs))
    mine, matched = a[metric.id].astype(float), b[metric.id].astype(float).reindex(a.index)
    both = mine.notna() & matched.notna()
    shown = both if both.any() else mine.notna() | matched.notna()  # what there is, where nothing can be compared
    people = identities_of(a, list(a.index), indexed=True)
    found = paired(mine, matched, people, repeats=repeats, seed=seed)
    return Difference(
        ours=number(mine[shown].mean()), theirs=number(matched[shown].mean()), value=number(found["value"]),
        low=number(found["low"]), high=number(found["high"]), p=number(found["p"]), n=int(both.sum()),
    )  # fmt: skip


def _of_sets(ours: Entry, theirs: Entry, metric: Metric, protocol: str) -> Difference:
    a, b = (figure_of(entry, metric.id, protocol) or {} for entry in (ours, theirs))
    mine, other = a.get("value"), b.get("value")
    if mine is None or other is None:
        return Difference(ours=mine, theirs=other, value=None, low=None, high=None, p=None, n=0)
    found = sets_apart(a, b)
    return Difference(ours=mine, theirs=other, value=number(found["value"]), low=number(found["low"]),
                      high=number(found["high"]), p=number(found["p"]), n=0)  # fmt: skip


def sets_apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Interval and test of two records of a metric of whole sets: there are no pairs, so by the persons left out."""
    without = (ours.get("left_out") or {}, theirs.get("left_out") or {})
    interval, test = set_difference(ours["value"], theirs["value"], without)
    return {**interval.plain(), **test.plain()}
