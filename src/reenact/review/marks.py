"""Tags by which a version says what the gate found: `gate`, `gate.sha256` (of verdict.json), `gate.champion`."""

from pathlib import Path
from typing import TYPE_CHECKING

from reenact.hashing import hash_file
from reenact.review.verdict import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

GATE, SHA256, AGAINST = "gate", "gate.sha256", "gate.champion"


def clear_marks(client: "MlflowClient", model: str, version: str) -> None:
    """Take an older verdict's mark away, so that whoever is stopped in between leaves none rather than a wrong one."""
    if GATE in client.get_model_version(model, version).tags:
        client.delete_model_version_tag(model, version, GATE)


def mark(client: "MlflowClient", model: str, version: str, verdict: Verdict, *, file: Path, champion: str = "") -> None:
    """Set the tags, `gate` (passed or failed) last; `gate.champion` is "" where there was nobody to compare with."""
    client.set_model_version_tag(model, version, SHA256, hash_file(file))
    client.set_model_version_tag(model, version, AGAINST, champion)
    client.set_model_version_tag(model, version, GATE, "passed" if verdict.passed else "failed")
