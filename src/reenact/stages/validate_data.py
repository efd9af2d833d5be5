"""Check the corpus before anything is trained on it, and decide who is trained on, chosen on and tested on."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.corpus.frame_limits import FrameLimits
from reenact.errors import BadInput, ValidationFailed
from reenact.stages.result import StageResult

if TYPE_CHECKING:
    import pandas as pd

    from reenact.corpus.checks import Level, Outcome
    from reenact.corpus.frame_tables import FrameTable
    from reenact.corpus.keep import PassedOver


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
    """Write checks, label quality, rights, two pages and, if nothing critical failed, split and profile.

    Of `videos` the table of clips and the truth beside rendered ones are read. Raises BadInput where `frames` was made
    of other videos, and ValidationFailed after the checks are written and what failed is printed.
    """
    from reenact.atomic import write_json
    from reenact.corpus.checks import outcomes_table
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.frame_tables import frame_tables
    from reenact.corpus.keep import PassedOver, write_usable
    from reenact.corpus.rights import rights_of
    from reenact.corpus.shards import read_stage, write_stage
    from reenact.corpus.stills import still_notes
    from reenact.corpus.tables import read_table, write_table
    from reenact.evaluation.data_facts import QUALITY, quality_records
    from reenact.evaluation.profile import PROFILE, make_profile
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
    clips = read_table(frames / "clips.parquet", kind="clips")
    _of_these_videos(clips, frames, videos)
    clips = _with_contact(clips, videos)
    corpus = Corpus(frames, landmarks=landmarks, actions=actions)
    shards = sorted(set(clips["shard"]))
    of_frames, sums = _check_frames(frame_tables(frames, landmarks, actions, shards), settings)
    outcomes = _check_clips(clips, sums, _set_aside(frames, clips), settings) + of_frames
    of_split, split = _split(clips.assign(**_spans(clips, sums)), frames, settings)
    passed = PassedOver(settings.keep, clips, split)
    usable = write_usable(out, frame_tables(frames, landmarks, actions, shards), passed)
    outcomes += [*of_split, *passed.outcomes()]
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
    people = dict(zip(split["clip"].astype(str), split["person"].astype(str), strict=True))
    profile = make_profile(frame_tables(frames, landmarks, actions, shards), people, limits=settings.keep)
    write_json(out / PROFILE, profile.plain())
    keep_only(out, usable)
    by = ", ".join(sorted(set(split["by"])))
    write_stage(out, kind="validated", split_by=by, warnings=len(failed))
    return _result(split, checks, passed, still_notes(clips))


def _result(split: "pd.DataFrame", checks: "pd.DataFrame", passed: "PassedOver", notes: Iterable[str]) -> StageResult:
    counts = {f"{name}_identities": float(part["identity"].nunique()) for name, part in split.groupby("split")}
    counts |= {"checks": float(len(checks)), "warnings": float((~checks["passed"]).sum())}
    notes = [*notes]
    if passed.dropped:
        counts["frames_not_used"] = float(passed.gone)
        notes.append(passed.sentence())
    if "time" in set(split["by"]):
        notes.append("few identities: clips are split by time, so results are for seen identities")
        cut = split.groupby("clip")["split"].nunique()
        short = cut[cut == 1].index.tolist()
        if short:
            notes.append(f"too short to be cut, train only: {', '.join(map(str, short))}")
    return StageResult(stage="validate_data", counts=counts, notes=tuple(notes))


def _of_these_videos(clips: "pd.DataFrame", frames: Path, videos: Path) -> None:
    """Raises BadInput where `frames` was made of other videos, or of other statements on them, than lie there now."""
    from reenact.corpus.tables import read_table

    table = read_table(videos / "clips.parquet", kind="videos").drop_duplicates("clip").set_index("clip")
    names = clips["video" if "video" in clips else "clip"]
    left_out = set(_set_aside(frames, clips))
    differing = {str(name) for name in table.index if name not in set(names) and name not in left_out}
    differing |= {str(name) for name in names if name not in table.index}
    for fact in ("sha256", "licence", "consent"):
        if fact in clips and fact in table:
            now = names.map(table[fact])
            differing |= set(names[now.notna() & now.astype(str).ne(clips[fact].astype(str))].astype(str))
    if differing:
        some = ", ".join(sorted(differing)[:5]) + (", ..." if len(differing) > 5 else "")
        raise BadInput(
            f"{frames}: made of other videos than lie in {videos} now, or before licence or consent changed ({some}). "
            "Run extract_frames and the label stages again, or all with `reenact repro`."
        )


def _with_contact(clips: "pd.DataFrame", videos: Path) -> "pd.DataFrame":
    """Whom to ask about a clip, as the videos' table says now."""
    from reenact.corpus.tables import read_table

    table = read_table(videos / "clips.parquet", kind="videos")
    if "contact" not in table:
        return clips
    contact = table.drop_duplicates("clip").set_index("clip")["contact"]
    return clips.assign(contact=clips["video" if "video" in clips else "clip"].map(contact).fillna(""))


