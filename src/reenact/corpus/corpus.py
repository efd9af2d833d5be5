"""A prepared corpus: clips, where their rows lie, and their labels.

Folders, each written by one stage, with a folder per shard (see docs/architecture.md for the columns):
    frames/     SHARD/ frames.npy | frames.jpg + offsets.npy, rows.parquet; clips.parquet
    landmarks/  SHARD-KEY/ landmarks.npy (N, 68, 2) float32, found.npy (N,) bool
    actions/    SHARD-KEY/ rows.parquet (AU01.., pitch, yaw, roll), landmarks3d.npy, visibility.npy; shapes.parquet;
                valid.npy (N,) bool, where a backend says which frames it trusts
    segments/   SHARD-KEY/ segments.npy (N, 128, 128) uint8, where somebody asked for them
    validated/  split.parquet; SHARD/ usable.npy (N,) bool, where frames are passed over
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import FrameReader, Image, has_array, open_frames, read_array, read_rows, read_stage
from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.pose import ANGLES


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One video (track) of one identity: rows [start, start + count) of its shard.

    `person` is the identity that its video has. Tracks of one video that nobody recognised differ in identity and may
    still show the same one: they make no pair of two people. A `still` is a single picture.
    """

    clip: str
    identity: str
    person: str
    shard: str
    start: int
    count: int
    fps: float
    still: bool = False


class Corpus:
    """Read access to a corpus; label folders that were not made are None and may not be asked for."""

    def __init__(
        self,
        frames: Path,
        *,
        landmarks: Path | None = None,
        actions: Path | None = None,
        segments: Path | None = None,
        validated: Path | None = None,
    ) -> None:
        self.folders = {
            "frames": frames, "landmarks": landmarks, "actions": actions, "segments": segments, "validated": validated
        }  # fmt: skip
        self.facts = read_stage(frames, kind="frames")
        for kind in ("landmarks", "actions", "segments"):
            folder = self.folders[kind]
            if folder is not None:
                read_stage(folder, kind=kind)
        self.table = read_table(frames / "clips.parquet", kind="clips")
        self.clips = [
            Clip(
                clip=str(row["clip"]),
                identity=str(row["identity"]),
                person=str(row.get("person", row["identity"])),
                shard=str(row["shard"]),
                start=int(row["start"]),
                count=int(row["count"]),
                fps=float(row["fps"]),
                still=row.get("kind") == "still",
            )
            for row in self.table.to_dict("records")
        ]
        self._open: dict[tuple[str, str], Any] = {}

    @cached_property
    def by_name(self) -> dict[str, Clip]:
        """Clips by their id."""
        return {clip.clip: clip for clip in self.clips}

    @property
    def size(self) -> int:
        """Side of the stored square frames in pixels."""
        return int(self.facts["size"])

    def image(self, clip: Clip, frame: int) -> Image:
        """RGB uint8 (S, S, 3); `frame` counts the clip's stored frames from 0."""
        reader: FrameReader = self._get("frames", clip.shard, lambda f: open_frames(f, clip.shard))
        return reader[clip.start + frame]

    def landmarks(self, clip: Clip) -> NDArray[np.float32]:
        """(count, 68, 2) in crop coordinates 0..1."""
        return self._rows("landmarks", "landmarks", clip)

    def found(self, clip: Clip) -> NDArray[np.bool_]:
        """(count,): whether a frame's landmarks and action units can be trusted, and `validated` lets it be used."""
        found: NDArray[np.bool_] = self._rows("landmarks", "found", clip)
        for kind, name in (("actions", "valid"), ("validated", "usable")):
            folder = self.folders[kind]
            if folder is not None and has_array(folder, clip.shard, name):
                found = found & self._rows(kind, name, clip)
        return found

    def landmarks3d(self, clip: Clip) -> NDArray[np.float32]:
        """(count, 68, 3): x, y in crop coordinates, z in the same unit, away from the camera."""
        return self._rows("actions", "landmarks3d", clip)

    def visibility(self, clip: Clip) -> NDArray[np.float32]:
        """(count, 68) 0..1."""
        return self._rows("actions", "visibility", clip)

    def actions(self, clip: Clip) -> NDArray[np.float32]:
        """(count, 17) intensities 0..5."""
        return self._columns(clip, ACTION_UNITS)

    def pose(self, clip: Clip) -> NDArray[np.float32]:
        """(count, 3) pitch, yaw, roll in degrees."""
        return self._columns(clip, ANGLES)

    def segments(self, clip: Clip) -> NDArray[np.uint8]:
        """(count, 128, 128): 0 background, 1 face, 2 hair; raises BadInput where nobody had them made."""
        folder = self.folders["segments"]
        if folder is None or not has_array(folder, clip.shard, "segments"):
            raise BadInput(
                f"{folder or 'segments'}: no segments were made. Set label_segments.make to always and run "
                "label_segments again."
            )
        return self._rows("segments", "segments", clip)

    def frame_table(self, clip: Clip) -> pd.DataFrame:
        """Per-frame facts from extraction."""
        table = self._get("frame-table", clip.shard, lambda f: read_rows(f, clip.shard, kind="frames"))
        return table.iloc[clip.start : clip.start + clip.count]

    def shapes(self) -> pd.DataFrame:
        """Per clip: the identity coefficients of the shape model (`shape_00`...)."""
        folder = self._folder("actions")
        return read_table(folder / "shapes.parquet", kind="shapes")

    def _columns(self, clip: Clip, names: tuple[str, ...]) -> NDArray[np.float32]:
        def load(folder: Path) -> NDArray[np.float32]:
            table = read_rows(folder, clip.shard, kind="actions")
            return table[list(names)].to_numpy(dtype=np.float32)

        return self._get(f"actions:{names[0]}", clip.shard, load)[clip.start : clip.start + clip.count]

    def _rows(self, kind: str, name: str, clip: Clip) -> NDArray[Any]:
        array = self._get(f"{kind}:{name}", clip.shard, lambda f: read_array(f, clip.shard, name))
        return array[clip.start : clip.start + clip.count]

    def _folder(self, kind: str) -> Path:
        folder = self.folders[kind]
        if folder is None:
            raise ValueError(f"this corpus was opened without {kind}")
        return folder

    def _get(self, what: str, shard: str, load: Any) -> Any:
        key = (what, shard)
        if key not in self._open:
            self._open[key] = load(self._folder("frames" if what.startswith("frame") else what.partition(":")[0]))
        return self._open[key]
