"""From a value per pair to figures: means with intervals per split, kind of identities, protocol and row."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from reenact.evaluation.metrics.catalogue import metrics_of
from reenact.evaluation.reference_names import COPY_SOURCE, REFERENCES
from reenact.evaluation.significance import paired_test
from reenact.evaluation.statistics import bootstrap_mean, paired_difference

KINDS = ("split", "identities", "protocol")  # what never shares a column
_PERSONS = ("source_identity", "driving_identity")
FOUND = "face_found"  # by the default judge; by the judge of a metric that has one of its own: face_found_METRIC


def summarise(faces: pd.DataFrame, *, repeats: int, seed: int) -> list[dict[str, Any]]:
    """A record per split, kind, protocol, row and per-pair metric.

    A row's figure is over the pairs that it, the copy and the truth could be judged on, so that they stand side by
    side; a reference row's is over all that it could be judged on. `versus_copy` is the paired difference.
    """
    records = []
    for kinds, group in faces.groupby(list(KINDS), sort=False):
        facts = dict(zip(KINDS, map(str, kinds), strict=True))
        who = group.drop_duplicates("pair").set_index("pair")[list(_PERSONS)]
        tables = dict(list(group.groupby("row", sort=False)))
        for metric in metrics_of(facts["protocol"], per_pair=True):
            values = _values(group, metric.id)
            for name in values.columns:
                own = values[_judged(values, name)]
                people = identities_of(who, own.index, indexed=True)
                mean = bootstrap_mean(own[name].to_numpy(), people, repeats=repeats, seed=seed)
                versus = None
                if name != COPY_SOURCE and COPY_SOURCE in values:
                    versus = paired(own[name], own[COPY_SOURCE], people, repeats=repeats, seed=seed)
                counts = counts_of(tables[name], metric.id)
                records.append({**facts, "row": str(name), "metric": metric.id, **mean.plain(), **counts,
                                "versus_copy": versus})  # fmt: skip
    return records


def compare_rows(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, repeats: int, seed: int
) -> Iterator[tuple[dict[str, str], str, dict[str, Any]]]:
    """Paired differences ours - theirs of two rows of one pair list: kinds, metric, interval and test."""
    for kinds, group in ours.groupby(list(KINDS), sort=False):
        facts = dict(zip(KINDS, map(str, kinds), strict=True))
        other = theirs.set_index("pair")
        for metric in metrics_of(facts["protocol"], per_pair=True):
            matched = other[metric.id].reindex(group["pair"])
            people = identities_of(group.set_index("pair"), list(group["pair"]), indexed=True)
            yield facts, metric.id, paired(group[metric.id], matched, people, repeats=repeats, seed=seed)


def paired(
    ours: "pd.Series[float]", theirs: "pd.Series[float]", people: list[list[str]], *, repeats: int, seed: int
) -> dict[str, Any]:
    """Interval and test of ours - theirs, row by row."""
    a, b = ours.to_numpy(dtype=float), theirs.to_numpy(dtype=float)
    interval = paired_difference(a, b, people, repeats=repeats, seed=seed)
    return {**interval.plain(), **paired_test(a - b, people, seed=seed).plain()}


def judged_values(group: pd.DataFrame, metric: str, row: str) -> "pd.Series[float]":
    """A row's values by pair, where it, the copy and the truth could be judged."""
    values = _values(group, metric)
    return values.loc[_judged(values, row), row]


def _judged(values: pd.DataFrame, row: str) -> "pd.Series[bool]":
    compared = [name for name in REFERENCES[:2] if name in values and values[name].notna().any()]
    return values[[row] if row in REFERENCES else [row, *compared]].notna().all(axis=1)


def _values(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pairs x rows."""
    return group.pivot(index="pair", columns="row", values=metric)[list(dict.fromkeys(group["row"]))]


def identities_of(group: pd.DataFrame, pairs: Any, *, indexed: bool = False) -> list[list[str]]:
    """Who is drawn anew: one list for pairs within a person, sources and drivers for pairs of two."""
    table = group if indexed else group.drop_duplicates("pair").set_index("pair")
    source, driver = (list(table[name].loc[pairs]) for name in _PERSONS)
    return [source] if source == driver else [source, driver]


def found_by(metric: str) -> str:
    """Name of the column of faces that a metric's own judge found."""
    return f"{FOUND}_{metric}"


def counts_of(table: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Pairs of a row, pictures that are none, and pictures in which the metric's judge found no face.

    `own_judge`: whether that is another judge than the table's.
    """
    own = found_by(metric) in table
    drawn, found = table["drawn"].astype(bool), table[found_by(metric) if own else FOUND].astype(bool)
    counts = {"pairs": len(table), "not_drawn": int((~drawn).sum()), "no_face": int((drawn & ~found).sum())}
    return {**counts, "own_judge": own}
