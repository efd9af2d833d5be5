"""What a corpus must and should be: the critical and the warning suite, table by table."""

from collections.abc import Container, Iterable
from typing import Any, Protocol

import pandas as pd

from reenact.corpus import duplicates
from reenact.corpus.checks import Check, Level, Offender, Outcome, custom
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.rights import FACTS, given, stated, taken_back
from reenact.corpus.stills import still_rows
from reenact.faces.actions import ACTION_UNITS, MAXIMUM

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


def per_clip(clips: pd.DataFrame, sums: pd.DataFrame) -> pd.DataFrame:
    """The clips with what their frames add up to: `found_share`, `rows_differ`, `lost_share`, and known rights.

    sums: `frame_tables.clip_sums` of all frames. `moving`: the count of a clip that is no single picture.
    """
    return clips.assign(
        found_share=clips["clip"].map(sums["found"] / sums["rows"]).fillna(0.0).astype(float),
        rows_differ=clips["clip"].map(sums["rows"]).fillna(0).astype(int) != clips["count"],
        moving=clips["count"].astype(float).mask(still_rows(clips)),
        lost_share=clips["frames_lost"] / clips["frames_read"].clip(lower=1),
        consent_withdrawn=taken_back(clips["consent"]),
        **{f"{name}_known": _known(clips, name) for name in FACTS},
    )


def clip_checks(min_clips: int, limits: ClipThresholds, required: Container[str] = ()) -> list[Check]:
    """For the table of `per_clip`; of the rights those `required` must be known, licence and consent should be."""
    return [
        Check(level="critical", says=f"at least {min_clips} clip(s)", expectation="ExpectTableRowCountToBeBetween",
              arguments={"min_value": min_clips}),
        *(present(column) for column in ("clip", "identity", "shard", "sha256")),
        Check(level="critical", says="clip: each once", expectation="ExpectColumnValuesToBeUnique",
              arguments={"column": "clip"}),
        Check(level="critical", says="identity: not blank", expectation="ExpectColumnValuesToMatchRegex",
              arguments={"column": "identity", "regex": r"\S"}),
        between("count", 1, None, says="count: a frame or more"),
        between("moving", 2, None, says="count: two frames or more, source and target"),
        between("fps", 1.0, 1000.0, says="fps: 1 to 1000"),
        is_value("rows_differ", False, says="count: equals the frames stored"),
        between("moving", limits.min_frames, None, level="warning", says=f"count: {limits.min_frames} frames or more"),
        between("found_share", limits.min_found, 1.0, level="warning",
                says=f"landmarks found in {limits.min_found:.0%} of each clip"),
        between("lost_share", 0.0, limits.max_lost, level="warning",
                says=f"a face in more than {1 - limits.max_lost:.0%} of each video"),
        is_value("consent_withdrawn", False, says="consent: not refused or withdrawn"),
        *(
            is_value(f"{name}_known", True, level="critical" if name in required else "warning", says=f"{name}: known")
            for name in FACTS
            if name in required or name in ("licence", "consent")
        ),
    ]  # fmt: skip


