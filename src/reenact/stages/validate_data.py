"""Check the corpus before anything is trained on it, and decide who is trained on, chosen on and tested on."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.corpus.frame_limits import FrameLimits
from reenact.errors import ValidationFailed
from reenact.stages.result import StageResult

if TYPE_CHECKING:
    import pandas as pd

    from reenact.corpus.checks import Outcome
    from reenact.corpus.keep import Kept


class SplitSettings(Settings):
    """Shares of identities (or, below `min_identities`, of each clip's time); see corpus/splits.py."""

    val: float = Field(default=0.15, ge=0, lt=1)
    test: float = Field(default=0.15, ge=0, lt=1)
    salt: str = "reenact"  # another salt deals the identities anew
    min_identities: int = Field(default=12, ge=0)
    gap_seconds: float = Field(default=2.0, ge=0)
    official: bool | Literal["auto"] = "auto"  # the data set's own list: auto takes it where there is one

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.val + self.test >= 1:
            raise ValueError("val and test together leave nothing to train on")
        return self


class QualityLimits(FrameLimits):
    """Limits that most frames have to keep."""

    share: float = Field(default=0.9, ge=0, le=1)  # of the frames


class CriticalSettings(Settings):
    """What stops the run."""

    min_clips: int = Field(default=1, ge=1)
    min_found: float = Field(default=0.5, ge=0, le=1)  # share of all frames with landmarks, and with action units
    max_fit_error: float = Field(default=0.5, gt=0)  # outer eye distances, for 95 % of found frames
    quality: QualityLimits = QualityLimits()


class WarningSettings(Settings):
    """What is said, and the run goes on."""

    min_frames: int = Field(default=8, ge=0)  # stored frames of a clip
    min_found: float = Field(default=0.8, ge=0, le=1)  # share of each clip's frames with landmarks
    max_fit_error: float = Field(default=0.15, gt=0)  # outer eye distances, for 95 % of found frames
    max_lost: float = Field(default=0.5, ge=0, le=1)  # share of each clip's frames without a face
    max_quarantined: float = Field(default=0.2, ge=0, le=1)  # share of the files
    quality: QualityLimits = QualityLimits(
        max_blur=0.65, min_exposure=0.15, max_exposure=0.85, max_clipped=0.1, min_face_size=48.0, max_occlusion=0.2
    )


class DuplicateSettings(Settings):
    """When pictures count as the same; see corpus/duplicates.py and docs/data.md."""

    check: bool = True
    per_clip: int = Field(default=24, ge=1)  # frames looked at
    distance: int = Field(default=24, ge=0, le=64)  # of 255 bits


class ValidateDataSettings(Settings):
    """Block `validate_data`."""

    split: SplitSettings = SplitSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    review_clips: int = Field(default=24, ge=0)  # on the page labels.html, the worst first; 0: no page
    require_rights: tuple[Literal["licence", "consent", "source", "contact"], ...] = ()  # critical where not stated
    keep: FrameLimits = FrameLimits()  # frames beyond a limit are not used
    critical: CriticalSettings = CriticalSettings()
    warning: WarningSettings = WarningSettings()


def validate_data(
    *,
    videos: Path,
    frames: Path,
    landmarks: Path,
    actions: Path,
    out: Path,
    settings: ValidateDataSettings,
    segments: Path | None = None,
) -> StageResult:
    """Write checks, label quality, rights, two pages to look at and, if nothing critical failed, `split.parquet`.

    Of `videos` only the truth beside rendered clips is read. Raises ValidationFailed after the checks are written and
    what failed is printed.
    """
    from reenact.atomic import write_json
    from reenact.corpus.checks import outcomes_table
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.keep import keep_outcomes, kept_frames, write_usable
    from reenact.corpus.rights import rights_of
    from reenact.corpus.shards import read_stage, write_stage
    from reenact.corpus.stills import sequences, still_notes
    from reenact.corpus.tables import write_table
    from reenact.evaluation.data_facts import QUALITY, quality_records
    from reenact.labelling.label_quality import label_quality
    from reenact.labelling.shard_work import keep_only
    from reenact.reports.label_review import worst_clips, write_review
    from reenact.reports.thumbnails import exhibits
    from reenact.reports.validation import failures_text, write_validation

    for folder, kind in ((videos, "videos"), (frames, "frames"), (landmarks, "landmarks"), (actions, "actions")):
        read_stage(folder, kind=kind)
    if segments is not None:
        read_stage(segments, kind="segments")
    (out / "stage.json").unlink(missing_ok=True)
    clips, labels, quarantined = _read(frames, landmarks, actions)
    clips = _with_contact(clips, videos)
    corpus = Corpus(frames, landmarks=landmarks, actions=actions)
    outcomes, split = _check(clips, labels, quarantined, settings, frames)
    kept = kept_frames(labels, settings.keep)
    outcomes += keep_outcomes(kept, labels, split, sequences(clips))
    checks = outcomes_table(outcomes)
    write_table(out / "checks.parquet", checks, kind="checks")
    quality = label_quality(videos=videos, frames=frames, landmarks=landmarks, actions=actions, segments=segments)
    write_json(out / QUALITY, quality)
    rights = rights_of(clips)
    write_json(out / "rights.json", rights)
    write_validation(
        out / "validation.html", checks, split, quality_records(quality), rights=rights,
        pictures=exhibits(outcomes, corpus),
    )  # fmt: skip
    if settings.review_clips:
        write_review(out / "labels.html", corpus, worst_clips(corpus, settings.review_clips), segments=segments)
    failed = checks[~checks["passed"]]
    if len(failed):
        from reenact.progress import say

        say(failures_text(failed))
    critical = failed[failed["level"] == "critical"]
    if len(critical) or split is None:
        worst = critical.iloc[0]
        raise ValidationFailed(
            f"{len(critical)} critical check(s) failed, first: {worst['table']}: {worst['check']} "
            f"({worst['detail'] or worst['observed']}). All of them: {out / 'checks.parquet'} and validation.html."
        )
    write_table(out / "split.parquet", split, kind="split")
    keep_only(out, write_usable(out, clips, labels, kept))
    by = ", ".join(sorted(set(split["by"])))
    write_stage(out, kind="validated", split_by=by, warnings=len(failed))
    return _result(split, checks, kept, still_notes(clips))


def _result(split: "pd.DataFrame", checks: "pd.DataFrame", kept: "Kept", notes: Iterable[str]) -> StageResult:
    counts = {f"{name}_identities": float(part["identity"].nunique()) for name, part in split.groupby("split")}
    counts |= {"checks": float(len(checks)), "warnings": float((~checks["passed"]).sum())}
    notes = [*notes]
    if kept.dropped:
        counts["frames_not_used"] = float((~kept.rows).sum())
        notes.append(kept.sentence())
    if "time" in set(split["by"]):
        notes.append("few identities: clips are split by time, so results are for seen identities")
        cut = split.groupby("clip")["split"].nunique()
        short = cut[cut == 1].index.tolist()
        if short:
            notes.append(f"too short to be cut, train only: {', '.join(map(str, short))}")
    return StageResult(stage="validate_data", counts=counts, notes=tuple(notes))


def _with_contact(clips: "pd.DataFrame", videos: Path) -> "pd.DataFrame":
    """Whom to ask about a clip stays with the videos: frames don't depend on it."""
    from reenact.corpus.tables import read_table

    table = read_table(videos / "clips.parquet", kind="videos")
    if "contact" not in table:
        return clips
    contact = table.drop_duplicates("clip").set_index("clip")["contact"]
    return clips.assign(contact=clips["video" if "video" in clips else "clip"].map(contact).fillna(""))


def _read(frames: Path, landmarks: Path, actions: Path) -> tuple["pd.DataFrame", "pd.DataFrame", list[str]]:
    """(clips, one row per stored frame with its labels, clips that were set aside)."""
    import numpy as np
    import pandas as pd

    from reenact.corpus.shards import has_array, read_array, read_rows
    from reenact.corpus.tables import read_table

    clips = read_table(frames / "clips.parquet", kind="clips")
    parts = []
    for shard in sorted(set(clips["shard"])):
        table = read_rows(frames, shard, kind="frames")
        points = np.asarray(read_array(landmarks, shard, "landmarks"))
        labelled = read_rows(actions, shard, kind="actions")
        if not len(table) == len(points) == len(labelled):
            raise ValidationFailed(
                f"{shard}: {len(table)} frames, {len(points)} landmarks, {len(labelled)} action units. The folders "
                "don't belong together; run label_landmarks and label_actions again."
            )
        table = table.assign(
            found=np.asarray(read_array(landmarks, shard, "found")),
            landmarks_finite=np.isfinite(points).all(axis=(1, 2)),
            landmarks_inside=np.asarray(np.abs(points - 0.5).max(axis=(1, 2)) < 1.0),
        )
        if has_array(actions, shard, "valid"):
            table = table.assign(actions_valid=np.asarray(read_array(actions, shard, "valid")))
        labelled = labelled.drop(columns=[name for name in labelled.columns if name in table.columns])
        parts.append(pd.concat([table.reset_index(drop=True), labelled.reset_index(drop=True)], axis=1))
    quarantine = frames / "quarantine.parquet"
    # The table holds notes on clips that are used, too.
    set_aside = set(read_table(quarantine, kind="quarantine")["clip"]) if quarantine.exists() else set()
    lost = sorted(set_aside - set(clips["clip"]))
    labels = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["clip", "frame", "found"])
    return clips, labels, lost


