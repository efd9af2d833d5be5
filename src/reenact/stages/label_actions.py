"""Action units, pose, 3D landmarks with visibility, by fitting the shape model to each clip's landmarks."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from reenact.config import Runtime, Settings
from reenact.corpus.shards import read_array, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.faces.actions import ACTION_UNITS
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.labelling.shard_work import begin_stage, clear_shard, finish_shard, in_processes, is_current, marker
from reenact.progress import progress
from reenact.stages.result import StageResult


class LabelActionsSettings(Settings):
    """Which backend reads action units and pose."""

    backend: Literal["fit"] = "fit"


def label_actions(
    *, frames: Path, landmarks: Path, out: Path, settings: LabelActionsSettings, runtime: Runtime
) -> StageResult:
    """AUs, pose and fit error per frame, 3D landmarks and visibility, each clip's shape. Idempotent per shard."""
    frames, landmarks, out = Path(frames), Path(landmarks), Path(out)
    read_stage(frames, kind="frames")
    read_stage(landmarks, kind="landmarks")
    clips = read_table(frames / "clips.parquet", kind="clips")
    groups: dict[str, list[tuple[str, int, int]]] = {}
    for row in clips.to_dict("records"):
        groups.setdefault(row["shard"], []).append((row["clip"], int(row["start"]), int(row["count"])))
    base = [hash_code("labelling", "faces"), hash_file(Path(__file__)), settings.plain(), np.__version__]
    keys = {shard: hash_json([base, marker(landmarks, shard), group]) for shard, group in groups.items()}
    begin_stage(out, list(groups))
    tasks = [
        (landmarks, out, shard, keys[shard], group)
        for shard, group in groups.items()
        if not is_current(out, shard, keys[shard])
    ]
    for _ in progress(in_processes(_label_shard, tasks, runtime.workers), "actions: shards", total=len(tasks)):
        pass
    shapes = pd.DataFrame([row for shard in sorted(groups) for row in marker(out, shard)["shapes"]])
    write_table(out / "shapes.parquet", shapes, kind="shapes")
    write_stage(out, kind="actions", backend=settings.backend)
    errors = [error for shard in groups for error in marker(out, shard)["errors"]]
    return StageResult(
        stage="label_actions",
        counts={
            "frames": float(clips["count"].sum()),
            "shards_now": float(len(tasks)),
            "fit_error": float(np.mean(errors)),
        },
    )


def _label_shard(task: tuple[Path, Path, str, str, list[tuple[str, int, int]]]) -> None:
    from reenact.labelling.shape_fit import fit_clip

    landmarks, out, shard, key, clips = task
    clear_shard(out, shard)
    points, found = read_array(landmarks, shard, "landmarks"), read_array(landmarks, shard, "found")
    table = np.zeros((len(points), len(ACTION_UNITS) + 4), dtype=np.float32)
    solid = np.zeros((len(points), 68, 3), dtype=np.float32)
    seen = np.zeros((len(points), 68), dtype=np.float32)
    shapes: list[dict[str, Any]] = []
    errors = []
    for clip, start, count in clips:
        rows = slice(start, start + count)
        fit = fit_clip(points[rows], found=np.asarray(found[rows]))
        table[rows] = np.column_stack([fit.actions, fit.pose, fit.error])
        solid[rows], seen[rows] = fit.landmarks3d, fit.visibility
        numbers = {f"shape_{index:02d}": float(value) for index, value in enumerate(fit.shape)}
        resting = {f"neutral_{name}": float(value) for name, value in zip(ACTION_UNITS, fit.neutral, strict=True)}
        shapes.append({"clip": clip, **numbers, **resting})
        errors.append(float(fit.error.mean()))
    columns = [*ACTION_UNITS, "pitch", "yaw", "roll", "fit_error"]
    write_table(out / f"{shard}.parquet", pd.DataFrame(table, columns=columns), kind="actions")
    write_array(out, shard, "landmarks3d", solid)
    write_array(out, shard, "visibility", seen)
    finish_shard(out, shard, key, shapes=shapes, errors=errors)
