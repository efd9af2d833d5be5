"""From rows and pairs to figures: a value per pair and metric, then means with intervals per protocol."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.evaluation.judge import Judge, Reading
from reenact.evaluation.metrics.catalogue import METRICS, metrics_of
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.rows import COPY_SOURCE, REFERENCES, Drawn, Row, real
from reenact.evaluation.statistics import Interval, bootstrap_mean, jackknife, paired_difference

KINDS = ("split", "identities", "protocol")  # what never shares a column


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One row's pictures for pairs of one protocol, beside the real ones; see metrics.metric.Views."""

    pairs: pd.DataFrame
    generated: Reading
    source: Reading
    driving: Reading
    truth: Reading


def score(rows: Mapping[str, Row], pairs: pd.DataFrame, pictures: Pictures, judge: Judge) -> dict[str, list[Scored]]:
    """Draw every pair with every row and have it read: per row, the pairs of each split, kind and protocol."""
    result: dict[str, list[Scored]] = {name: [] for name in rows}
    for _, group in pairs.groupby(list(KINDS), sort=False):
        shapes = {role: pictures.shapes(list(group[f"{role}_clip"])) for role in ("source", "driving")}
        # The truth shows the person of the source: by protocol it is fitted with the same shape.
        shapes["truth"] = shapes["source"]
        reals = {
            role: _read(judge, real(pictures, group, role), shapes[role]) for role in ("source", "driving", "truth")
        }
        for name, row in rows.items():
            generated = _read(judge, row(group), shapes["source"])
            result[name].append(Scored(pairs=group, generated=generated, **reals))
    return result


def faces_table(scored: Mapping[str, list[Scored]]) -> pd.DataFrame:
    """A line per pair and row: what was compared, whether it could be judged, and every metric that applies."""
    tables = []
    for name, groups in scored.items():
        for group in groups:
            table = group.pairs.reset_index(drop=True).assign(row=name)
            table["drawn"] = group.generated.usable
            table["face_found"] = group.generated.found
            protocol = str(table["protocol"].iloc[0])
            for metric in metrics_of(protocol, per_pair=True):
                assert metric.per_pair is not None
                table[metric.id] = np.asarray(metric.per_pair(group), dtype=np.float64)
            tables.append(table)
    faces = pd.concat(tables, ignore_index=True)
    for metric in METRICS.values():
        if metric.per_pair and metric.id not in faces:
            faces[metric.id] = np.nan
    return faces


def summarise(faces: pd.DataFrame, *, repeats: int, seed: int) -> list[dict[str, Any]]:
    """A record per split, kind, protocol, row and per-pair metric.

    A row's figure is over the pairs that it and the reference rows could be judged on, so that they stand side by
    side; a reference row's is over all that it could be judged on. `versus_copy` is the paired difference.
    """
    records = []
    for kinds, group in faces.groupby(list(KINDS), sort=False):
        facts = dict(zip(KINDS, map(str, kinds), strict=True))
        for metric in metrics_of(facts["protocol"], per_pair=True):
            values = _values(group, metric.id)
            references = [name for name in REFERENCES if name in values and values[name].notna().any()]
            for name in values.columns:
                needed = [name] if name in REFERENCES else [name, *references]
                own = values[values[needed].notna().all(axis=1)]
                people = _identities(group, own.index)
                mean = bootstrap_mean(own[name].to_numpy(), people, repeats=repeats, seed=seed)
                versus = None
                if name != COPY_SOURCE and COPY_SOURCE in values:
                    versus = paired_difference(
                        own[name].to_numpy(), own[COPY_SOURCE].to_numpy(), people, repeats=repeats, seed=seed
                    ).plain()
                counts = _counts(group[group["row"] == name])
                records.append({**facts, "row": str(name), "metric": metric.id, **mean.plain(), **counts,
                                "versus_copy": versus})  # fmt: skip
    return records


def summarise_sets(scored: Mapping[str, list[Scored]]) -> list[dict[str, Any]]:
    """The same records for metrics of whole sets; a row's set are the pairs that could be judged."""
    records = []
    for name, groups in scored.items():
        for group in groups:
            facts = {kind: str(group.pairs[kind].iloc[0]) for kind in KINDS}
            table = group.pairs.assign(drawn=group.generated.usable, face_found=group.generated.found)
            for metric in metrics_of(facts["protocol"], per_pair=False):
                interval = _of_set(metric, group)
                records.append({**facts, "row": name, "metric": metric.id, **interval.plain(), **_counts(table),
                                "versus_copy": None})  # fmt: skip
    return records


def compare_rows(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, repeats: int, seed: int
) -> Iterator[tuple[dict[str, str], str, Interval]]:
    """Paired differences ours - theirs of two rows of one pair list: kinds, metric, interval."""
    for kinds, group in ours.groupby(list(KINDS), sort=False):
        facts = dict(zip(KINDS, map(str, kinds), strict=True))
        other = theirs.set_index("pair")
        for metric in metrics_of(facts["protocol"], per_pair=True):
            matched = other[metric.id].reindex(group["pair"]).to_numpy()
            people = _identities(group.set_index("pair"), list(group["pair"]), indexed=True)
            yield (
                facts,
                metric.id,
                paired_difference(group[metric.id].to_numpy(), matched, people, repeats=repeats, seed=seed),
            )


def _read(judge: Judge, drawn: Drawn, shapes: NDArray[np.float32]) -> Reading:
    return Reading(judge, drawn.pictures, drawn.usable, shapes)


def _values(group: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Pairs x rows."""
    return group.pivot(index="pair", columns="row", values=metric)[list(dict.fromkeys(group["row"]))]


def _identities(group: pd.DataFrame, pairs: Any, *, indexed: bool = False) -> list[list[str]]:
    """Who is drawn anew: one list for pairs within a person, sources and drivers for pairs of two."""
    table = group if indexed else group.drop_duplicates("pair").set_index("pair")
    table = table.loc[pairs]
    source, driver = list(table["source_identity"]), list(table["driving_identity"])
    return [source] if source == driver else [source, driver]


def _counts(table: pd.DataFrame) -> dict[str, int]:
    drawn, found = table["drawn"].astype(bool), table["face_found"].astype(bool)
    return {"pairs": len(table), "not_drawn": int((~drawn).sum()), "no_face": int((drawn & ~found).sum())}


def _of_set(metric: Metric, group: Scored) -> Interval:
    assert metric.features is not None
    assert metric.of_sets is not None
    of_sets = metric.of_sets
    fake, real_ = metric.features(group)
    judged = np.isfinite(fake).all(axis=1) & np.isfinite(real_).all(axis=1)
    pairs = group.pairs[judged]
    # The order of the rows must not move the last bits.
    order = np.argsort(pairs["pair"].to_numpy(), kind="stable")
    pairs, fake, real_ = pairs.iloc[order], fake[judged][order], real_[judged][order]
    people = _identities(pairs.set_index("pair"), list(pairs["pair"]), indexed=True)
    return jackknife(lambda keep: of_sets(fake[keep], real_[keep]), people, n=len(pairs))
