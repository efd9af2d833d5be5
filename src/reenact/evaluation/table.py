"""The comparison: a row per reference, branch and other method, a column per metric, protocol and kind of identities.

Columns `self_` and `cross_` hold the two protocols (LSIM's triplets are cross-reenactment: `cross_lsim`; measures of
video stand as `self_jitter`, `cross_jitter`), `crosstruth_` the cross pairs whose true picture is known; with `seen_`
before it, a column is about people that training has seen.
These never share a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.further_names import BESIDE, rows_beside
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.reference_names import REFERENCES
from reenact.evaluation.scaled import add_scaled
from reenact.evaluation.significance import holm
from reenact.evaluation.summary import compare_rows, summarise
from reenact.evaluation.trainings import STATUS, groups_of, over_trainings

SCORED = ("trained", "reference", STATUS, *BESIDE)  # states of rows that have figures
FACTS = ("row", "kind", "system", "variant", "seed", "status", "shots")  # of a row; `shots`: source pictures given
COUNTS = ("pairs", "no_face", "not_drawn")
PLACES = ("self", "cross", "crosstruth", "lsim", "selfvideo", "crossvideo")
_SHOWN = {"lsim": "cross", "selfvideo": "self", "crossvideo": "cross"}  # whose columns their metrics stand in


def column(protocol: str, identities: str, name: str) -> str:
    """Name of a column, for example self_mse, cross_lsim, seen_self_mse."""
    shown = (_SHOWN.get(protocol, protocol) if name in METRICS else protocol).replace("_", "")
    return f"{'seen_' if identities == 'seen' else ''}{shown}_{name}"


def count_column(result: Mapping[str, Any], count: str) -> str:
    """Where a record's count stands: once per protocol, and apart for a metric that has a judge of its own."""
    place = (result["protocol"], result["identities"])
    if result.get("own_judge") and count == "no_face":
        return f"{column(*place, result['metric'])}_{count}"
    return column(*place, count)


def columns_of(table: pd.DataFrame, prefix: str) -> list[Metric]:
    """The metrics that have a column under a prefix; those whose network nobody gave have none to show."""
    found = [metric for metric in METRICS.values() if f"{prefix}_{metric.id}" in table]
    return [metric for metric in found if not metric.network or table[f"{prefix}_{metric.id}"].notna().any()]


def figures_of_run(record: Mapping[str, Any], row: str) -> dict[str, float]:
    """A row's figures and lost faces on both splits, by names such as test_self_ed and val_seen_cross_no_face.

    What could not be judged on any pair is left out.
    """
    named: dict[str, float] = {}
    for result in record["results"]:
        if result["row"] == row:
            place = (result["protocol"], result["identities"])
            if result["value"] is not None:
                named[f"{result['split']}_{column(*place, result['metric'])}"] = float(result["value"])
            named[f"{result['split']}_{count_column(result, 'no_face')}"] = float(result["no_face"])
    return named


def build_table(entries: Sequence[Entry], *, split: str, repeats: int, seed: int) -> pd.DataFrame:
    """References first, the entries in their order, then variants over their trainings; NaN where nothing is known."""
    trained = [entry for entry in entries if entry.status == "trained"]
    rows = [_reference(name, trained, split, repeats, seed) for name in REFERENCES if trained]
    for entry in entries:
        own = entry.branch
        facts = {"row": entry.name, "kind": entry.kind, "system": own.system if own else "",
                 "variant": own.variant if own else "", "seed": own.seed if own else None,
                 "status": _status(entry), "shots": entry.record.get("shots")}  # fmt: skip
        results = entry.record.get("results", [])
        rows.append({**facts, **_figures(r for r in results if r["row"] == entry.name and r["split"] == split)})
        for name, kind in rows_beside(entry.name, {r["row"] for r in results}).items():
            beside = {**facts, "row": name, "kind": kind, "status": kind}
            rows.append({**beside, **_figures(r for r in results if r["row"] == name and r["split"] == split)})
    for name, group in groups_of(entries).items():
        first = group[0].branch
        assert first is not None
        shots = {entry.record.get("shots") for entry in group}
        facts = {"row": name, "kind": "trainings", "system": first.system, "variant": first.variant, "seed": None,
                 "status": STATUS, "shots": shots.pop() if len(shots) == 1 else None}  # fmt: skip
        rows.append({**facts, **_figures(over_trainings(group, split=split, repeats=repeats, seed=seed))})
    table = pd.DataFrame(rows)
    for name in ("seed", "shots"):
        table[name] = table[name].astype("Int64")
    table = add_scaled(table)
    order = [*FACTS, *sorted(table.columns.drop(list(FACTS)), key=_place)]
    return table[order]


