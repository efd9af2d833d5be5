"""From rows and pairs to a value per pair and metric: draw, have it read, measure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.evaluation.judge import People, Reading
from reenact.evaluation.judges import Judges
from reenact.evaluation.metrics.catalogue import METRICS, metrics_of
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.networks import Networks
from reenact.evaluation.pairs.shots import COLUMNS as SHOTS
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.rows import Drawn, Row, real
from reenact.evaluation.sequences import previous_rows
from reenact.evaluation.statistics import Interval, jackknife_interval, leave_one_out
from reenact.evaluation.summary import FOUND, KINDS, counts_of, found_by, identities_of
from reenact.progress import progress


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One row's pictures for pairs of one protocol, beside the real ones; see metrics.metric.Views."""

    pairs: pd.DataFrame
    generated: Reading
    source: Reading
    driving: Reading
    truth: Reading
    judges: Judges

    def read_for(self, metric: str) -> "Scored":
        """The same as the metric's judge reads it."""
        judge = self.judges.of(metric)
        if judge is self.judges.default:
            return self
        roles = ("generated", "source", "driving", "truth")
        return replace(self, **{role: getattr(self, role).by(judge) for role in roles})

    @property
    def networks(self) -> Networks:
        """The user's own networks."""
        return self.judges.networks

    @cached_property
    def previous(self) -> NDArray[np.intp]:
        """(N,) the row of the frame before in the same sequence; -1 where there is none."""
        return previous_rows(self.pairs)


def score(rows: Mapping[str, Row], pairs: pd.DataFrame, pictures: Pictures, judges: Judges) -> dict[str, list[Scored]]:
    """Draw every pair with every row and have it read: per row, the pairs of each split, kind and protocol."""
    result: dict[str, list[Scored]] = {name: [] for name in rows}
    for _, group in pairs.groupby(list(KINDS), sort=False):
        people = {role: pictures.people(list(group[f"{role}_clip"])) for role in ("source", "driving")}
        # The truth shows the person of the source, and so should what is drawn.
        people["truth"] = people["source"]
        reals = {
            role: _read(judges, real(pictures, group, role), people[role]) for role in ("source", "driving", "truth")
        }
        for name, row in rows.items():
            generated = _read(judges, row(group), people["source"])
            result[name].append(Scored(pairs=group, generated=generated, judges=judges, **reals))
    readings = (r for groups in result.values() for g in groups for r in (g.source, g.driving, g.truth, g.generated))
    judges.prepare(picture for reading in readings for picture in reading.shown)
    return result


def faces_table(scored: Mapping[str, list[Scored]]) -> pd.DataFrame:
    """A line per pair and row: what was compared, whether it could be judged, and every metric that applies."""
    tables = []
    everything = [(name, group) for name, groups in scored.items() for group in groups]
    for name, group in progress(everything, "judge: groups of pairs"):
        table = group.pairs.drop(columns=[*SHOTS], errors="ignore").reset_index(drop=True).assign(row=name)
        table["drawn"] = group.generated.usable
        table["face_found"] = group.generated.found
        protocol = str(table["protocol"].iloc[0])
        for metric in metrics_of(protocol, per_pair=True):
            assert metric.per_pair is not None
            if not group.judges.can_read(metric):
                continue
            views = group.read_for(metric.id)
            table[metric.id] = np.asarray(metric.per_pair(views), dtype=np.float64)
            if metric.id in group.judges.others:
                table[found_by(metric.id)] = views.generated.found
        tables.append(table)
    faces = pd.concat(tables, ignore_index=True)
    for metric in METRICS.values():
        if metric.per_pair and metric.id not in faces:
            faces[metric.id] = np.nan
    for column in [column for column in faces if str(column).startswith(FOUND)]:
        faces[column] = faces[column].eq(True)  # a metric makes no sense for some protocols
    return faces


def summarise_sets(scored: Mapping[str, list[Scored]]) -> list[dict[str, Any]]:
    """The same records for metrics of whole sets; a row's set are the pairs that could be judged.

    `left_out` is the figure without each person of pairs within a person, by which two rows can be tested.
    """
    records = []
    for name, groups in scored.items():
        for group in groups:
            facts = {kind: str(group.pairs[kind].iloc[0]) for kind in KINDS}
            for metric in metrics_of(facts["protocol"], per_pair=False):
                views = group.read_for(metric.id)
                table = group.pairs.assign(drawn=views.generated.usable, face_found=views.generated.found)
                if metric.id in group.judges.others:
                    table[found_by(metric.id)] = table["face_found"]
                can = group.judges.can_read(metric)
                interval, left_out = _of_set(metric, views) if can else (Interval(value=np.nan), {})
                records.append({**facts, "row": name, "metric": metric.id, **interval.plain(), "left_out": left_out,
                                **counts_of(table, metric.id), "versus_copy": None})  # fmt: skip
    return records


def _read(judges: Judges, drawn: Drawn, people: People) -> Reading:
    if drawn.real:
        judges.cache.keep(list(drawn.pictures))
    return Reading(judges.default, drawn.pictures, drawn.usable, people)


def _of_set(metric: Metric, group: Scored) -> tuple[Interval, dict[str, float]]:
    assert metric.features is not None
    assert metric.of_sets is not None
    of_sets = metric.of_sets
    fake, real_ = metric.features(group)
    judged = np.isfinite(fake).all(axis=1) & np.isfinite(real_).all(axis=1)
    pairs = group.pairs[judged]
    # The order of the rows must not move the last bits.
    order = np.argsort(pairs["pair"].to_numpy(), kind="stable")
    pairs, fake, real_ = pairs.iloc[order], fake[judged][order], real_[judged][order]
    people = identities_of(pairs.set_index("pair"), list(pairs["pair"]), indexed=True)
    value = of_sets(fake, real_)
    left_out = leave_one_out(lambda keep: of_sets(fake[keep], real_[keep]), people, n=len(pairs))
    interval = jackknife_interval(value, left_out, n=len(pairs))
    low, high = np.clip([interval.low, interval.high], *metric.range)  # NaN stays NaN
    told = left_out[0] if len(left_out) == 1 and np.isfinite(interval.low) else {}
    return replace(interval, low=float(low), high=float(high)), told
