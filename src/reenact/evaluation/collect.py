"""What became of each branch that was to be compared: scored, failed, missing, or not comparable.

Beside the branches stand evaluations of other people's pictures (`evaluate --predictions`), rows of kind `prediction`.
"""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from reenact.corpus.shards import read_stage
from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.evaluation.further_names import renamed
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.records import read_metrics
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.systems.branch import Branch

SAME = 0.01  # share by which the mean error of the same pictures may differ
Status = Literal["trained", "failed", "missing", "not comparable"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the comparison; `record` and `faces`, whose own row has this name, are there when it is `trained`."""

    name: str
    branch: Branch | None  # None: pictures of another method
    status: Status
    reason: str = ""
    run: str = ""  # whose it is, where several are compared
    evaluation: Path | None = None  # folders, where there are such
    training: Path | None = None
    record: dict[str, Any] = field(default_factory=dict)
    faces: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def kind(self) -> Literal["branch", "prediction"]:
        """What the table calls such a row."""
        return "branch" if self.branch else "prediction"


def collect(branches: Path, expected: Sequence[Branch], predictions: Sequence[Path] = ()) -> list[Entry]:
    """An entry per expected branch and per folder of `predictions`, in their order.

    What can't be read is missing, the others are compared.
    """
    entries = [entry_of(branches / branch.name, branch) for branch in expected]
    for folder in {folder.resolve(): folder for folder in predictions}.values():  # given twice is one row
        entries.append(_prediction(folder, {entry.name for entry in entries}))
    return comparable(entries)


def comparable(entries: Sequence[Entry]) -> list[Entry]:
    """The entries; one with other pairs, another picture size or another judge than the first scored one is refused."""
    first = next((entry for entry in entries if entry.status == "trained"), None)
    if first is None:
        return list(entries)
    # A metric's column is that of the first branch that has one: not all need have been given its network.
    read: dict[str, dict[str, Any]] = {}
    checked = []
    for entry in entries:
        checked.append(_comparable(entry, first, read))
        for name, metric in checked[-1].record.get("metrics", {}).items():
            if _is_read(metric):
                read.setdefault(name, metric)
    return checked


def entry_of(folder: Path, branch: Branch, *, name: str = "", run: str = "") -> Entry:
    """What became of the branch whose train/ and evaluate/ lie in `folder`, as a row of its own or another name."""
    facts: dict[str, Any] = {"name": name or branch.name, "branch": branch, "run": run, "training": folder / "train"}
    if not (folder / "evaluate" / "stage.json").exists():
        return _without_evaluation(facts)
    entry = replace(read_entry(folder / "evaluate", name=facts["name"], branch=branch), **facts)
    if entry.status == "trained" and _other_weights(folder / "train", entry.record):
        return _without_figures(entry, "missing", "the evaluation is of an older training")
    return entry


def _prediction(folder: Path, taken: Set[str]) -> Entry:
    """An evaluation of another method's pictures, named as its record says; a name that is taken gets its folder's."""
    entry = read_entry(folder, name=None, branch=None)
    return read_entry(folder, name=f"{entry.name} ({folder})", branch=None) if entry.name in taken else entry


def read_entry(folder: Path, *, name: str | None, branch: Branch | None) -> Entry:
    """The evaluation in a folder as a row of this name; without a name, as the record calls itself."""
    facts: dict[str, Any] = {"name": name or folder.name, "branch": branch, "evaluation": folder}
    try:
        read_stage(folder, kind="evaluation")
        record = read_metrics(folder)
        own = str(record["branch"])
        facts["name"] = name or own
        if record["status"] != "trained":
            return Entry(**facts, status="failed", reason=str(record["reason"]))
        faces = _of_today(read_table(folder / "faces.parquet", kind="scores"))
    except BadInput as error:
        return Entry(**facts, status="missing", reason=str(error))
    if own != facts["name"]:
        faces["row"] = [renamed(str(row), own, facts["name"]) for row in faces["row"]]
        results = [{**r, "row": renamed(str(r["row"]), own, facts["name"])} for r in record["results"]]
        notes = [_renamed_note(str(note), own, facts["name"]) for note in record.get("notes", [])]
        record = {**record, "results": results, "notes": notes}
    return Entry(**facts, status="trained", record=record, faces=faces)


def _renamed_note(note: str, old: str, new: str) -> str:
    """What is said of a row begins with its name: `mixed: 3 pictures are missing`."""
    return new + note[len(old) :] if note.startswith(f"{old}: ") else note


def _of_today(faces: pd.DataFrame) -> pd.DataFrame:
    """Scores with an empty column for each metric that came after they were made."""
    later = [metric.id for metric in METRICS.values() if metric.per_pair and metric.id not in faces]
    return faces.assign(**dict.fromkeys(later, float("nan")))


def _without_evaluation(facts: dict[str, Any]) -> Entry:
    status = facts["training"] / "status.json"
    try:
        found = json.loads(status.read_text())
    except (OSError, ValueError):
        return Entry(**facts, status="missing", reason="its training left no record")
    if found.get("status") == "failed":
        return Entry(**facts, status="failed", reason=str(found.get("reason", "unknown")))
    return Entry(**facts, status="missing", reason="trained, but its evaluation left no record")


def _other_weights(train: Path, record: dict[str, Any]) -> bool:
    card = train / "model.json"
    if not card.exists():
        return False  # the evaluations may have been copied without the models
    return bool(json.loads(card.read_text())["sha256"] != record["model"]["sha256"])


def _comparable(entry: Entry, first: Entry, read: Mapping[str, dict[str, Any]]) -> Entry:
    """Refuse to put figures of other pairs, another picture size or another judge into one table.

    Rows may differ in their number of source pictures: all are of the same pairs, and more shots are never other shots.
    """
    if entry.status != "trained":
        return entry
    what = {"pairs_sha256": "list of pairs", "image_size": "picture size"}
    differing = [words for name, words in what.items() if entry.record[name] != first.record[name]]
    if not differing and _other_pictures(entry.faces, first.faces):
        differing.append("corpus behind pairs of the same names")
    differing += _other_judges(entry.record, read)
    if not differing:
        return entry
    reason = f"another {' and another '.join(differing)} than {first.name}: evaluate it again"
    return _without_figures(entry, "not comparable", reason)


def _other_pictures(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Whether pairs of one name show other pictures: copying their sources then errs by something else.

    A list names clips and frames, and clips of two corpora may have the same names. What another machine's decoder
    changes is far below one per cent.
    """
    a, b = (faces[faces["row"] == COPY_SOURCE].set_index("pair")["mse"] for faces in (ours, theirs))
    both = pd.concat([a, b], axis=1, join="inner", keys=["ours", "theirs"]).dropna()
    return bool((both["ours"] - both["theirs"]).abs().sum() > SAME * both["theirs"].sum())


def _other_judges(record: Mapping[str, Any], read: Mapping[str, dict[str, Any]]) -> list[str]:
    """Who read for which metrics, where that is not who `read` for those before."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, ours in record["metrics"].items():
        theirs = read.get(name, ours)
        if _is_read(ours) and any(ours.get(key) != theirs.get(key) for key in ("judge", "weights_sha256")):
            found.setdefault((_judge(ours), _judge(theirs)), []).append(name)
    return [
        f"judge of {', '.join(names)} ({ours if ours != theirs else f'{ours} of other files'}, there {theirs})"
        for (ours, theirs), names in found.items()
    ]


def _is_read(metric: Mapping[str, Any]) -> bool:
    """Whether a judge or network stands behind a metric's figures: pixels need none, some have no network."""
    return bool(metric.get("judge") or metric.get("weights_sha256"))


def _judge(metric: dict[str, Any]) -> str:
    judge, network = metric.get("judge"), metric.get("network")
    by = [*([network] if network else []), *([f"{judge['name']} at {judge['size']} px"] if judge else [])]
    return " by ".join(by) or "none"


def _without_figures(entry: Entry, status: Status, reason: str) -> Entry:
    return replace(entry, status=status, reason=reason, record={}, faces=pd.DataFrame())
