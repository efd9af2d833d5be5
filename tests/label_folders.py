"""Two small clips in one shard with made-up pictures, and the files that other tools leave beside their videos."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reenact.corpus.shards import frame_writer, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.shape_model import shape_model

SIZE, SIDE, CORNER = 64, 160, (30, 20)  # of the crops; their side and place in the video, in pixels
FRAMES = {"ana": [0, 1, 2, 4, 5, 6], "ben": [0, 1, 2]}


def face_in_video(shift: float = 0.0) -> np.ndarray:
    """(68, 2) in video pixels, a pixel's centre at +0.5, in the middle of the crop."""
    mean = shape_model().mean[:, :2]
    return np.asarray((mean - mean.mean(axis=0)) * 0.5 + [CORNER[0] + SIDE / 2 + shift, CORNER[1] + SIDE / 2])


def in_crop(points: np.ndarray) -> np.ndarray:
    return (points - CORNER) / SIDE


def make_folders(tmp_path: Path) -> dict[str, Path]:
    """Two clips in one shard, with made-up pictures; the videos' folder names no annotations yet."""
    frames, videos = tmp_path / "frames", tmp_path / "videos"
    (frames / "s0").mkdir(parents=True)
    videos.mkdir()
    names = [name for name, numbers in FRAMES.items() for _ in numbers]
    rng = np.random.default_rng(0)
    with frame_writer(frames, "s0", codec="raw") as writer:
        writer.extend(rng.integers(0, 255, (len(names), SIZE, SIZE, 3), dtype=np.uint8))
    numbers = [number for listed in FRAMES.values() for number in listed]
    table = pd.DataFrame({"clip": names, "frame": numbers, "time": np.array(numbers) / 25, "score": np.nan})
    boxes = {"box_x0": 0.25, "box_y0": 0.2, "box_x1": 0.75, "box_y1": 0.7}
    table = table.assign(crop_x=CORNER[0], crop_y=CORNER[1], crop_side=SIDE, **boxes)
    write_rows(frames, "s0", table, kind="frames")
    write_table(frames / "clips.parquet", pd.DataFrame(clip_rows()), kind="clips")
    write_stage(frames, kind="frames", size=SIZE, codec="raw", shards={"s0": "s0"})
    list_videos(videos)
    return {"frames": frames, "videos": videos, "out": tmp_path / "landmarks"}


def clip_rows() -> list[dict[str, Any]]:
    rows, start = [], 0
    for name, numbers in FRAMES.items():
        row = {"clip": name, "identity": name, "shard": "s0", "start": start, "count": len(numbers), "fps": 25.0}
        rows.append({**row, "video": name})
        start += len(numbers)
    return rows


def list_videos(videos: Path, **annotations: str) -> None:
    rows = [{"clip": name, "file": f"{name}.mp4", "annotation": annotations.get(name, "")} for name in FRAMES]
    write_table(videos / "clips.parquet", pd.DataFrame(rows).assign(member=""), kind="videos")
    write_stage(videos, kind="videos")


def openface_text(rows: list[dict[str, float]]) -> str:
    return (
        "\n".join([", ".join(rows[0]), *(", ".join(f"{value:.4f}" for value in row.values()) for row in rows)]) + "\n"
    )


def openface_row(frame: int, shift: float = 0.0, face: int | None = 0, **changes: float) -> dict[str, float]:
    """A row of FeatureExtraction 2; points count from the pixel's centre."""
    points = face_in_video(shift) - 0.5
    start: dict[str, float] = {"frame": frame + 1}
    start |= {} if face is None else {"face_id": face}
    row = start | {"timestamp": frame / 25, "confidence": 0.98, "success": 1, "gaze_0_x": 0.1}
    row |= {"pose_Tx": 9.0, "pose_Rx": 0.1, "pose_Ry": -0.2, "pose_Rz": 0.05}
    row |= {f"{axis}_{n}": points[n, i] for i, axis in enumerate("xy") for n in range(68)}
    row |= {f"{name}_r": index / 10 + frame / 100 for index, name in enumerate(ACTION_UNITS)}
    return row | {f"{name}_c": 1.0 for name in ACTION_UNITS} | changes


def written(path: Path, rows: list[dict[str, float]]) -> Path:
    path.write_text(openface_text(rows))
    return path
