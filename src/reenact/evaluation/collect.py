"""What became of each branch that was to be compared: scored, failed, missing, or not comparable."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.evaluation.records import read_metrics
from reenact.systems.branch import Branch

Status = Literal["trained", "failed", "missing", "not comparable"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A branch of the comparison; `record` and `faces` are there when its status is `trained`."""

    branch: Branch
    status: Status
    reason: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    faces: pd.DataFrame = field(default_factory=pd.DataFrame)


def collect(branches: Path, expected: Sequence[Branch]) -> list[Entry]:
    """An entry per expected branch, in their order; one that can't be read is missing, the others are compared."""
    entries = [_entry(branches / branch.name, branch) for branch in expected]
    first = next((entry for entry in entries if entry.status == "trained"), None)
    return [entry if first is None else _comparable(entry, first) for entry in entries]


def _entry(folder: Path, branch: Branch) -> Entry:
    if not (folder / "evaluate" / "stage.json").exists():
        return _without_evaluation(folder, branch)
    try:
        record = read_metrics(folder / "evaluate")
        if record["status"] != "trained":
            return Entry(branch=branch, status="failed", reason=str(record["reason"]))
        faces = read_table(folder / "evaluate" / "faces.parquet", kind="scores")
    except BadInput as error:
        return Entry(branch=branch, status="missing", reason=str(error))
    if _other_weights(folder / "train", record):
        return Entry(branch=branch, status="missing", reason="the evaluation is of an older training")
    return Entry(branch=branch, status="trained", record=record, faces=faces)


def _without_evaluation(folder: Path, branch: Branch) -> Entry:
    status = folder / "train" / "status.json"
    try:
        found = json.loads(status.read_text())
    except (OSError, ValueError):
        return Entry(branch=branch, status="missing", reason="its training left no record")
    if found.get("status") == "failed":
        return Entry(branch=branch, status="failed", reason=str(found.get("reason", "unknown")))
    return Entry(branch=branch, status="missing", reason="trained, but its evaluation left no record")


def _other_weights(train: Path, record: dict[str, Any]) -> bool:
    card = train / "model.json"
    if not card.exists():
        return False  # the evaluations may have been copied without the models
    return bool(json.loads(card.read_text())["sha256"] != record["model"]["sha256"])


def _comparable(entry: Entry, first: Entry) -> Entry:
    """Refuse to put figures of other pairs, another picture size or another judge into one table."""
    if entry.status != "trained":
        return entry
    differing = [name for name in ("pairs_sha256", "image_size", "judge") if entry.record[name] != first.record[name]]
    if not differing:
        return entry
    what = {"pairs_sha256": "list of pairs", "image_size": "picture size", "judge": "judge"}
    reason = f"another {' and '.join(what[name] for name in differing)} than {first.branch.name}: evaluate it again"
    return Entry(branch=entry.branch, status="not comparable", reason=reason)
