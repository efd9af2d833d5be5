"""Which stored frames are used: those that keep every limit of `validate_data.keep`.

`validated/SHARD/usable.npy` (N,) bool says so where a limit is set; `Corpus.found` reads it, so that training, the
guide and every pair of the evaluation pass over the others. Nothing is deleted: another limit is another validation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.checks import Outcome, custom
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.shards import write_array
from reenact.errors import ValidationFailed


@dataclass(frozen=True)
class Kept:
    """Which rows of the frames' table stay, and how many each limit drops; a frame may break several."""

    rows: NDArray[np.bool_]
    dropped: Mapping[str, int]  # by limit, in words

    def sentence(self) -> str:
        """For the notes of the stage; "" where no limit is set."""
        if not self.dropped:
            return ""
        reasons = ", ".join(f"{count} by {limit}" for limit, count in self.dropped.items() if count)
        gone = int((~self.rows).sum())
        return f"validate_data.keep passes over {gone} of {len(self.rows)} frames" + (f": {reasons}" if gone else "")


def kept_frames(frames: pd.DataFrame, limits: FrameLimits) -> Kept:
    """Judge a row per stored frame (quality columns and pose). A missing value breaks no limit.

    The detector looks at some frames only; a frame between has the score of the last look at its clip. Raises
    ValidationFailed for a limit on a column that this corpus has not.
    """
    rows = np.ones(len(frames), dtype=np.bool_)
    dropped = {}
    for column, low, high in limits.ranges():
        if column not in frames:
            raise ValidationFailed(
                f"validate_data.keep: this corpus has no {column}. Set its limit to null, or run the stage that "
                "measures it (extract_frames, label_actions) again."
            )
        values = frames[column]
        if column == "score":
            values = frames.groupby("clip", sort=False)["score"].ffill()
        for limit, broken in _broken(column, values.to_numpy(dtype=np.float64), low, high):
            dropped[limit] = int(broken.sum())
            rows &= ~broken
    return Kept(rows, dropped)


def keep_outcomes(
    kept: Kept, frames: pd.DataFrame, split: pd.DataFrame | None, sequence: pd.Series | None = None
) -> list[Outcome]:
    """For `checks.parquet`: what each limit drops, and critical: a split of which two frames of a clip no longer stay.

    split: as `assign_splits` makes it; None where there is none. sequence: `stills.sequences` of the clips, for single
    pictures; where each person has one only, one has to stay.
    """
    outcomes = [
        Outcome(table="keep", check=f"not used: {limit}", level="warning", passed=True,
                observed=f"{count} of {len(frames)}", detail="")
        for limit, count in kept.dropped.items()
    ]  # fmt: skip
    if kept.dropped and split is not None:
        names = list(dict.fromkeys(split["split"]))
        left = _splits_left(kept, frames, split, sequence)
        empty = [name for name in names if name not in left]
        outcomes.append(custom("keep", "frames stay in every split", "critical", bad=empty, of=len(names)))
    return outcomes


def write_usable(out: Path, clips: pd.DataFrame, frames: pd.DataFrame, kept: Kept) -> list[str]:
    """Write `SHARD/usable.npy` for every shard if a limit is set; returns the shards that were written."""
    if not kept.dropped:
        return []
    shard = frames["clip"].map(clips.set_index("clip")["shard"]).to_numpy()
    shards = sorted(set(clips["shard"]))
    for name in shards:
        write_array(out, name, "usable", kept.rows[shard == name])
    return shards


def _splits_left(kept: Kept, frames: pd.DataFrame, split: pd.DataFrame, sequence: pd.Series | None) -> set[str]:
    """Splits with a part, or a person's single pictures, in which two usable frames remain."""
    labelled = frames["found"].to_numpy(dtype=np.bool_)
    if "actions_valid" in frames:
        labelled = labelled & frames["actions_valid"].to_numpy(dtype=np.bool_)
    usable = pd.DataFrame({
        "clip": frames["clip"].to_numpy(), "place": frames.groupby("clip", sort=False).cumcount().to_numpy(),
    })[kept.rows & labelled]  # fmt: skip
    joined = usable.merge(split, on="clip")
    inside = joined[(joined["place"] >= joined["start"]) & (joined["place"] < joined["stop"])]
    together = inside["clip"] if sequence is None else inside["clip"].map(sequence)
    counts = inside.groupby(["split", together.rename("sequence")]).size()
    one_each = sequence is not None and sequence.is_unique and bool((frames.groupby("clip").size() == 1).all())
    return set(counts[counts >= (1 if one_each else 2)].index.get_level_values("split"))


def _broken(
    column: str, values: NDArray[np.float64], low: float | None, high: float | None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(limit in words, rows that break it) for each side that has one."""
    if low is not None:
        yield f"{column} under {low:g}", values < low
    if high is not None:
        yield f"{column} over {high:g}", values > high
