"""From entries to a comparison: the table, what differs, who wins, what has to be said. Nothing is written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reenact.alarms.verdict import notes_on
from reenact.evaluation.bands import bands
from reenact.evaluation.choice import choose
from reenact.evaluation.collect import Entry
from reenact.evaluation.detection import detection
from reenact.evaluation.further_names import DRIVEN, FINETUNED, FITTED, further, landmark_rows
from reenact.evaluation.metric_check import rank_correlations
from reenact.evaluation.records import ONE_TRAINING
from reenact.evaluation.rule import ChooseSettings
from reenact.evaluation.table import build_table, differences
from reenact.evaluation.trainings import groups_of


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What all outputs of a comparison are made of."""

    entries: Sequence[Entry]
    table: pd.DataFrame  # see table.build_table; `choice`, `chosen` and `features` beside
    differences: pd.DataFrame
    winner: dict[str, Any]  # `branch` (None where none can win), `metric`, `value`, `rule`, `model`
    notes: Sequence[str]
    detection: Sequence[dict[str, Any]] = ()  # see evaluation.detection
    shared: Mapping[str, Any]  # what all records agree on: metrics, judge, image_size, pairs_sha256, range
    bands: pd.DataFrame = field(default_factory=pd.DataFrame)  # see bands.bands
    metric_check: pd.DataFrame = field(default_factory=pd.DataFrame)  # see metric_check; empty of too few rows

    @property
    def trained(self) -> list[Entry]:
        """Those with figures."""
        return [entry for entry in self.entries if entry.status == "trained"]

    @property
    def lost(self) -> list[str]:
        """The others: name, and why."""
        return [f"{e.name} ({e.status}: {e.reason})" for e in self.entries if e.status != "trained"]


def assemble(entries: Sequence[Entry], *, rule: ChooseSettings, repeats: int, seed: int) -> Comparison:
    """Compare entries on the test split; the winner is chosen on the split of the rule."""
    table = build_table(entries, split="test", repeats=repeats, seed=seed)
    versus = differences(entries, split="test", repeats=repeats, seed=seed)
    values, winner = choose(entries, rule)
    trained = [entry for entry in entries if entry.status == "trained"]
    networks = {entry.name: feature_network(entry.record) for entry in trained}
    table["choice"] = [values.get(name) for name in table["row"]]
    table["choice"] = table["choice"].astype("float64")
    table["chosen"] = table["row"] == winner
    table["features"] = [networks.get(name, "") for name in table["row"]]
    shared = ("judge", "image_size", "pairs_sha256", "range")
    return Comparison(
        entries=entries,
        table=table,
        differences=versus,
        winner={
            "branch": winner,
            "metric": f"{rule.protocol}_{rule.metric}",
            "value": values[winner] if winner else None,
            "rule": rule.plain(),
            "model": f"{winner}/train" if winner else None,  # below the folder of branches
        },
        detection=[
            record
            for entry in trained
            for record in detection(entry.faces, entry.name, split="test", repeats=repeats, seed=seed)
        ],
        notes=_notes(trained, networks),
        bands=bands(entries, split="test", repeats=repeats, seed=seed),
        metric_check=rank_correlations(table[table["status"] == "trained"]),
        shared={**{key: trained[0].record[key] for key in shared if trained}, "metrics": _metrics(trained)},
    )


def _metrics(trained: Sequence[Entry]) -> dict[str, Any]:
    """Each metric's record: of the first row that was read for it, since not every row may have had the network."""
    found: dict[str, Any] = {}
    for entry in trained:
        for name, metric in entry.record.get("metrics", {}).items():
            if name not in found or not found[name].get("weights_sha256"):
                found[name] = metric
    return found


def feature_network(record: Mapping[str, Any]) -> str:
    """Name and sha256 of the network behind a branch's perceptual and identity losses."""
    network = (record.get("model") or {}).get("features")
    return f"{network['name']} {network['sha256']}" if network else "none"


def _notes(trained: Sequence[Entry], networks: Mapping[str, str]) -> list[str]:
    notes = sorted({note for entry in trained for note in entry.record["notes"]})
    if groups_of(trained):
        notes = [note for note in notes if note != ONE_TRAINING]
        notes.append(
            "a row of one branch is one training: its intervals are over faces; in rows of several trainings the "
            "intervals are over persons and trainings"
        )
    notes += [note for entry in trained for note in notes_on(entry.record.get("alarms") or (), entry.name)]
    if any(landmark_rows(entry.name, entry.faces["row"].unique()) for entry in trained):
        notes.append(DRIVEN)
    if any((entry.faces["row"] == further(entry.name, FINETUNED)).any() for entry in trained):
        notes.append(FITTED)
    known = sorted({networks[entry.name] for entry in trained if entry.branch})
    return [*notes, *(f"feature network of the losses: {network}" for network in known)]
