"""Figures of a study's rows and the paired differences between them, by the names that its file uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.further_names import further, shots_name
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.reference_names import REFERENCES
from reenact.evaluation.significance import holm, set_difference
from reenact.evaluation.summary import identities_of, paired
from reenact.studies.settings import shots_in, split_name

SURE = 0.05  # of the corrected p
UNEQUAL = 0.05  # of the larger number of pictures: a Frechet distance grows as its pictures become fewer


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row's figure of one metric; None where it is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0  # pairs it is over
    people: int = 0
    pairs: int = 0  # that there are
    no_face: int = 0  # of these, where the metric's judge found no face in what was drawn


@dataclass(frozen=True, kw_only=True)
class Difference:
    """ours - theirs, paired; `better` is None where it may be chance."""

    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    people: int = 0
    p: float | None = None
    p_holm: float | None = None
    untested: str = ""  # why there is a difference, and no test of it

    @property
    def better(self) -> bool | None:
        """Whether ours is better, where the corrected test tells the two apart."""
        if self.value is None or self.p_holm is None or self.p_holm >= SURE:
            return None
        return (self.value < 0) == (METRICS[self.metric].direction == "lower")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The rows' evaluations; each is found by a row's name, or one with its shots behind it."""

    entries: Mapping[str, Entry]
    repeats: int = 1000
    seed: int = 0
    split: str = "test"

    def shots(self, name: str) -> int | None:
        """Source pictures a row was given; None where it has no figures."""
        row = split_name(name)[0]
        return shots_in(name) or (int(self.entries[row].record.get("shots", 1)) if self._trained(row) else None)

    def figure(self, name: str, metric: str, protocol: str) -> Figure:
        """Of unseen people where there are any."""
        result = self._result(name, metric, protocol)
        if result is None:
            return Figure()
        return Figure(**{key: result[key] for key in ("value", "low", "high", "n", "people", "pairs", "no_face")})

    def differences(self, ours: str, theirs: str, metrics: Sequence[str], protocol: str) -> list[Difference]:
        """One per metric, corrected for their number (Holm), on the pairs that both could be judged on."""
        found = [self._difference(ours, theirs, metric, protocol) for metric in metrics]
        corrected = holm([float("nan") if one.p is None else one.p for one in found])
        known = (None if p != p else p for p in corrected)
        return [replace(one, p_holm=p) for one, p in zip(found, known, strict=True)]

    def _difference(self, ours: str, theirs: str, metric: str, protocol: str) -> Difference:
        a, b = (self._result(name, metric, protocol) for name in (ours, theirs))
        if a is None or b is None or a["value"] is None or b["value"] is None:
            return Difference(metric=metric)
        if METRICS[metric].per_pair is None and abs(a["n"] - b["n"]) > UNEQUAL * max(a["n"], b["n"]):
            said = f"of {a['n']} and of {b['n']} pictures, too different to be tested"
            return Difference(metric=metric, value=a["value"] - b["value"], untested=said)
        if METRICS[metric].per_pair is None:
            left_out = (a.get("left_out") or {}, b.get("left_out") or {})
            interval, test = set_difference(a["value"], b["value"], left_out)
            facts = {**interval.plain(), **test.plain()}
        else:
            facts = self._by_pairs(a, b, ours, theirs, metric)
        return Difference(metric=metric, **{key: facts[key] for key in ("value", "low", "high", "people", "p")})

    def _by_pairs(
        self, a: Mapping[str, Any], b: Mapping[str, Any], ours: str, theirs: str, metric: str
    ) -> dict[str, Any]:
        mine, others = (self._faces(name, result) for name, result in ((ours, a), (theirs, b)))
        both = mine.index.intersection(others.index)
        people = identities_of(mine.loc[both], list(both), indexed=True)
        return paired(mine.loc[both, metric], others.loc[both, metric], people, repeats=self.repeats, seed=self.seed)

    def _faces(self, name: str, result: Mapping[str, Any]) -> pd.DataFrame:
        entry, _ = self._place(name)
        assert entry is not None, "a row with a result has an entry"
        faces = entry.faces
        wanted = {key: result[key] for key in ("row", "split", "protocol", "identities")}
        return faces[(faces[list(wanted)] == list(wanted.values())).all(axis=1)].set_index("pair")

    def _result(self, name: str, metric: str, protocol: str) -> dict[str, Any] | None:
        """The record of a figure; None where the row has none."""
        entry, row = self._place(name)
        wanted = {"row": row, "metric": metric, "split": self.split, "protocol": protocol}
        results = entry.record.get("results", ()) if entry else ()
        found = {r["identities"]: r for r in results if all(r[key] == value for key, value in wanted.items())}
        return found.get("unseen") or found.get("seen")

    def _place(self, name: str) -> tuple[Entry | None, str]:
        """The entry that holds a row, and the row's name in it; a reference is in any."""
        if name in REFERENCES:
            return next((entry for entry in self.entries.values() if entry.status == "trained"), None), name
        row, what = split_name(name)
        entry, shots = self.entries[row] if self._trained(row) else None, shots_in(name)
        if entry is None or not what or shots == int(entry.record.get("shots", 1)):
            return entry, row
        return entry, further(row, shots_name(shots) if shots else what)

    def _trained(self, row: str) -> bool:
        return row in self.entries and self.entries[row].status == "trained"
