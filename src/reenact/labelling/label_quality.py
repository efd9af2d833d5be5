"""How good a corpus' labels are: how often there are landmarks, how well they fit, how far off the truth they are."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import has_array, read_array, read_rows
from reenact.corpus.tables import FORMAT, read_table
from reenact.faces.actions import ACTION_UNITS
from reenact.labelling.segments.measure import segment_overlap
from reenact.labelling.truth import Labels, compare, found_by_turn, joined, mean

_POSE = ("pitch", "yaw", "roll")


def label_quality(
    *, frames: Path, landmarks: Path, actions: Path, segments: Path | None = None, videos: Path | None = None
) -> dict[str, Any]:
    """What `validated/label_quality.json` holds; see docs/architecture.md. `truth` is False where no video has it."""
    clips = read_table(frames / "clips.parquet", kind="clips")
    shards = sorted(set(clips["shard"]))
    found = [np.asarray(read_array(landmarks, shard, "found")).astype(bool) for shard in shards]
    errors = [_fit_errors(actions, shard)[of] for shard, of in zip(shards, found, strict=True)]
    everything = np.concatenate([np.empty(0, bool), *found])
    record: dict[str, Any] = {
        "format": FORMAT,
        "truth": False,
        "stored_frames": len(everything),
        "found": mean(everything),
        "fit_error": _quantiles(np.concatenate([np.empty(0), *errors])),
    }
    truths, unreadable = _truths(videos)
    if not truths:
        return record | ({"unreadable": unreadable} if unreadable else {})
    kept = _Kept()
    for shard, of in zip(shards, found, strict=True):
        table = read_rows(frames, shard, kind="frames")
        labels = _labels(table, landmarks, actions, shard)
        kept.add(clips[clips["shard"] == shard], table, labels, of, truths)
    kept.lost(truths)
    overlap = segment_overlap(frames=frames, segments=segments, videos=videos) if segments and videos else None
    more = {"segments": overlap} if overlap else {}
    return record | {"truth": True, "unreadable": unreadable, **kept.record(), **more}


@dataclass
class _Kept:
    """What is kept of every clip with a truth: its labelled frames, and of all frames of its video turn and find."""

    ours: list[Labels] = field(default_factory=list)
    true: list[Labels] = field(default_factory=list)
    clip: list[NDArray[np.str_]] = field(default_factory=list)
    yaw: list[NDArray[np.float64]] = field(default_factory=list)
    face: list[NDArray[np.bool_]] = field(default_factory=list)
    found: list[NDArray[np.bool_]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    every: int = 1  # frames of the video between two that were read

    def add(
        self, clips: pd.DataFrame, table: pd.DataFrame, labels: Labels, found: NDArray[np.bool_], truths: dict[str, Any]
    ) -> None:
        """Take the clips of one shard that have a truth; all tracks of a video show the one person drawn."""
        number = table["frame"].to_numpy(dtype=np.int64)
        for file, tracks in clips.groupby("file"):
            truth = truths.get(str(file))
            if truth is None:
                continue
            rows = np.flatnonzero(table["clip"].isin(tracks["clip"]).to_numpy() & (number < len(truth)))
            steps = np.diff(np.unique(number[rows]))
            self.every = int(steps.min()) if len(steps) else self.every
            good = rows[found[rows]]
            self.ours.append(labels.at(good))
            self.true.append(truth.at(number[good]))
            self.clip.append(table["clip"].to_numpy(dtype=str)[good])
            read = np.arange(int(tracks["frames_read"].max())) * self.every
            self._watch(truth, read[read < len(truth)], number[rows], number[good])
            self.files.add(str(file))

    def lost(self, truths: dict[str, Any]) -> None:
        """The videos that left no clip: their faces were there, and not found."""
        nothing = np.empty(0, np.int64)
        for file in sorted(set(truths) - self.files):
            self._watch(truths[file], np.arange(0, len(truths[file]), self.every), nothing, nothing)

    def record(self) -> dict[str, Any]:
        """Shares and errors as plain JSON types."""
        face = np.concatenate(self.face)
        shares = {"videos": len(self.face), "video_frames": len(face), "face": mean(face)}
        record = {**shares, "turn": found_by_turn(np.concatenate(self.yaw), np.concatenate(self.found))}
        if not self.ours:
            return record
        ours, true = joined(self.ours), joined(self.true)
        return {**record, "compared_frames": len(ours), **compare(ours, true, np.concatenate(self.clip))}

    def _watch(
        self, truth: Labels, read: NDArray[np.int64], stored: NDArray[np.int64], found: NDArray[np.int64]
    ) -> None:
        self.yaw.append(truth.pose[read, 1])
        self.face.append(np.isin(read, stored))
        self.found.append(np.isin(read, found))


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


def _truths(videos: Path | None) -> tuple[dict[str, Labels], list[str]]:
    """(the truth of every video that has one, by its file; names of truth files that can't be used)."""
    truths: dict[str, Labels] = {}
    unreadable = []
    for file in read_table(videos / "clips.parquet", kind="videos")["file"] if videos else ():
        path = (Path(str(videos)) / file).with_suffix(".truth.npz")
        if not path.exists():
            continue
        try:
            truths[str(file)] = _read_truth(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # costs its clip the comparison, not the run
            unreadable.append(path.name)
    return truths, unreadable


def _read_truth(path: Path) -> Labels:
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


def _quantiles(errors: NDArray[np.float64]) -> dict[str, float] | None:
    finite = errors[np.isfinite(errors)]
    if not len(finite):
        return None
    middle, high = np.quantile(finite, [0.5, 0.95])
    return {"median": float(middle), "high": float(high)}