def differences(entries: Sequence[Entry], *, split: str, repeats: int, seed: int) -> pd.DataFrame:
    """Paired differences on the pairs both rows could be judged on: against `copy source`, and against the full
    variant of the same system and training seed. Negative is better for a metric whose direction is lower. `p_holm` is
    corrected for all that is tested of one row against one other."""
    records = []
    trained = [entry for entry in entries if entry.status == "trained"]
    for entry in trained:
        for result in entry.record["results"]:
            if result["row"] == entry.name and result["split"] == split and result["versus_copy"]:
                name = column(result["protocol"], result["identities"], result["metric"])
                records.append({"row": entry.name, "against": REFERENCES[0], "column": name,
                                "metric": result["metric"], **result["versus_copy"]})  # fmt: skip
        for name in rows_beside(entry.name, entry.faces["row"].unique()):
            records += _versus(entry, name, entry, entry.name, split, repeats=repeats, seed=seed)
        full = _full(entry, trained)
        if full is None or full is entry:
            continue
        records += _versus(entry, entry.name, full, full.name, split, repeats=repeats, seed=seed)
    columns = ["row", "against", "column", "metric", "value", "low", "high", "n", "people", "p", "effect", "detectable"]
    table = pd.DataFrame(records, columns=columns)
    table["p_holm"] = np.nan
    # All that is said of one row against one other is a family. Larger ones, over all rows, would leave ten persons,
    # whose exact test has no p below 0.002, nothing to find.
    for _, family in table.groupby(["row", "against"], sort=False):
        table.loc[family.index, "p_holm"] = holm(family["p"].astype(float).to_list())
    return table


def _versus(
    entry: Entry, row: str, other: Entry, against: str, split: str, *, repeats: int, seed: int
) -> list[dict[str, Any]]:
    """A row of an entry against one of another, or against another one of its own where both have pictures."""
    ours, theirs = (
        one.faces[(one.faces["row"] == name) & (one.faces["split"] == split)]
        for one, name in ((entry, row), (other, against))
    )
    return [
        {"row": row, "against": against, "metric": metric,
         "column": column(facts["protocol"], facts["identities"], metric), **versus}
        for facts, metric, versus in compare_rows(ours, theirs, repeats=repeats, seed=seed)
        if entry is not other or versus["n"]
    ]  # fmt: skip


def shown_rows(table: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """The rows of one block of the table: without those beside a system's own that have no figure."""
    columns = [name for name in (f"{prefix}_{metric}" for metric in METRICS) if name in table]
    return table[~table["status"].isin(BESIDE) | table[columns].notna().any(axis=1)]


def shown_shots(table: pd.DataFrame) -> dict[str, str] | None:
    """The K of each row, "" where nobody knows, as a column beside the figures; None where all are the same."""
    if "shots" not in table or table["shots"].nunique() < 2:
        return None
    return {
        str(row): "" if pd.isna(shots) else str(shots) for row, shots in zip(table["row"], table["shots"], strict=True)
    }


def best_row(table: pd.DataFrame, column: str, metric: Metric) -> str | None:
    """Name of the branch with the best figure; None where there is nothing to be better than."""
    known = table[(table["status"] == "trained") & table[column].notna()]
    if len(known) < 2:
        return None
    place = known[column].argmin() if metric.direction == "lower" else known[column].argmax()
    return str(known["row"].iloc[place])


def _full(entry: Entry, trained: Sequence[Entry]) -> Entry | None:
    """What an entry is compared with: the full variant of the same run, system and training seed."""
    if entry.branch is None:
        return None
    wanted = replace(entry.branch, variant="full")
    return next((other for other in trained if (other.run, other.branch) == (entry.run, wanted)), None)


def _reference(name: str, trained: list[Entry], split: str, repeats: int, seed: int) -> dict[str, Any]:
    """All branches drew the same pairs at the same size, so any record holds the same reference."""
    first = trained[0]
    faces = first.faces[(first.faces["row"] == name) & (first.faces["split"] == split)]
    per_pair = [r for r in summarise(faces, repeats=repeats, seed=seed) if r["row"] == name]
    of_sets = [
        r for r in first.record["results"]
        if r["row"] == name and r["split"] == split and METRICS[r["metric"]].per_pair is None
    ]  # fmt: skip
    facts = {"row": name, "kind": "reference", "system": "", "variant": "", "seed": None, "status": "reference",
             "shots": None}  # fmt: skip
    return {**facts, **_figures([*per_pair, *of_sets])}


def _figures(results: Iterable[dict[str, Any]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for result in results:
        name = column(result["protocol"], result["identities"], result["metric"])
        # No pair has a value: the metric doesn't apply to this row (no truth), or no face was found at all.
        for key, suffix in (("value", ""), ("low", "_low"), ("high", "_high"), ("n", "_n")):
            value = result[key]
            figures[name + suffix] = np.nan if value is None else float(value)
        for count in COUNTS:
            figures[count_column(result, count)] = float(result[count])
    return figures


def _status(entry: Entry) -> str:
    return f"{entry.status}: {entry.reason}" if entry.reason else entry.status


def _place(name: str) -> tuple[int, int, int, str]:
    """Unseen before seen people, self before cross, metrics in the catalogue's order, counts last."""
    seen = name.startswith("seen_")
    protocol, _, rest = name.removeprefix("seen_").partition("_")
    base = rest if rest in METRICS else rest.rpartition("_")[0]
    metrics = list(METRICS)
    place = metrics.index(base) if base in METRICS else len(metrics)
    return int(seen), PLACES.index(protocol), place, {"": "0"}.get(rest, rest)
