"""Which stored frames are used: those that keep every limit of `validate_data.keep`.

`validated/SHARD/usable.npy` (N,) bool says so where a limit is set; `Corpus.found` reads it, so that training, the
guide and every pair of the evaluation pass over the others. Nothing is deleted: another limit is another validation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.checks import Outcome, custom
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.frame_tables import FrameTable
from reenact.corpus.shards import write_array
from reenact.corpus.stills import pools, still_rows
from reenact.errors import ValidationFailed


@dataclass(frozen=True)
class Kept:
    """Which rows of a frames' table stay, and how many each limit drops; a frame may break several."""

    rows: NDArray[np.bool_]
    dropped: Mapping[str, int]  # by limit, in words


@dataclass
class PassedOver:
    """What the limits drop of all frames, added up piece by piece, and what they leave of each split.

    split: as `assign_splits` makes it; None where there is none. Of a split two frames of a clip have to stay, or two
    single pictures of one person; where each person has one picture only, one.
    """

    limits: FrameLimits
    clips: pd.DataFrame
    split: pd.DataFrame | None
    frames: int = 0
    gone: int = 0
    dropped: dict[str, int] = field(default_factory=dict)  # by limit, in words
    left: dict[tuple[str, str], int] = field(default_factory=dict)  # by split and pool (corpus/stills.py)

    def add(self, frames: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows of a piece stay; a piece holds all rows of its clips."""
        kept = kept_frames(frames, self.limits)
        self.frames += len(frames)
        self.gone += int((~kept.rows).sum())
        for limit, count in kept.dropped.items():
            self.dropped[limit] = self.dropped.get(limit, 0) + count
        if self.split is not None:
            for where, count in _left(kept, frames, self.split, self._pools).items():
                self.left[where] = self.left.get(where, 0) + count
        return kept.rows

    @cached_property
    def _pools(self) -> pd.Series:
        return pools(self.clips)

    def outcomes(self) -> list[Outcome]:
        """For `checks.parquet`: what each limit drops, and critical: a split of which too little stays."""
        outcomes = [
            Outcome(table="keep", check=f"not used: {limit}", level="warning", passed=True,
                    observed=f"{count} of {self.frames}", detail="")
            for limit, count in self.dropped.items()
        ]  # fmt: skip
        if self.dropped and self.split is not None:
            names = list(dict.fromkeys(self.split["split"]))
            one_each = still_rows(self.clips).all() and self._pools.is_unique
            enough = {name for (name, _), count in self.left.items() if count >= (1 if one_each else 2)}
            empty = [name for name in names if name not in enough]
            outcomes.append(custom("keep", "frames stay in every split", "critical", bad=empty, of=len(names)))
        return outcomes

    def sentence(self) -> str:
        """For the notes of the stage; "" where no limit is set."""
        if not self.dropped:
            return ""
        reasons = ", ".join(f"{count} by {limit}" for limit, count in self.dropped.items() if count)
        words = f"validate_data.keep passes over {self.gone} of {self.frames} frames"
        return words + (f": {reasons}" if self.gone else "")


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


def write_usable(out: Path, tables: Iterable[FrameTable], passed: PassedOver) -> list[str]:
    """Judge every frame and write `SHARD/usable.npy`; returns the shards, none where no limit is set."""
    shards: list[str] = []
    for table in tables if list(passed.limits.ranges()) else ():
        rows = passed.add(table.rows)
        ends = np.cumsum([count for _, count in table.shards])
        for (shard, count), end in zip(table.shards, ends, strict=True):
            write_array(out, shard, "usable", rows[end - count : end])
            shards.append(shard)
    return shards


def _left(kept: Kept, frames: pd.DataFrame, split: pd.DataFrame, pool: pd.Series) -> dict[tuple[str, str], int]:
    """How many usable frames there are by split and pool."""
    labelled = frames["found"].to_numpy(dtype=np.bool_)
    if "actions_valid" in frames:
        labelled = labelled & frames["actions_valid"].to_numpy(dtype=np.bool_)
    usable = pd.DataFrame({
        "clip": frames["clip"].to_numpy(), "place": frames.groupby("clip", sort=False).cumcount().to_numpy(),
    })[kept.rows & labelled]  # fmt: skip
    joined = usable.merge(split[split["clip"].isin(set(usable["clip"]))], on="clip")
    inside = joined[(joined["place"] >= joined["start"]) & (joined["place"] < joined["stop"])]
    counts = inside.groupby(["split", inside["clip"].map(pool).rename("pool")]).size()
    return {(str(name), str(of)): int(count) for (name, of), count in counts.items()}


def _broken(
    column: str, values: NDArray[np.float64], low: float | None, high: float | None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(limit in words, rows that break it) for each side that has one."""
    if low is not None:
        yield f"{column} under {low:g}", values < low
    if high is not None:
        yield f"{column} over {high:g}", values > high
