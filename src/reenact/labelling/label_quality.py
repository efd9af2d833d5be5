"""How good a corpus' labels are: how often there are landmarks, how well they fit, how far off the truth they are."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import has_array, read_array, read_rows
from reenact.corpus.tables import FORMAT, read_table
from reenact.faces.actions import ACTION_UNITS
from reenact.labelling.running import Mean, Quantiles
from reenact.labelling.segments.measure import segment_overlap
from reenact.labelling.truth import Comparison, FoundByTurn, Labels

_POSE = ("pitch", "yaw", "roll")


def label_quality(
    *, frames: Path, landmarks: Path, actions: Path, segments: Path | None = None, videos: Path | None = None
) -> dict[str, Any]:
    """What `validated/label_quality.json` holds; see docs/architecture.md. `truth` is False where no video has it."""
    clips = read_table(frames / "clips.parquet", kind="clips")
    share, errors, told = Mean(), Quantiles(), _Told(videos)
    for shard, group in clips.groupby("shard", sort=True):
        found = np.asarray(read_array(landmarks, str(shard), "found")).astype(bool)
        share.add(found)
        errors.add(_fit_errors(actions, str(shard))[found])
        if videos is not None:
            table = read_rows(frames, str(shard), kind="frames")
            told.add(group, table, found, partial(_labels, table, landmarks, actions, str(shard)))
    told.lost()
    middle_high = errors.at(0.5, 0.95)
    record: dict[str, Any] = {
        "format": FORMAT,
        "truth": False,
        "stored_frames": share.count,
        "found": share.value,
        "fit_error": dict(zip(("median", "high"), middle_high, strict=True)) if middle_high else None,
    }
    if not told.videos:
        return record | ({"unreadable": told.unreadable} if told.unreadable else {})
    overlap = segment_overlap(frames=frames, segments=segments, videos=videos) if segments and videos else None
    more = {"segments": overlap} if overlap else {}
    return record | {"truth": True, "unreadable": told.unreadable, **told.record(), **more}


class _Told:
    """What the truths beside videos say of our labels, added up; one truth is in memory at a time."""

    def __init__(self, videos: Path | None) -> None:
        self.folder = videos
        table = read_table(videos / "clips.parquet", kind="videos")["file"] if videos else ()
        self.waiting = dict.fromkeys(str(file) for file in table if videos and _truth_file(videos, file).exists())
        self.order = list(self.waiting)
        self.bad: set[str] = set()
        self.videos, self.every = 0, 1  # `every`: frames of the video between two that were read
        self.face, self.turn, self.errors = Mean(), FoundByTurn(), Comparison()

    @property
    def unreadable(self) -> list[str]:
        """Names of truth files that can't be used."""
        return [Path(file).with_suffix(".truth.npz").name for file in self.order if file in self.bad]

    def add(
        self, clips: pd.DataFrame, table: pd.DataFrame, found: NDArray[np.bool_], read_labels: Callable[[], Labels]
    ) -> None:
        """Take the clips of one shard that have a truth; all tracks of a video show the one person drawn."""
        number, labels = table["frame"].to_numpy(dtype=np.int64), None
        for file, tracks in clips.groupby("file"):
            truth = self._truth(str(file))
            if truth is None:
                continue
            labels = read_labels() if labels is None else labels
            rows = np.flatnonzero(table["clip"].isin(tracks["clip"]).to_numpy() & (number < len(truth)))
            steps = np.diff(np.unique(number[rows]))
            self.every = int(steps.min()) if len(steps) else self.every
            good = rows[found[rows]]
            self.errors.add(labels.at(good), truth.at(number[good]), table["clip"].to_numpy(dtype=str)[good])
            read = np.arange(int(tracks["frames_read"].max())) * self.every
            self._watch(truth, read[read < len(truth)], number[rows], number[good])

    def lost(self) -> None:
        """The videos that left no clip: their faces were there, and not found."""
        nothing = np.empty(0, np.int64)
        for file in sorted(self.waiting):
            truth = self._truth(file)
            if truth is not None:
                self._watch(truth, np.arange(0, len(truth), self.every), nothing, nothing)

    def record(self) -> dict[str, Any]:
        """Shares and errors as plain JSON types."""
        record = {"videos": self.videos, "video_frames": self.face.count, "face": self.face.value,
                  "turn": self.turn.record()}  # fmt: skip
        return record | {"compared_frames": self.errors.frames, **self.errors.record()}

    def _truth(self, file: str) -> Labels | None:
        """Read once; None where there is none, or it can't be used."""
        if file not in self.waiting or self.folder is None:
            return None
        del self.waiting[file]
        try:
            return read_truth(_truth_file(self.folder, file))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # costs its clip the comparison, not the run
            self.bad.add(file)
            return None

    def _watch(
        self, truth: Labels, read: NDArray[np.int64], stored: NDArray[np.int64], found: NDArray[np.int64]
    ) -> None:
        self.videos += 1
        self.face.add(np.isin(read, stored))
        self.turn.add(truth.pose[read, 1], np.isin(read, found))


def _labels(table: pd.DataFrame, landmarks: Path, actions: Path, shard: str) -> Labels:
    """Of a shard's frames, landmarks mapped from the crop to the video; NaN where a label was not made."""
    side = table["crop_side"].to_numpy(dtype=np.float64)[:, None, None]
    corner = table[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)[:, None]
    labelled = read_rows(actions, shard, kind="actions")
    if has_array(actions, shard, "valid"):
        labelled = labelled.where(pd.Series(np.asarray(read_array(actions, shard, "valid")), index=labelled.index))
    return Labels(
        landmarks=np.asarray(read_array(landmarks, shard, "landmarks"), dtype=np.float64) * side + corner,
        actions=labelled.reindex(columns=list(ACTION_UNITS)).to_numpy(dtype=np.float64),
        pose=labelled.reindex(columns=list(_POSE)).to_numpy(dtype=np.float64),
        visibility=np.asarray(read_array(actions, shard, "visibility") if has_array(actions, shard, "visibility") else
                              np.full((len(table), 68), np.nan), dtype=np.float64),
    )  # fmt: skip


def _truth_file(videos: Path, file: str) -> Path:
    return (videos / file).with_suffix(".truth.npz")


def read_truth(path: Path) -> Labels:
    """The truth beside a rendered video, a row per frame; raises what a file that can't be used makes NumPy raise."""
    with np.load(path) as stored:
        names = ("landmarks", "actions", "pose", "visibility")
        truth = Labels(**{name: stored[name].astype(np.float64) for name in names})
    count = len(truth)
    shapes = (truth.landmarks.shape, truth.actions.shape, truth.pose.shape, truth.visibility.shape)
    if shapes != ((count, 68, 2), (count, len(ACTION_UNITS)), (count, 3), (count, 68)):
        raise ValueError(f"{path}: {shapes}")
    return truth


def _fit_errors(actions: Path, shard: str) -> NDArray[np.float64]:
    """Of a shard's frames; all NaN where nothing was fitted."""
    table = read_rows(actions, shard, kind="actions")
    return table.reindex(columns=["fit_error"])["fit_error"].to_numpy(dtype=np.float64)
