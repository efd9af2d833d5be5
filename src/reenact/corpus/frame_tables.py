"""Everything known of the stored frames, some thousand rows at a time: memory doesn't follow their number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reenact.corpus.shards import has_array, read_array, read_rows
from reenact.errors import ValidationFailed

ROWS = 20_000  # of whole shards that are looked at together


@dataclass(frozen=True)
class FrameTable:
    """Rows of whole shards, one after another: each shard's name and number of rows, and the rows of all of them."""

    shards: tuple[tuple[str, int], ...]
    rows: pd.DataFrame


def frame_tables(
    frames: Path, landmarks: Path, actions: Path, shards: Sequence[str], *, rows: int = ROWS
) -> Iterator[FrameTable]:
    """The frames of these shards in their order, `rows` or a few more at a time; no shard is cut.

    Raises ValidationFailed for a shard whose folders don't belong together.
    """
    waiting: list[tuple[str, pd.DataFrame]] = []
    for shard in shards:
        waiting.append((shard, shard_table(frames, landmarks, actions, shard)))
        if sum(len(table) for _, table in waiting) >= rows:
            yield _together(waiting)
            waiting = []
    if waiting:
        yield _together(waiting)


def shard_table(frames: Path, landmarks: Path, actions: Path, shard: str) -> pd.DataFrame:
    """One row per stored frame: what extraction and labels say, `found`, `landmarks_finite`, `landmarks_inside`."""
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
    return pd.concat([table.reset_index(drop=True), labelled.reset_index(drop=True)], axis=1)


def clip_sums(rows: pd.DataFrame) -> pd.DataFrame:
    """By clip: `rows`, `found` (how many), and `first` and `last` (s), between which the clip lies in its video."""
    groups = rows.groupby("clip", sort=False)
    return pd.DataFrame({
        "rows": groups.size(), "found": groups["found"].sum(),
        "first": groups["time"].min(), "last": groups["time"].max(),
    })  # fmt: skip


def _together(tables: Sequence[tuple[str, pd.DataFrame]]) -> FrameTable:
    rows = pd.concat([table for _, table in tables], ignore_index=True)
    return FrameTable(tuple((shard, len(table)) for shard, table in tables), rows)
