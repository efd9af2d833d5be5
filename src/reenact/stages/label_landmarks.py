"""68 landmarks for every stored crop."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from reenact.config import Runtime, Settings
from reenact.corpus.shards import open_frames, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.labelling.shard_work import begin_stage, clear_shard, finish_shard, in_processes, is_current, marker
from reenact.progress import progress
from reenact.stages.result import StageResult


class LabelLandmarksSettings(Settings):
    """Which backend, and on what enlargement of the crop."""

    backend: str = "dlib"
    enlarge_to: int = Field(default=512, ge=64, le=4096)  # px; dlib answers in whole pixels of the picture it is given
    looks: int = Field(default=3, ge=1, le=5)  # slightly different face boxes over which landmarks are averaged


def label_landmarks(*, frames: Path, out: Path, settings: LabelLandmarksSettings, runtime: Runtime) -> StageResult:
    """Landmarks (N, 68, 2) in crop coordinates and found (N,) per shard. Idempotent per shard."""
    from reenact.labelling.backends import backend_facts

    frames, out = Path(frames), Path(out)
    read_stage(frames, kind="frames")
    shards = sorted(set(read_table(frames / "clips.parquet", kind="clips")["shard"]))
    facts = backend_facts(settings.backend)
    base = [hash_code("labelling"), hash_file(Path(__file__)), settings.plain(), facts]
    keys = {shard: hash_json([base, marker(frames, shard)]) for shard in shards}
    begin_stage(out, shards)
    tasks = [(frames, out, shard, keys[shard], settings) for shard in shards if not is_current(out, shard, keys[shard])]
    for _ in progress(in_processes(_label_shard, tasks, runtime.workers), "landmarks: shards", total=len(tasks)):
        pass
    write_stage(out, kind="landmarks", **facts, licence="research only: the 68-point model was trained on iBUG 300-W")
    counts = [marker(out, shard) for shard in shards]
    rows, found = sum(one["rows"] for one in counts), sum(one["found"] for one in counts)
    return StageResult(
        stage="label_landmarks", counts={"frames": float(rows), "found": float(found), "shards_now": float(len(tasks))}
    )


def _label_shard(task: tuple[Path, Path, str, str, LabelLandmarksSettings]) -> None:
    from reenact.labelling.backend import Box
    from reenact.labelling.backends import landmark_predictor
    from reenact.labelling.crops import landmarks_of_crop
    from reenact.labelling.geometry import plausible

    frames, out, shard, key, settings = task
    clear_shard(out, shard)
    predictor = landmark_predictor(settings.backend)
    images = open_frames(frames, shard)
    boxes: Any = read_table(frames / f"{shard}.parquet", kind="frames")[
        ["box_x0", "box_y0", "box_x1", "box_y1"]
    ].to_numpy()
    landmarks = np.empty((len(images), 68, 2), dtype=np.float32)
    for row in range(len(images)):
        landmarks[row] = landmarks_of_crop(
            images[row], Box(*boxes[row]), predictor, enlarge_to=settings.enlarge_to, looks=settings.looks
        )
    found = plausible(landmarks)
    write_array(out, shard, "landmarks", landmarks)
    write_array(out, shard, "found", found)
    finish_shard(out, shard, key, rows=len(found), found=int(found.sum()))
