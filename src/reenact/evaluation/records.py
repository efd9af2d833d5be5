"""What an evaluation leaves on disk: the status of a branch and its figures. Free of torch, for those who read."""

import json
from pathlib import Path
from typing import Any

from reenact.atomic import write_json
from reenact.corpus.shards import write_stage
from reenact.corpus.tables import FORMAT, check_format
from reenact.errors import BadInput

ONE_TRAINING = "one training: intervals are over faces, not over trainings"  # a note of every branch's record


def read_status(model: Path) -> dict[str, Any]:
    """`status.json` of a training: `status` is trained or failed, then with a `reason`."""
    path = model / "status.json"
    if not path.exists():
        raise BadInput(f"{path}: no record of how the training ended. Run train for this branch again.")
    return dict(json.loads(path.read_text()))


def write_failed(out: Path, *, branch: str, reason: str) -> None:
    """The record of a branch whose training failed: no figures, the reason."""
    record = {"format": FORMAT, "branch": branch, "status": "failed", "reason": reason, "results": []}
    write_json(out / "metrics.json", record)
    write_stage(out, kind="evaluation", branch=branch, status="failed", reason=reason)


def read_metrics(folder: Path) -> dict[str, Any]:
    """`metrics.json` of an evaluation."""
    path = folder / "metrics.json"
    try:
        record = dict(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: can't be read ({error}). Run evaluate for this branch again.") from None
    check_format(path, int(record["format"]))
    return record
