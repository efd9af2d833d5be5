"""68 landmarks for every stored crop."""

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from reenact.config import Runtime, Settings
from reenact.corpus.shards import open_frames, read_rows, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.labelling.shard_work import NewShard, keep_only, make_shards, shard_facts
from reenact.stages.result import StageResult


class LabelLandmarksSettings(Settings):
    """Which backend, and on what enlargement of the crop."""

    backend: str = "dlib"
    enlarge_to: int = Field(default=512, ge=64, le=4096)  # px; dlib answers in whole pixels of the picture it is given
    looks: int = Field(default=3, ge=1, le=5)  # slightly different face boxes over which landmarks are averaged


def label_landmarks(
    *, frames: Path, out: Path, settings: LabelLandmarksSettings, runtime: Runtime, store: Path | None = None
) -> StageResult:
    """Landmarks (N, 68, 2) in crop coordinates and found (N,) per shard. Makes the shards that aren't there yet."""
    from reenact.labelling.backends import backend_facts

    frames, out = Path(frames), Path(out)
    read_stage(frames, kind="frames")
    shards = sorted(set(read_table(frames / "clips.parquet", kind="clips")["shard"]))
    facts = backend_facts(settings.backend)
    key = hash_json([hash_code("labelling"), hash_file(Path(__file__)), settings.plain(), facts])[:12]
    names = {shard: f"{shard}-{key}" for shard in shards}
    tasks = {name: (frames, shard, settings) for shard, name in names.items()}
    made = make_shards(
        _label_shard, tasks, out=out, store=store, workers=runtime.workers, what="landmarks: shards"
    )  # fmt: skip
    licence = "research only: the 68-point model was trained on iBUG 300-W"
    write_stage(out, kind="landmarks", shards=names, **facts, licence=licence)
    keep_only(out, tasks)
    counts = [shard_facts(out, name) or {} for name in tasks]
    rows, found = sum(one["rows"] for one in counts), sum(one["found"] for one in counts)
    return StageResult(
        stage="label_landmarks", counts={"frames": float(rows), "found": float(found), "shards_now": float(made)}
    )


def _label_shard(task: tuple[Path, str, LabelLandmarksSettings], out: NewShard) -> None:
    from reenact.labelling.backend import Box
    from reenact.labelling.backends import landmark_predictor
    from reenact.labelling.crops import landmarks_of_crop
    from reenact.labelling.geometry import plausible

    frames, shard, settings = task
    predictor = landmark_predictor(settings.backend)
    images = open_frames(frames, shard)
    boxes: Any = read_rows(frames, shard, kind="frames")[["box_x0", "box_y0", "box_x1", "box_y1"]].to_numpy()
    landmarks = np.empty((len(images), 68, 2), dtype=np.float32)
    for row in range(len(images)):
        landmarks[row] = landmarks_of_crop(
            images[row], Box(*boxes[row]), predictor, enlarge_to=settings.enlarge_to, looks=settings.looks
        )
    found = plausible(landmarks)
    write_array(out.folder, out.name, "landmarks", landmarks)
    write_array(out.folder, out.name, "found", found)
    out.facts |= {"rows": len(found), "found": int(found.sum())}
