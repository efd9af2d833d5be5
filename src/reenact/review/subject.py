"""What a review is about: the challenger, the champion where there is one, and what the gate said of them."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.errors import BadInput, SettingsError
from reenact.evaluation.collect import Entry, read_entry
from reenact.reports.background import record
from reenact.review.verdict import Verdict
from reenact.systems.branch import Branch

if TYPE_CHECKING:
    from mlflow import MlflowClient

Record = Mapping[str, Any]
_STATUS = "train/status.json"  # where train leaves it with its run


@dataclass(frozen=True, kw_only=True)
class Side:
    """A version of the registered model as it was scored for this review."""

    version: str
    entry: Entry  # its evaluation; the row is called by role and version
    tags: Mapping[str, str]  # of the version
    run_id: str = ""  # of its training, "" where the registry names none
    status: Record = field(default_factory=dict)  # `status.json` of its training, {} where that is lost

    @property
    def name(self) -> str:
        """For example "challenger (version 7)"."""
        return self.entry.name

    @property
    def card(self) -> Record:
        """`model.json` as the evaluation kept it."""
        return self.entry.record.get("model") or {}

    def left(self, name: str) -> dict[str, Any]:
        """A JSON file that the evaluation left beside its figures; {} where there is none that can be read."""
        return record(self.entry.evaluation / name if self.entry.evaluation else None)


@dataclass(frozen=True, kw_only=True)
class Review:
    """All that the page of a version is made of."""

    model: str  # the registered model
    challenger: Side
    champion: Side | None = None
    verdict: Verdict | None = None  # None: the gate was not asked
    repeats: int = 1000  # of the bootstrap behind intervals
    seed: int = 0  # of bootstrap and tests

    @property
    def sides(self) -> tuple[Side, ...]:
        """The challenger, then the champion where there is one."""
        return (self.challenger,) if self.champion is None else (self.challenger, self.champion)

    @property
    def unscored(self) -> str:
        """The champion that the gate could not score, "" where there is none or where it could."""
        return self.verdict.champion if self.verdict and not self.champion else ""


def read_side(
    evaluation: Path,
    *,
    role: str,
    version: str,
    tags: Mapping[str, str],
    run_id: str = "",
    status: Record | None = None,
) -> Side:
    """The version whose evaluation lies in a folder; `role` is challenger or champion.

    Raises BadInput where the evaluation holds no figures: there is nothing to review then.
    """
    name = f"{role} (version {version})"
    entry = read_entry(evaluation, name=name, branch=_branch(tags.get("branch", "")))
    if entry.status != "trained":
        raise BadInput(f"{evaluation}: no figures of the {name} ({entry.reason}). Run the gate again.")
    return Side(version=version, entry=entry, tags=dict(tags), run_id=run_id, status=dict(status or {}))


def read_status(client: "MlflowClient", run_id: str) -> dict[str, Any]:
    """`status.json` that a training left with its run; {} where run or file is gone."""
    with tempfile.TemporaryDirectory() as folder:
        path = fetch_left(client, run_id, _STATUS, Path(folder))
        return record(path) if path else {}


def fetch_left(client: "MlflowClient", run_id: str, place: str, into: Path) -> Path | None:
    """A file that was left with a run as an artifact, fetched; None where run or file is gone, or no run is named."""
    from mlflow.exceptions import MlflowException

    if not run_id:
        return None
    try:
        listed = {item.path for item in client.list_artifacts(run_id, place.rpartition("/")[0] or None)}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise  # MLflow is away: that is no record that is lost
    return Path(client.download_artifacts(run_id, place, str(into))) if place in listed else None


def _branch(name: str) -> Branch | None:
    try:
        return Branch.parse(name)
    except SettingsError:
        return None
