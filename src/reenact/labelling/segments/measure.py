"""Segments against the truth of rendered clips: intersection over union."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import read_array, read_rows, read_stage
from reenact.corpus.tables import read_table
from reenact.labelling.segments.masks import crop_mask

CLASSES = {"face": 1, "hair": 2}
Map = NDArray[np.uint8]


def segment_overlap(*, frames: Path, segments: Path, videos: Path) -> dict[str, Any] | None:
    """`face` and `hair`, over all pixels of all `frames` at once; None where nothing can be compared.

    A frame without segments counts as background: a face that was not found is an error too. A class that is in
    neither has None.
    """
    if not read_stage(segments, kind="segments").get("made"):
        return None
    both, either, count = dict.fromkeys(CLASSES, 0), dict.fromkeys(CLASSES, 0), 0
    for said, true in _pairs(frames, segments, videos):
        count += 1
        for name, number in CLASSES.items():
            both[name] += int(np.sum((said == number) & (true == number)))
            either[name] += int(np.sum((said == number) | (true == number)))
    shares = {name: both[name] / either[name] if either[name] else None for name in CLASSES}
    return {**shares, "frames": count} if count else None


def _pairs(frames: Path, segments: Path, videos: Path) -> Iterator[tuple[Map, Map]]:
    """What was said of each frame whose video has a truth, and what is true, (128, 128) each."""
    for shard, clips in read_table(frames / "clips.parquet", kind="clips").groupby("shard"):
        said, table = read_array(segments, str(shard), "segments"), read_rows(frames, str(shard), kind="frames")
        for clip in clips.to_dict("records"):
            true = _truth((videos / str(clip["file"])).with_suffix(".truth.npz"))
            start = int(clip["start"])
            for row, number, crop in _frames(table.iloc[start : start + int(clip["count"])], start):
                if number < len(true):
                    yield np.asarray(said[row]), crop_mask(true[number], crop, (true.shape[2], true.shape[1]))


def _frames(rows: pd.DataFrame, start: int) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Row of the shard, number in the video, crop."""
    crops = rows[["crop_x", "crop_y", "crop_side"]].to_numpy(dtype=np.float64)
    numbers = rows["frame"].to_numpy(dtype=np.int64)
    for index, (number, crop) in enumerate(zip(numbers, crops, strict=True)):
        yield start + index, int(number), crop


def _truth(path: Path) -> Map:
    """(N, H, W); no frames where there is no file, or none that can be used: `label_quality` names such files."""
    none = np.zeros((0, 1, 1), dtype=np.uint8)
    if not path.exists():
        return none
    try:
        with np.load(path) as stored:
            segments = np.asarray(stored["segments"], dtype=np.uint8)
    # A damaged zip raises errors of zip, zlib, numpy and its own kinds.
    except Exception:
        return none
    return segments if segments.ndim == 3 else none
