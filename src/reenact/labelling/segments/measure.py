"""Segments against the truth of rendered clips: intersection over union."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reenact.corpus.shards import read_array, read_rows, read_stage
from reenact.corpus.tables import read_table
from reenact.labelling.segments.masks import crop_mask

CLASSES = {"face": 1, "hair": 2}


def segment_overlap(*, frames: Path, segments: Path, videos: Path) -> dict[str, Any] | None:
    """Of each class over all frames at once, and how many frames; None where nothing can be compared.

    A frame without segments counts as background: a face that was not found is an error too.
    """
    if not read_stage(segments, kind="segments")["made"]:
        return None
    clips = read_table(frames / "clips.parquet", kind="clips")
    both, either, count = np.zeros(len(CLASSES)), np.zeros(len(CLASSES)), 0
    for shard, group in clips.groupby("shard"):
        said, table = read_array(segments, str(shard), "segments"), read_rows(frames, str(shard), kind="frames")
        for clip in group.to_dict("records"):
            true = _truth((videos / str(clip["file"])).with_suffix(".truth.npz"))
            if true is None:
                continue
            rows = table.iloc[int(clip["start"]) : int(clip["start"]) + int(clip["count"])]
            for row, number, crop in _frames(rows, int(clip["start"])):
                if number < len(true):
                    expected = crop_mask(true[number], crop, (true.shape[2], true.shape[1]))
                    both += [np.sum((said[row] == k) & (expected == k)) for k in CLASSES.values()]
                    either += [np.sum((said[row] == k) | (expected == k)) for k in CLASSES.values()]
                    count += 1
    if not count:
        return None
    return {name: float(b / e) if e else None for name, b, e in zip(CLASSES, both, either, strict=True)} | {
        "frames": count
    }


def _frames(rows: pd.DataFrame, start: int) -> list[tuple[int, int, Any]]:
    crops = rows[["crop_x", "crop_y", "crop_side"]].to_numpy(dtype=np.float64)
    return [(start + i, int(n), crop) for i, (n, crop) in enumerate(zip(rows["frame"], crops, strict=True))]


def _truth(path: Path) -> Any:
    """(N, H, W), None where there is none or it can't be read: `label_quality` names such files."""
    try:
        with np.load(path) as stored:
            segments = stored["segments"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    return segments if segments.ndim == 3 else None
