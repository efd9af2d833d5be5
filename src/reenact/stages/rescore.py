"""Score the champion again on today's test pairs, and decide whether a new model is needed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.config import Runtime
from reenact.review.settings import RescoreSettings
from reenact.stages.evaluate import EvaluateSettings
from reenact.stages.result import StageResult
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.registry import RegistrySettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from reenact.review.rescoring import Held
    from reenact.review.versions import Known
    from reenact.stages.evaluate import Exam

DECISION, TABLE = "decision.json", "decision.md"


def rescore(
    *,
    drift: Path,
    frames: Path,
    landmarks: Path,
    actions: Path,
    validated: Path,
    out: Path,
    settings: RescoreSettings,
    evaluate: EvaluateSettings,
    tracking: TrackingSettings,
    registry: RegistrySettings,
    runtime: Runtime,
    segments: Path | None = None,
    videos: Path | None = None,
) -> StageResult:
    """Write `decision.json` and `decision.md`: whether a new model is needed, and each reason as a sentence.

    `drift` is the folder of the stage of that name; the champion is whom it named, of `registry.model`. Its registered
    weights are scored again and held against what the gate attached to it. One that this code can't score any more is
    a need. Where a later version has seen this data already nothing is needed: a person decides about that one.
    Raises StorageError where MLflow is away.
    """
    from reenact.atomic import write_json, write_text
    from reenact.corpus.shards import write_stage
    from reenact.corpus.tables import FORMAT
    from reenact.review.versions import find
    from reenact.stages.exam import exam_of_test_pairs, reduced
    from reenact.tracking.connect import connect
    from reenact.tracking.errors import mlflow_errors

    found = _drift(drift)
    (out / "stage.json").unlink(missing_ok=True)
    reasons, notes, lines = list(found["reasons"]), list(found["notes"]), list[Mapping[str, Any]]()
    if found["champion"]:
        evaluate = reduced(evaluate)
        exam = exam_of_test_pairs(frames=frames, landmarks=landmarks, actions=actions, segments=segments,
                                  validated=validated, videos=videos, settings=evaluate, runtime=runtime)  # fmt: skip
        with mlflow_errors("rescore"):
            client, _ = connect(tracking)
            champion = find(client, registry.model, found["champion"]["version"])
            why, more, held = _scored(
                client, champion, out, exam, settings=settings, evaluate=evaluate, runtime=runtime
            )
        reasons, notes = [*reasons, *why], [*notes, *more]
        lines = [vars(line) for line in held]
    needed = bool(reasons) and not found["answered"]
    decision = {"needed": needed, "reasons": reasons, "notes": notes, "model": registry.model,
                "champion": found["champion"], "answered": found["answered"], "figures": lines}  # fmt: skip
    write_json(out / DECISION, {"format": FORMAT, "kind": "decision", **decision, "settings": settings.plain()})
    write_text(out / TABLE, decision_table(decision))
    write_stage(out, kind="decision", model=registry.model, needed=needed)
    counts = {"needed": float(needed), "reasons": float(len(reasons)), "figures": float(len(lines)),
              "worse": float(sum(line["worse"] for line in lines))}  # fmt: skip
    return StageResult(stage="rescore", counts=counts, notes=(_headline(decision), *reasons, *notes))


def decision_table(decision: Mapping[str, Any]) -> str:
    """The decision in Markdown: what it is, why, what else is to be known, and each figure then and now."""
    lines = [f"# {_headline(decision)}", "", *_bullets("reason", decision["reasons"])]
    lines += _bullets("note", decision["notes"])
    if decision["figures"]:
        lines += ["", "| | figure | found |", "| --- | --- | --- |"]
        for line in decision["figures"]:
            cells = ["**worse**" if line["worse"] else "kept", line["name"], line["sentence"]]
            lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _drift(folder: Path) -> dict[str, Any]:
    from reenact.corpus.shards import read_stage
    from reenact.corpus.tables import check_format
    from reenact.errors import BadInput
    from reenact.stages.drift import FOUND

    read_stage(folder, kind="drift")
    try:
        found = dict(json.loads((folder / FOUND).read_text(encoding="utf-8")))
        check_format(folder / FOUND, int(found["format"]))
        return {name: found[name] for name in ("champion", "answered", "reasons", "notes")}
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder / FOUND}: can't be read ({error}). Run drift again.") from None


def _scored(
    client: "MlflowClient",
    champion: "Known",
    out: Path,
    exam: "Exam",
    *,
    settings: RescoreSettings,
    evaluate: EvaluateSettings,
    runtime: Runtime,
) -> "tuple[list[str], list[str], list[Held]]":
    """(reasons, notes, figures then and now) of the champion."""
    from reenact.errors import BadInput, NewerFormat, SettingsError
    from reenact.review.before import read_before
    from reenact.review.rescoring import rescored
    from reenact.stages.exam import score_version

    before = read_before(client, champion)
    notes = [f"{before.lost}, so its figures can't be held against earlier ones"] if before.lost else []
    try:
        side = score_version(client, champion, "champion", out, exam=exam, evaluate=evaluate, runtime=runtime)
    except (BadInput, NewerFormat, SettingsError) as error:
        return [f"version {champion.version} can't be scored any more ({error})"], notes, []
    exam.judges.cache.save()
    held = rescored(before, side.entry, settings)
    return [line.sentence for line in held if line.worse], notes, held


def _headline(decision: Mapping[str, Any]) -> str:
    if decision["needed"]:
        return "A new model is needed"
    answered = decision["answered"]
    if decision["reasons"] and answered:
        return f"Nothing to train: version {answered['version']} is of this data already"
    return "Nothing to train: the champion stays"


def _bullets(word: str, sentences: Sequence[str]) -> list[str]:
    return [f"- {word}: {' '.join(sentence.split())}" for sentence in sentences]