def frame_checks(columns: Container[str], min_found: float) -> list[Check]:
    """For the stored frames; action units have validity of their own where a backend other than the fit made them."""
    valid = f"action units valid in {min_found:.0%} of all frames"
    return [
        *(present(column) for column in ("clip", "frame", "time")),
        Check(level="critical", says="clip, frame: each once",
              expectation="ExpectCompoundColumnsToBeUnique", arguments={"column_list": ["clip", "frame"]}),
        between("time", 0.0, None, says="time: not negative"),
        between("crop_side", 1.0, None, says="crop_side: a pixel or more"),
        is_value("found", True, mostly=min_found, says=f"landmarks found in {min_found:.0%} of all frames"),
        *([is_value("actions_valid", True, mostly=min_found, says=valid)] if "actions_valid" in columns else []),
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


def quality_checks(columns: Iterable[str], limits: FrameLimits, share: float, level: Level) -> list[Check]:
    """For the stored frames: a `share` of them keeps each limit whose column there is."""
    names = set(columns)
    return [
        between(column, low, high, mostly=share, level=level, says=f"{column}: {_range(low, high)} in {share:.0%}")
        for column, low, high in limits.ranges()
        if column in names
    ]


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{high:g} or less" if low is None else f"{low:g} or more"
    return f"{low:g} to {high:g}"


def split_outcomes(split: pd.DataFrame, clips: pd.DataFrame) -> list[Outcome]:
    """Nobody who is tested on was trained on; parts lie inside their clips and don't overlap."""
    whole = split[split["by"] != "time"]
    leaks = _in_two(whole, whole["identity"])
    people = _in_two(whole, whole["clip"].map(people_of(clips)))
    count = split["clip"].map(clips.drop_duplicates("clip").set_index("clip")["count"])
    outside = split[(split["start"] < 0) | (split["stop"] > count) | (split["start"] >= split["stop"])]
    ordered = split.sort_values(["clip", "start"])
    overlap = ordered[ordered["start"] < ordered.groupby("clip")["stop"].shift()]
    contents = clips.assign(person=clips["clip"].map(people_of(clips))).groupby("sha256")["person"].unique()
    copies = [" and ".join(map(str, names)) for names in contents if len(names) > 1]
    return [
        custom("split", "every identity is in one split", "critical", bad=leaks, of=whole["identity"].nunique()),
        custom("split", "every person is in one split", "critical", bad=people, of=whole["identity"].nunique()),
        custom("split", "parts lie inside their clips", "critical", bad=list(outside["clip"]), of=len(split)),
        custom("split", "parts of a clip don't overlap", "critical", bad=list(overlap["clip"]), of=len(split)),
        custom("split", "no file stands under two identities", "warning", bad=copies, of=len(contents)),
    ]


def duplicate_outcomes(pairs: pd.DataFrame, split: pd.DataFrame, clips: pd.DataFrame) -> list[Outcome]:
    """No pictures in two splits, and none under two people; `pairs` by `duplicates.near_duplicates`."""
    across, alike = duplicates.between(pairs, split, people_of(clips))
    splits = split.groupby("clip")["split"].agg(lambda names: "+".join(dict.fromkeys(names)))
    named = [
        f"{row['clip']} ({splits[row['clip']]}) and {row['other']} ({splits[row['other']]})"
        for row in across.to_dict("records")
    ]
    both = [f"{row['clip']} and {row['other']}" for row in alike.to_dict("records")]
    return [
        custom("split", "no near-duplicates across splits", "critical", bad=named, of=len(clips),
               offenders=_side_by_side(across)),
        custom("split", "no near-duplicates under two identities", "warning", bad=both, of=len(clips),
               offenders=_side_by_side(alike)),
    ]  # fmt: skip


def people_of(clips: pd.DataFrame) -> pd.Series:
    """By clip, the person that splits go by: the tracks of one video are one person's until somebody knows better."""
    table = clips.drop_duplicates("clip").set_index("clip")
    return table["person"] if "person" in table else table["identity"]


def _in_two(split: pd.DataFrame, by: pd.Series) -> list[str]:
    """Who is in more than one split, with the splits."""
    found = split.groupby(by)["split"].unique()
    return [f"{who} ({' and '.join(names)})" for who, names in found.items() if len(names) > 1]


def _side_by_side(pairs: pd.DataFrame) -> list[Offender]:
    """Both pictures of each pair, the most alike first."""
    worst = pairs.sort_values(["distance", "matched"], ascending=[True, False]).to_dict("records")
    return [
        Offender(clip=str(row[clip]), frame=int(row[frame]),
                 value=f"{row['matched']} of {row['of']} frames match, {row['distance']} of {duplicates.BITS} bits")
        for row in worst
        for clip, frame in (("clip", "frame"), ("other", "other_frame"))
    ]  # fmt: skip


def _known(clips: pd.DataFrame, fact: str) -> pd.Series:
    if fact not in clips:
        return pd.Series(False, index=clips.index)
    return given(clips[fact]) if fact == "consent" else stated(clips[fact])


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
