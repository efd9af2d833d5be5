"""What a corpus must and should be: the critical and the warning suite, table by table."""

from collections.abc import Iterable
from typing import Any, Protocol

import pandas as pd

from reenact.corpus.checks import Check, Level, Outcome, custom
from reenact.faces.actions import ACTION_UNITS, MAXIMUM

_UNKNOWN = ("", "unknown")
_MOSTLY = 0.95
_LARGEST_ANGLE = 180.0


class ClipThresholds(Protocol):
    """Limits of the warning suite for clips."""

    @property
    def min_frames(self) -> int: ...
    @property
    def min_found(self) -> float: ...
    @property
    def max_lost(self) -> float: ...


def per_clip(clips: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The clips with what their frames add up to: `found_share`, `rows_differ`, `lost_share`, and known rights."""
    found = labels.groupby("clip")["found"].agg(["mean", "size"])
    return clips.assign(
        found_share=clips["clip"].map(found["mean"]).fillna(0.0).astype(float),
        rows_differ=clips["clip"].map(found["size"]).fillna(0).astype(int) != clips["count"],
        lost_share=clips["frames_lost"] / clips["frames_read"].clip(lower=1),
        licence_known=~clips["licence"].fillna("").isin(_UNKNOWN),
        consent_known=~clips["consent"].fillna("").isin(_UNKNOWN),
    )


def clip_checks(min_clips: int, limits: ClipThresholds) -> list[Check]:
    """For the table of `per_clip`."""
    return [
        Check(level="critical", says=f"at least {min_clips} clip(s)", expectation="ExpectTableRowCountToBeBetween",
              arguments={"min_value": min_clips}),
        *(present(column) for column in ("clip", "identity", "shard", "sha256")),
        Check(level="critical", says="clip: each once", expectation="ExpectColumnValuesToBeUnique",
              arguments={"column": "clip"}),
        Check(level="critical", says="identity: not blank", expectation="ExpectColumnValuesToMatchRegex",
              arguments={"column": "identity", "regex": r"\S"}),
        between("count", 2, None, says="count: two frames or more, source and target"),
        between("fps", 1.0, 1000.0, says="fps: 1 to 1000"),
        is_value("rows_differ", False, says="count: equals the frames stored"),
        between("count", limits.min_frames, None, level="warning", says=f"count: {limits.min_frames} frames or more"),
        between("found_share", limits.min_found, 1.0, level="warning",
                says=f"landmarks found in {limits.min_found:.0%} of each clip"),
        between("lost_share", 0.0, limits.max_lost, level="warning",
                says=f"a face in more than {1 - limits.max_lost:.0%} of each video"),
        is_value("licence_known", True, level="warning", says="licence: known"),
        is_value("consent_known", True, level="warning", says="consent: known"),
    ]  # fmt: skip


def frame_checks(min_found: float) -> list[Check]:
    """For the stored frames."""
    return [
        *(present(column) for column in ("clip", "frame", "time")),
        Check(level="critical", says="clip, frame: each once",
              expectation="ExpectCompoundColumnsToBeUnique", arguments={"column_list": ["clip", "frame"]}),
        between("time", 0.0, None, says="time: not negative"),
        between("crop_side", 1.0, None, says="crop_side: a pixel or more"),
        is_value("found", True, mostly=min_found, says=f"landmarks found in {min_found:.0%} of all frames"),
    ]  # fmt: skip


def label_checks(columns: Iterable[str], critical_error: float, warning_error: float) -> list[Check]:
    """For the frames whose landmarks were found. Columns of labels that nobody asked for may be absent."""
    names = set(columns)
    pose = [name for name in ("pitch", "yaw", "roll") if name in names]
    actions = [name for name in ACTION_UNITS if name in names]
    checks = [
        is_value("landmarks_finite", True, says="landmarks: finite"),
        is_value("landmarks_inside", True, mostly=_MOSTLY, level="warning", says="landmarks: in or near the crop"),
        *(present(name) for name in (*pose, *actions)),
        *(between(name, -_LARGEST_ANGLE, _LARGEST_ANGLE, says=f"{name}: -180 to 180 degrees") for name in pose),
        *(between(name, 0.0, MAXIMUM, says=f"{name}: 0 to 5") for name in actions),
    ]
    limits: tuple[tuple[Level, float], ...] = (("critical", critical_error), ("warning", warning_error))
    if "fit_error" in names:
        checks += [present("fit_error")] + [
            between("fit_error", 0.0, limit, mostly=_MOSTLY, level=level,
                    says=f"fit_error: {limit:g} outer eye distances or less in {_MOSTLY:.0%}")
            for level, limit in limits
        ]  # fmt: skip
    return checks


def split_outcomes(split: pd.DataFrame, clips: pd.DataFrame) -> list[Outcome]:
    """Nobody who is tested on was trained on; parts lie inside their clips and don't overlap."""
    whole = split[split["by"] != "time"]
    splits_of = whole.groupby("identity")["split"].unique()
    leaks = [f"{identity} ({' and '.join(names)})" for identity, names in splits_of.items() if len(names) > 1]
    count = split["clip"].map(clips.drop_duplicates("clip").set_index("clip")["count"])
    outside = split[(split["start"] < 0) | (split["stop"] > count) | (split["start"] >= split["stop"])]
    ordered = split.sort_values(["clip", "start"])
    overlap = ordered[ordered["start"] < ordered.groupby("clip")["stop"].shift()]
    contents = clips.groupby("sha256")["identity"].unique()
    copies = [" and ".join(map(str, names)) for names in contents if len(names) > 1]
    return [
        custom("split", "every identity is in one split", "critical", bad=leaks, of=len(splits_of)),
        custom("split", "parts lie inside their clips", "critical", bad=list(outside["clip"]), of=len(split)),
        custom("split", "parts of a clip don't overlap", "critical", bad=list(overlap["clip"]), of=len(split)),
        custom("split", "no file stands under two identities", "warning", bad=copies, of=len(contents)),
    ]


def present(column: str) -> Check:
    """A value in every row."""
    return Check(level="critical", says=f"{column}: present", expectation="ExpectColumnValuesToNotBeNull",
                 arguments={"column": column})  # fmt: skip


def between(
    column: str, low: float | None, high: float | None, *, says: str, level: Level = "critical", mostly: float = 1.0
) -> Check:
    """Numbers from `low` to `high`, both allowed; missing values are left to `present`."""
    return Check(level=level, says=says, expectation="ExpectColumnValuesToBeBetween",
                 arguments={"column": column, "min_value": low, "max_value": high, "mostly": mostly})  # fmt: skip


def is_value(column: str, value: Any, *, says: str, level: Level = "critical", mostly: float = 1.0) -> Check:
    """One value in (most) rows."""
    return Check(level=level, says=says, expectation="ExpectColumnValuesToBeInSet",
                 arguments={"column": column, "value_set": [value], "mostly": mostly})  # fmt: skip
