"""Hold the registered challenger against the champion on the same pairs; leave verdict and page for whoever decides."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.config import Runtime
from reenact.review.settings import GateSettings
from reenact.stages.evaluate import EvaluateSettings, Exam
from reenact.stages.result import StageResult
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.registry import RegistrySettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from reenact.review.subject import Review, Side
    from reenact.review.verdict import Verdict
    from reenact.review.versions import Known

VERDICT, TABLE, PAGE = "verdict.json", "verdict.md", "review.html"


def gate(
    *,
    registered: Path,
    frames: Path,
    landmarks: Path,
    actions: Path,
    validated: Path,
    guide: Path,
    out: Path,
    settings: GateSettings,
    evaluate: EvaluateSettings,
    tracking: TrackingSettings,
    registry: RegistrySettings,
    runtime: Runtime,
    segments: Path | None = None,
    videos: Path | None = None,
) -> StageResult:
    """Score both versions on the test pairs, write the verdict, mark the challenger with it and attach its page.

    `registered` names the challenger; the champion is whoever has that alias when the stage starts. Both are drawn and
    judged anew, whatever was measured before. A gate that is not passed is a result, no error. Nothing is promoted
    unless `registry.auto_promote` says so; a version that is champion already is scored, and left as it is.
    """
    from reenact.atomic import write_text
    from reenact.corpus.shards import write_stage
    from reenact.review.contest import contest
    from reenact.review.gate import check_rules
    from reenact.review.page import write_page
    from reenact.review.verdict import write_verdict
    from reenact.review.verdict_table import verdict_table
    from reenact.stages.exam import exam_of_test_pairs, reduced
    from reenact.tracking.connect import connect
    from reenact.tracking.errors import mlflow_errors

    check_rules(settings)
    with mlflow_errors():
        client, _ = connect(tracking)
        challenger, champion, reigns = contest(client, Path(registered))
    evaluate = reduced(evaluate)
    exam = exam_of_test_pairs(frames=frames, landmarks=landmarks, actions=actions, segments=segments,
                              validated=validated, guide=guide, videos=videos, settings=evaluate,
                              runtime=runtime)  # fmt: skip
    (out / "stage.json").unlink(missing_ok=True)
    with mlflow_errors():
        review, verdict = _judged(
            client, challenger, champion, exam, out, settings=settings, evaluate=evaluate, runtime=runtime
        )
    facts = {"challenger": _facts(challenger), "champion": _facts(champion) if champion else None}
    write_verdict(out / VERDICT, verdict, facts)
    write_text(out / TABLE, verdict_table(verdict))
    write_page(out / PAGE, review)
    if not reigns:
        with mlflow_errors():
            _deliver(client, out, review, verdict, against=champion.version if champion else "")
    write_stage(out, kind="gate", model=challenger.model, version=challenger.version, passed=verdict.passed)
    # what people decided about is theirs to decide about again
    promoted = registry.auto_promote and verdict.passed and not reigns and not challenger.review
    if promoted:
        with mlflow_errors():
            _promote(client, challenger)
    counts = {"passed": float(verdict.passed), "rules": float(len(verdict.rules)),
              "broken": float(len(verdict.failed)), "promoted": float(promoted)}  # fmt: skip
    said = f"version {challenger.version} is the champion already, and stays as it is"
    return StageResult(stage="gate", counts=counts, notes=(verdict.sentence(), *([said] if reigns else [])))


def _judged(
    client: "MlflowClient",
    challenger: "Known",
    champion: "Known | None",
    exam: Exam,
    out: Path,
    *,
    settings: GateSettings,
    evaluate: EvaluateSettings,
    runtime: Runtime,
) -> "tuple[Review, Verdict]":
    """Both evaluations below `out`, and what they say. A champion that this code can't score fails the gate."""
    from dataclasses import replace

    from reenact.errors import BadInput, NewerFormat, SettingsError
    from reenact.review.gate import cannot_compare
    from reenact.review.gate import gate as decide
    from reenact.review.subject import Review
    from reenact.stages.exam import score_version

    how: dict[str, Any] = {"exam": exam, "evaluate": evaluate, "runtime": runtime}
    sure: dict[str, int] = {"repeats": evaluate.bootstrap, "seed": evaluate.seed}
    ours = score_version(client, challenger, "challenger", out, **how)
    theirs: Side | None = None
    lost = ""
    shutil.rmtree(out / "champion", ignore_errors=True)  # of an earlier gate
    if champion:
        try:
            theirs = score_version(client, champion, "champion", out, **how)
        except (BadInput, NewerFormat, SettingsError) as error:
            lost = f"version {champion.version} can't be scored any more ({error})"
    exam.judges.cache.save()
    verdict = decide(ours.entry, theirs.entry if theirs else None, settings, **sure)
    if champion and lost:
        named = f"champion (version {champion.version})"
        verdict = replace(verdict, champion=named, rules=(*verdict.rules, cannot_compare(lost)))
    return Review(model=challenger.model, challenger=ours, champion=theirs, verdict=verdict, **sure), verdict


def _facts(version: "Known") -> Mapping[str, str]:
    return {"model": version.model, "version": version.version, "branch": version.branch,
            "weights_sha256": version.weights_sha256}  # fmt: skip


def _deliver(client: "MlflowClient", out: Path, review: "Review", verdict: "Verdict", *, against: str) -> None:
    """Page and verdict to the version, its tags last: a mark always has what it stands for behind it."""
    from reenact.review.attach import attach
    from reenact.review.marks import clear_marks, mark

    model, version = review.model, review.challenger.version
    clear_marks(client, model, version)
    figures = out / "challenger" / "metrics.json"  # what later scores of this version are held against
    attach(client, review, out / PAGE, files=[out / VERDICT, out / TABLE, figures])
    mark(client, model, version, verdict, file=out / VERDICT, champion=against)


def _promote(client: "MlflowClient", challenger: "Known") -> None:
    """Make it the champion because the settings say so; the decision is written down like anybody's."""
    from reenact.review.decisions import AUTO, approve

    reason = "registry.auto_promote is on, and the gate was passed"
    approve(client, challenger.model, challenger.version, by=AUTO, reason=reason)
