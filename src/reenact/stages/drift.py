"""Hold today's data against what the champion was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reenact.config import Settings
from reenact.stages.result import StageResult
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.registry import RegistrySettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from reenact.evaluation.profile import Profile

FOUND, TABLE, PAGE = "drift.json", "drift.md", "drift.html"


class DriftSettings(Settings):
    """Block `drift`: from when the data counts as other data; see evaluation/drift.py."""

    psi: float = Field(default=0.2, ge=0)  # stability index of a column
    ks: float = Field(default=0.15, ge=0, le=1)  # distance of its distribution functions
    level: float = Field(default=0.05, gt=0, lt=1)  # chance that people dealt at random differ as much, all columns
    growth: float = Field(default=0.25, gt=0)  # share by which the frames in use have become more
    new_people: float = Field(default=0.25, gt=0)  # share of the people who were not trained on; over 1: never
    without_profile: bool = False  # whether a champion whose training left no profile counts as drifted from
    repeats: int = Field(default=1000, ge=20)
    seed: int = Field(default=0, ge=0)


def drift(
    *,
    validated: Path,
    out: Path,
    settings: DriftSettings,
    tracking: TrackingSettings,
    registry: RegistrySettings,
) -> StageResult:
    """Write `drift.json`, `drift.md` and a page: what moved since the champion was trained, and whether that is enough.

    No champion is a need. So is drift, unless a version that came after the champion has seen this data already: then
    a person decides about that one. A champion without profile is unknown, which is a need only where the settings
    say so. Raises StorageError where MLflow is away: nobody knows then.
    """
    from reenact.atomic import write_json, write_text
    from reenact.corpus.shards import read_stage, write_stage
    from reenact.corpus.tables import FORMAT
    from reenact.evaluation.profile import PROFILE, read_profile
    from reenact.reports.drift import drift_table, write_drift_page
    from reenact.tracking.connect import connect
    from reenact.tracking.errors import mlflow_errors

    read_stage(validated, kind="validated")
    now = read_profile(validated / PROFILE)
    (out / "stage.json").unlink(missing_ok=True)
    with mlflow_errors("drift"):
        client, _ = connect(tracking)
        found = _found(client, registry.model, now, settings)
    record = {"format": FORMAT, "kind": "drift", **found, "settings": settings.plain()}
    write_json(out / FOUND, record)
    write_text(out / TABLE, drift_table(record))
    write_drift_page(out / PAGE, record)
    write_stage(out, kind="drift", model=registry.model, needed=record["needed"])
    columns = (record["drift"] or {}).get("columns", [])
    counts = {"needed": float(record["needed"]), "columns": float(len(columns)),
              "drifted": float(sum(column["drifted"] for column in columns))}  # fmt: skip
    return StageResult(stage="drift", counts=counts, notes=(*record["reasons"], *record["notes"]))


def _found(client: "MlflowClient", model: str, now: "Profile", settings: DriftSettings) -> dict[str, Any]:
    """`needed`, `reasons` and `notes` in sentences, `champion`, `answered` and, where both are known, `drift`."""
    from dataclasses import asdict

    from reenact.evaluation.drift import drift as compare
    from reenact.review.contest import champion_of
    from reenact.review.trained_on import answering, state, trained_on

    limits = {name: value for name, value in settings.plain().items() if name != "without_profile"}
    champion = champion_of(client, model)
    reasons: list[str] = []
    notes: list[str] = []
    compared = None
    if champion is None:
        reasons.append(f'"{model}" has no champion')
    else:
        then, why = trained_on(client, champion)
        compared = compare(then, now, **limits) if then else None
        if compared:
            reasons += compared.reasons
            notes += compared.notes
        else:
            (reasons if settings.without_profile else notes).append(f"whether the data drifted is not known: {why}")
    answer = answering(client, model, champion, lambda profile: not compare(profile, now, **limits).found)
    if answer:
        notes.append(f"version {answer.version} was trained on data like this already: {state(answer)}")
    return {
        "needed": bool(reasons) and not answer,
        "reasons": reasons,
        "notes": notes,
        "model": model,
        "champion": _facts(champion),
        "answered": _facts(answer),
        "drift": asdict(compared) if compared else None,
        "data": {"frames": now.frames, "stored": now.stored, "clips": now.clips, "people": len(now.people)},
    }


def _facts(version: Any) -> Mapping[str, str] | None:
    if version is None:
        return None
    names = ("version", "branch", "gate", "review", "run_id", "weights_sha256")
    return {name: getattr(version, name) for name in names}
