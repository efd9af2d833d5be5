"""The stored frames of one clip as label backends see them, with the way from crop to video and back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import FrameReader, Image, open_frames, read_rows
from reenact.corpus.tables import read_table

_BOX = ["box_x0", "box_y0", "box_x1", "box_y1"]


@dataclass(frozen=True, kw_only=True)
class ClipFrames:
    """N frames of one clip: rows [start, start + N) of its shard."""

    clip: str
    fps: float
    start: int
    table: pd.DataFrame  # (N rows) as frames/ has them
    reader: FrameReader  # of the whole shard
    videos: Path | None = None
    row: Mapping[str, Any] = field(default_factory=dict)  # of videos/clips.parquet; empty where nobody asked for it

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> Image:
        """RGB uint8 (S, S, 3), the crop of one frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.reader[self.start + index]

    @property
    def rows(self) -> slice:
        """The clip's rows of its shard."""
        return slice(self.start, self.start + len(self))

    @property
    def frames(self) -> NDArray[np.int64]:
        """(N,) numbers in the video, from 0."""
        return self.table["frame"].to_numpy(dtype=np.int64)

    @property
    def crops(self) -> NDArray[np.float64]:
        """(N, 3): left, top, side in video pixels."""
        return self.table[["crop_x", "crop_y", "crop_side"]].to_numpy(dtype=np.float64)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4): x0, y0, x1, y1 of the face in crop coordinates."""
        return self.table[_BOX].to_numpy(dtype=np.float64)

    @property
    def video_boxes(self) -> NDArray[np.float64]:
        """(N, 4): the same in video pixels."""
        crops = self.crops
        return self.boxes * crops[:, 2:] + np.tile(crops[:, :2], 2)

    def to_crop(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, P, 2) of video pixels (a pixel's centre at +0.5) -> crop coordinates 0..1."""
        crops = self.crops
        return np.asarray((points - crops[:, None, :2]) / crops[:, None, 2:], dtype=np.float64)


def shard_clips(
    frames: Path, shard: str, clips: list[dict[str, Any]], *, videos: Path | None = None
) -> Iterator[ClipFrames]:
    """The clips of one shard (`clips`: their rows of frames/clips.parquet), with their videos' rows where asked for."""
    reader, table = open_frames(frames, shard), read_rows(frames, shard, kind="frames")
    listed = video_rows(videos) if videos else {}
    for clip in clips:
        start, count = int(clip["start"]), int(clip["count"])
        yield ClipFrames(
            clip=str(clip["clip"]),
            fps=float(clip["fps"]),
            start=start,
            table=table.iloc[start : start + count],
            reader=reader,
            videos=videos,
            row=listed.get(str(clip.get("video") or clip["clip"]), {}),
        )


def video_rows(videos: Path) -> dict[str, dict[str, Any]]:
    """The rows of videos/clips.parquet by clip."""
    table = read_table(videos / "clips.parquet", kind="videos")
    return {str(row["clip"]): {str(name): row[name] for name in row} for row in table.to_dict("records")}
