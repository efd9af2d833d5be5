"""Labels of one kind of labeller over the clips of a corpus, clip by clip, in pixels of the video."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.corpus import Clip, Corpus
from reenact.corpus.shards import has_array, read_array
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import outer_eye_distance
from reenact.labelling.clip_frames import video_rows

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ClipLabels:
    """N frames of one clip; NaN where a label was not made."""

    frames: NDArray[np.int64]  # (N,) ascending numbers in the video
    found: NDArray[np.bool_]  # (N,) whether the landmarks can be trusted
    landmarks: Array  # (N, 68, 2) in video pixels
    eyes: Array  # (N,) px between the outer eye corners, in depth where that is known
    actions: Array  # (N, 17) 0..5
    pose: Array  # (N, 3) degrees
    crops: Array  # (N, 3) left, top, side of the square that the segments lie in, in video pixels
    segments: NDArray[np.uint8] | None = None  # (N, 128, 128)


class LabelSet(Protocol):
    """Labels to be compared."""

    @property
    def names(self) -> tuple[str, ...]:
        """The clips."""

    def labels(self, name: str) -> ClipLabels:
        """Those of one clip."""


class StoredLabels:
    """What the label stages left in their folders; `actions` and `segments` may be missing."""

    def __init__(
        self, frames: Path, landmarks: Path, actions: Path | None = None, segments: Path | None = None
    ) -> None:
        self.points = Corpus(frames, landmarks=landmarks, segments=segments)
        self.units = Corpus(frames, actions=actions) if actions is not None else None
        self.names = tuple(clip.clip for clip in self.points.clips)

    def labels(self, name: str) -> ClipLabels:
        """Intensities count where their backend trusts them, those of the fit where the landmarks were found."""
        clip = self.points.by_name[name]
        table = self.points.frame_table(clip)
        side = table["crop_side"].to_numpy(dtype=np.float64)
        corner = table[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)
        crop = np.asarray(self.points.landmarks(clip), dtype=np.float64)
        found = np.asarray(self.points.found(clip)).astype(bool)
        actions, pose = np.full((clip.count, len(ACTION_UNITS)), np.nan), np.full((clip.count, 3), np.nan)
        eyes = outer_eye_distance(crop)
        if self.units is not None:
            valid = self._valid(clip, found)
            actions[valid] = self.units.actions(clip)[valid]
            # Where a backend has no pose, it is that of the fit to the landmarks.
            pose[valid & found] = self.units.pose(clip)[valid & found]
            eyes = outer_eye_distance(np.asarray(self.units.landmarks3d(clip), dtype=np.float64))
        return ClipLabels(
            frames=table["frame"].to_numpy(dtype=np.int64),
            found=found,
            landmarks=crop * side[:, None, None] + corner[:, None],
            eyes=eyes * side,
            actions=actions,
            pose=pose,
            crops=np.column_stack([corner, side]),
            segments=np.asarray(self.points.segments(clip)) if self.points.folders["segments"] else None,
        )

    def _valid(self, clip: Clip, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        folder = self.units.folders["actions"] if self.units else None
        if folder is None or not has_array(folder, clip.shard, "valid"):
            return found
        return np.asarray(read_array(folder, clip.shard, "valid")[clip.start : clip.start + clip.count])


class TrueLabels:
    """What the renderer knows of the clips that it drew; the others are left out."""

    def __init__(self, frames: Path, videos: Path) -> None:
        self.corpus = Corpus(frames)
        files = {name: str(row["file"]) for name, row in video_rows(videos).items()}
        video_of: Mapping[str, str] = dict(
            zip(self.corpus.table["clip"], self.corpus.table.get("video", self.corpus.table["clip"]), strict=True)
        )
        paths = {name: (videos / files.get(video, "-")).with_suffix(".truth.npz") for name, video in video_of.items()}
        self.paths = {name: path for name, path in paths.items() if path.is_file()}
        self.names = tuple(self.paths)
        if not self.paths:
            raise BadInput(f"{videos}: no truth (CLIP.truth.npz) beside these videos; only rendered clips have it.")

    def labels(self, name: str) -> ClipLabels:
        """Known of every frame."""
        path = self.paths[name]
        table = self.corpus.frame_table(self.corpus.by_name[name])
        numbers = table["frame"].to_numpy(dtype=np.int64)
        try:
            with np.load(path) as stored:
                truth = {key: stored[key].astype(np.float64) for key in ("landmarks3d", "actions", "pose")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path}: can't be read ({error}). Run render-clips again.") from None
        known = numbers < len(truth["pose"])
        numbers = numbers[known]
        solid = truth["landmarks3d"][numbers]
        return ClipLabels(
            frames=numbers,
            found=np.ones(len(numbers), dtype=bool),
            landmarks=solid[..., :2],
            eyes=np.asarray(outer_eye_distance(solid), dtype=np.float64),
            actions=truth["actions"][numbers],
            pose=truth["pose"][numbers],
            crops=table[["crop_x", "crop_y", "crop_side"]].to_numpy(dtype=np.float64)[known],
        )
