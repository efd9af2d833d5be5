"""Who is trained on, chosen on and tested on: the data set's official list, else by identity, else by time.

By identity, a stable hash decides alone, so that new data never moves anybody. All tracks of a video go where its
`person` goes, whoever they show: nobody is trained on as one identity and tested on as another. With few identities
each clip is cut in time instead, with a gap between the parts; then all identities are seen in training and tables have
to say so.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import ValidationFailed

SPLITS = ("train", "val", "test")
COLUMNS = ("clip", "identity", "person", "split", "start", "stop", "by")
_SHARE_SALT = "share"  # not the order that dealt the splits
_SHORTEST_PART = 2  # frames: source and target of a pair are two frames


@dataclass(frozen=True, kw_only=True)
class Part:
    """The stored frames [start, stop) of a clip, counted from the clip's first, that belong to one split."""

    clip: str
    identity: str
    start: int
    stop: int


def assign_splits(
    clips: pd.DataFrame,
    *,
    val: float,
    test: float,
    salt: str,
    min_identities: int = 12,
    gap_seconds: float = 2.0,
    official: bool | str = "auto",
) -> pd.DataFrame:
    """Split table (COLUMNS) of the clips of `frames/clips.parquet`; `val` and `test` are shares of all.

    A clip that carries an `official_split` keeps it, and its identity's other clips follow. From `min_identities` on,
    the others go by the hash of their identity; below it every clip is cut by time: train, gap, val, gap, test. A clip
    too short for that is train only; frames of a gap belong to nobody. Where `clips` say when in their video they begin
    and end (`first`, `last`, s), there is such a gap also between the val or test part of a track and the next track.

    `official` "auto" does so where there is such a list, True insists on one, False looks at none.

    Raises ValidationFailed for an unknown official split and where a wanted split is left empty.
    """
    clips = clips.assign(person=persons(clips))
    listed = _official(clips, val=val, test=test, salt=salt) if official else None
    if official is True and listed is None:
        raise ValidationFailed(
            "validate_data.split.official: these clips come with no official split. Set it to auto, or look what is "
            "missing with `reenact data inspect`."
        )
    # Of single pictures there is no time to cut.
    moving = bool((clips["count"] > 1).any())
    by_time = listed is None and moving and clips["person"].nunique() < min_identities
    skipped = _next_tracks(clips, val=val, test=test, gap_seconds=gap_seconds) if by_time else {}
    rows: list[dict[str, Any]] = []
    for facts in clips.to_dict("records"):
        clip, person, count = str(facts["clip"]), str(facts["person"]), int(facts["count"])
        if by_time:
            gap, skip = math.ceil(gap_seconds * float(facts["fps"])), skipped.get(clip, 0)
            gone = skip and count - skip < _SHORTEST_PART
            found = {} if gone else cut_by_time(count - skip, val=val, test=test, gap=gap)
            cuts, by = {split: (start + skip, stop + skip) for split, (start, stop) in found.items()}, "time"
        elif listed and clip in listed:
            cuts, by = {listed[clip]: (0, count)}, "official"
        else:
            cuts, by = {split_of(person, val=val, test=test, salt=salt): (0, count)}, "identity"
        for split, (start, stop) in cuts.items():
            rows.append({"clip": clip, "identity": str(facts["identity"]), "person": person, "split": split,
                         "start": start, "stop": stop, "by": by})  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    _refuse_empty(table, clips, val=val, test=test, by_time=by_time)
    return table


def persons(clips: pd.DataFrame) -> pd.Series:
    """By whom clips are split: the identity their video has, also where a track shows somebody else."""
    return clips["person" if "person" in clips else "identity"].astype(str)