def _set_aside(frames: Path, clips: "pd.DataFrame") -> list[str]:
    """The clips that are in quarantine and not used; the table holds notes on clips that are used, too."""
    from reenact.corpus.tables import read_table

    quarantine = frames / "quarantine.parquet"
    names = set(read_table(quarantine, kind="quarantine")["clip"]) if quarantine.exists() else set()
    return sorted(names - set(clips["clip"]))


def _check_frames(
    tables: "Iterable[FrameTable]", settings: ValidateDataSettings
) -> tuple[list["Outcome"], "pd.DataFrame"]:
    """(outcomes of what is asked of frames and their labels, what the frames of each clip add up to)."""
    import pandas as pd

    from reenact.corpus import expectations
    from reenact.corpus.checks import Checking
    from reenact.corpus.frame_tables import clip_sums

    critical, warning = settings.critical, settings.warning
    limits_of: dict[Level, QualityLimits] = {"critical": critical.quality, "warning": warning.quality}
    ids = ("clip", "frame")
    frames, quality, labels = (Checking(name, ids=ids) for name in ("frames", "quality", "labels"))
    sums = [pd.DataFrame(columns=["rows", "found", "first", "last"])]
    for table in tables:
        rows = table.rows
        found = rows[rows["found"].astype(bool)]
        frames.add(rows, expectations.frame_checks(rows.columns, critical.min_found))
        quality.add(rows, [
            check
            for level, limits in limits_of.items()
            for check in expectations.quality_checks(rows.columns, limits, limits.share, level)
        ])  # fmt: skip
        labels.add(found, expectations.label_checks(found.columns, critical.max_fit_error, warning.max_fit_error))
        sums.append(clip_sums(rows))
    outcomes = [outcome for checking in (frames, quality, labels) for outcome in checking.outcomes()]
    return outcomes, pd.concat(sums[1:] or sums)


def _spans(clips: "pd.DataFrame", sums: "pd.DataFrame") -> dict[str, "pd.Series"]:
    """When each clip begins and ends in its video (s)."""
    return {name: clips["clip"].map(sums[name]).astype(float) for name in ("first", "last")}


def _check_clips(
    clips: "pd.DataFrame", sums: "pd.DataFrame", quarantined: Sequence[str], settings: ValidateDataSettings
) -> list["Outcome"]:
    from reenact.corpus import expectations
    from reenact.corpus.checks import custom, run_checks
    from reenact.corpus.stills import still_outcomes

    checks = expectations.clip_checks(settings.critical.min_clips, settings.warning, settings.require_rights)
    outcomes = run_checks("clips", expectations.per_clip(clips, sums), checks, ids=("clip",))
    outcomes += still_outcomes(clips)
    # Many stills lie in one file.
    files = len(clips.drop_duplicates([n for n in ("file", "member") if n in clips])) + len(quarantined)
    too_many = len(quarantined) > settings.warning.max_quarantined * max(files, 1)
    bad = quarantined if too_many else []
    return [*outcomes, custom("quarantine", "few files were set aside", "warning", bad=bad, of=files)]


def _split(
    clips: "pd.DataFrame", frames: Path, settings: ValidateDataSettings
) -> tuple[list["Outcome"], "pd.DataFrame | None"]:
    from reenact.corpus import expectations
    from reenact.corpus.checks import custom
    from reenact.corpus.duplicates import fingerprints, near_duplicates
    from reenact.corpus.splits import assign_splits

    try:
        split = assign_splits(clips, **settings.split.plain())
    except ValidationFailed as error:
        return [custom("split", "every split has clips", "critical", bad=[str(error)], of=1)], None
    outcomes = expectations.split_outcomes(split, clips)
    if settings.duplicates.check:
        prints = fingerprints(frames, per_clip=settings.duplicates.per_clip)
        pairs = near_duplicates(prints, distance=settings.duplicates.distance)
        outcomes += expectations.duplicate_outcomes(pairs, split, clips)
    return outcomes, split