def _check(
    clips: "pd.DataFrame",
    labels: "pd.DataFrame",
    quarantined: Sequence[str],
    settings: ValidateDataSettings,
    frames: Path,
) -> tuple[list["Outcome"], "pd.DataFrame | None"]:
    from reenact.corpus import expectations
    from reenact.corpus.checks import Check, Level, custom, run_checks
    from reenact.corpus.duplicates import fingerprints, near_duplicates
    from reenact.corpus.splits import assign_splits
    from reenact.corpus.stills import still_outcomes

    critical, warning = settings.critical, settings.warning
    per_clip = expectations.per_clip(clips, labels)
    found = labels[labels["found"].astype(bool)]
    quality_limits: tuple[tuple[Level, QualityLimits], ...] = (
        ("critical", critical.quality),
        ("warning", warning.quality),
    )
    quality = [
        check
        for level, limits in quality_limits
        for check in expectations.quality_checks(labels.columns, limits, limits.share, level)
    ]
    tables: list[tuple[str, pd.DataFrame, Sequence[Check], tuple[str, ...]]] = [
        ("clips", per_clip, expectations.clip_checks(critical.min_clips, warning, settings.require_rights), ("clip",)),
        ("frames", labels, expectations.frame_checks(labels.columns, critical.min_found), ("clip", "frame")),
        ("quality", labels, quality, ("clip", "frame")),
        ("labels", found, expectations.label_checks(found.columns, critical.max_fit_error, warning.max_fit_error),
         ("clip", "frame")),
    ]  # fmt: skip
    outcomes = [outcome for name, table, checks, ids in tables for outcome in run_checks(name, table, checks, ids=ids)]
    outcomes += still_outcomes(clips)
    # Many stills lie in one file.
    files = len(clips.drop_duplicates([n for n in ("file", "member") if n in clips])) + len(quarantined)
    too_many = len(quarantined) > warning.max_quarantined * max(files, 1)
    bad = quarantined if too_many else []
    outcomes.append(custom("quarantine", "few files were set aside", "warning", bad=bad, of=files))
    split = None
    try:
        split = assign_splits(clips, **settings.split.plain())
    except ValidationFailed as error:
        outcomes.append(custom("split", "every split has clips", "critical", bad=[str(error)], of=1))
    if split is not None:
        outcomes += expectations.split_outcomes(split, clips)
        if settings.duplicates.check:
            prints = fingerprints(frames, per_clip=settings.duplicates.per_clip)
            pairs = near_duplicates(prints, distance=settings.duplicates.distance)
            outcomes += expectations.duplicate_outcomes(pairs, split, clips)
    return outcomes, split