def position(identity: str, salt: str) -> float:
    """Where an identity falls in [0, 1): a function of its name and the salt alone."""
    digest = hashlib.sha256((salt + identity).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48  # 48 bits: exact in a float, and never rounded up to 1


def split_of(identity: str, *, val: float, test: float, salt: str) -> str:
    """The split of an identity by its hash."""
    where = position(identity, salt)
    if where < test:
        return "test"
    return "val" if where < test + val else "train"


def cut_by_time(count: int, *, val: float, test: float, gap: int) -> dict[str, tuple[int, int]]:
    """Cut `count` frames into train, val and test with `gap` frames between; all train where they don't fit."""
    wanted = [(name, share) for name, share in (("val", val), ("test", test)) if share > 0]
    usable = count - gap * len(wanted)
    lengths = {name: int(usable * share) for name, share in wanted}
    train = usable - sum(lengths.values())
    if not wanted or min(train, *lengths.values()) < _SHORTEST_PART:
        return {"train": (0, count)}
    cuts = {"train": (0, train)}
    start = train
    for name, length in lengths.items():
        start += gap
        cuts[name] = (start, start + length)
        start += length
    return cuts


def _next_tracks(clips: pd.DataFrame, *, val: float, test: float, gap_seconds: float) -> dict[str, int]:
    """How many of a clip's first frames are too near to the val or test part of an earlier track of its video.

    Tracks that are seen at the same time show different people and don't disturb each other.
    """
    skipped: dict[str, int] = {}
    if not {"video", "first", "last"} <= set(clips):
        return skipped
    for _, tracks in clips.groupby("video", sort=False):
        held_out: list[float] = []  # when each track with a val or test part ends
        for track in tracks.sort_values("first").to_dict("records") if len(tracks) > 1 else ():
            fps, begins = float(track["fps"]), float(track["first"])
            ends = max((end for end in held_out if end <= begins), default=-math.inf)
            skip = max(0, math.ceil((ends + gap_seconds - begins) * fps)) if math.isfinite(ends) else 0
            skip = min(skip, int(track["count"]))
            if skip:
                skipped[str(track["clip"])] = skip
            parts = cut_by_time(int(track["count"]) - skip, val=val, test=test, gap=math.ceil(gap_seconds * fps))
            if len(parts) > 1:
                held_out.append(float(track["last"]))
    return skipped


def read_parts(validated: Path, split: str) -> list[Part]:
    """The parts of one split, in the order of the table."""
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    table = read_table(validated / "split.parquet", kind="split")
    return [
        Part(clip=row["clip"], identity=row["identity"], start=int(row["start"]), stop=int(row["stop"]))
        for row in table[table["split"] == split].to_dict("records")
    ]


def share_of(parts: Sequence[Part], share: float) -> list[Part]:
    """The parts of a share of their identities, at least of one: those first by the hash of their name.

    A smaller share lies within every larger one.
    """
    order = sorted({part.identity for part in parts}, key=lambda identity: position(identity, _SHARE_SALT))
    kept = set(order[: max(1, round(share * len(order)))])
    return [part for part in parts if part.identity in kept]


def split_reasons(validated: Path) -> dict[str, str]:
    """What put each clip into its split: `official`, `identity` or `time`."""
    table = read_table(validated / "split.parquet", kind="split")
    return dict(zip(table["clip"].astype(str), table["by"].astype(str), strict=True)) if "by" in table else {}


def split_kind(validated: Path) -> str:
    """`seen identities` where clips were cut by time, else `unseen identities`: what tables have to say."""
    table = read_table(validated / "split.parquet", kind="split")
    return "seen identities" if (table["by"] == "time").any() else "unseen identities"


def _official(clips: pd.DataFrame, *, val: float, test: float, salt: str) -> dict[str, str] | None:
    """clip -> split by the data set's own list, None where there is none.

    Many lists know train and test only; then val identities are taken out of train by their hash, and so are test
    identities where only train is there.
    """
    listed = clips[clips["official_split"].fillna("") != ""]
    if listed.empty:
        return None
    unknown = sorted(set(listed["official_split"]) - set(SPLITS))
    if unknown:
        clip = listed[listed["official_split"] == unknown[0]].iloc[0]["clip"]
        raise ValidationFailed(f'{clip}: official split "{unknown[0]}" is unknown; use {", ".join(SPLITS)}, or none.')
    by_person = listed.drop_duplicates("person").set_index("person")["official_split"].to_dict()
    own = listed.set_index("clip")["official_split"].to_dict()
    known = set(own.values())
    carved = {"val": 0.0 if "val" in known else val, "test": 0.0 if "test" in known else test}
    result = {}
    for clip, person in zip(clips["clip"].astype(str), clips["person"], strict=True):
        split = own.get(clip, by_person.get(person))
        if split == "train":
            split = split_of(person, **carved, salt=salt)
        if split is not None:
            result[clip] = split
    return result


def _refuse_empty(table: pd.DataFrame, clips: pd.DataFrame, *, val: float, test: float, by_time: bool) -> None:
    wanted = {"train": 1.0 - val - test, "val": val, "test": test}
    empty = [name for name in SPLITS if wanted[name] > 0 and not (table["split"] == name).any()]
    if not empty:
        return
    identities = sorted(set(clips["person"]))
    what = f"The {' and '.join(empty)} split is empty with {len(clips)} clips of {len(identities)} identities."
    if by_time:
        longest = float((clips["count"] / clips["fps"]).max()) if len(clips) else 0.0
        raise ValidationFailed(
            f"{what} Every clip is too short to be cut by time (longest {longest:.1f} s): add longer clips, or lower "
            "validate_data.split.gap_seconds."
        )
    better = next((s for s in map(str, range(1000)) if _all_filled(identities, val=val, test=test, salt=s)), None)
    advice = f'set validate_data.split.salt: "{better}"' if better else "raise validate_data.split.val and test"
    raise ValidationFailed(f"{what} Add identities, or {advice}.")


def _all_filled(identities: list[str], *, val: float, test: float, salt: str) -> bool:
    wanted = {name for name, share in (("train", 1 - val - test), ("val", val), ("test", test)) if share > 0}
    return wanted <= {split_of(identity, val=val, test=test, salt=salt) for identity in identities}
