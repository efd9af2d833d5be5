"""A registered version scored again on the test pairs: what `gate` and `rescore` share."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.config import Runtime
from reenact.stages.evaluate import EvaluateSettings, Exam

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from reenact.review.subject import Side
    from reenact.review.versions import Known


def reduced(settings: EvaluateSettings) -> EvaluateSettings:
    """Without what no rule looks at: further rows, sweeps and backgrounds."""
    from reenact.evaluation.editing_settings import BackgroundSettings, SweepSettings

    nothing = {"shot_curve": (), "retarget": (), "finetune": ()}
    return settings.model_copy(update={**nothing, "sweeps": SweepSettings(), "backgrounds": BackgroundSettings()})


def exam_of_test_pairs(
    *,
    frames: Path,
    landmarks: Path,
    actions: Path,
    segments: Path | None,
    validated: Path,
    videos: Path | None,
    settings: EvaluateSettings,
    runtime: Runtime,
    guide: Path | None = None,
) -> Exam:
    """The test pairs: those for choosing have chosen, and say nothing new."""
    from reenact.corpus.corpus import Corpus
    from reenact.errors import BadInput
    from reenact.stages.evaluate import judges_of, pairs_of

    corpus = Corpus(frames, landmarks=landmarks, actions=actions, segments=segments, validated=validated)
    pairs, seed = pairs_of(corpus, validated, settings, videos=videos)
    pairs = pairs[pairs["split"] == "test"].reset_index(drop=True)
    if pairs.empty:
        raise BadInput(
            f"{validated / 'split.parquet'}: no test pairs, so no version can be scored. Raise "
            "validate_data.split.test, or the counts below evaluate.test."
        )
    judges = judges_of(settings, runtime)
    return Exam(corpus=corpus, pairs=pairs, seed=seed, judges=judges, validated=validated, guide=guide, videos=videos)


def score_version(
    client: "MlflowClient",
    version: "Known",
    role: str,
    out: Path,
    *,
    exam: Exam,
    evaluate: EvaluateSettings,
    runtime: Runtime,
) -> "Side":
    """Score a registered version into `out`/ROLE, with the weights that the registry has of it.

    Raises BadInput, NewerFormat or SettingsError where this code can't score it; StorageError where MLflow is away.
    """
    from reenact.errors import BadInput
    from reenact.review.integrity import fetch_weights
    from reenact.review.subject import read_side, read_status
    from reenact.stages.evaluate import write_scores
    from reenact.systems.branch import Branch

    if not version.branch:
        raise BadInput(f"{version.model} version {version.version}: not registered by `reenact register` (no branch).")
    branch, status = Branch.parse(version.branch), read_status(client, version.run_id)
    folder = out / role
    with tempfile.TemporaryDirectory() as name:
        model = fetch_weights(client, version, Path(name))
        write_scores(folder, model=model, branch=branch, exam=exam, settings=evaluate, runtime=runtime,
                     alarms=status.get("alarms", []))  # fmt: skip
    return read_side(
        folder, role=role, version=version.version, tags=version.tags, run_id=version.run_id, status=status
    )
