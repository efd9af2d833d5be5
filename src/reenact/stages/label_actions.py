"""Action units, pose, 3D landmarks with visibility, read from each clip's landmarks and pictures."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from reenact.config import Runtime, Settings
from reenact.corpus.shards import open_frames, read_array, read_rows, read_stage, write_array, write_rows, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.faces.actions import ACTION_UNITS
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.labelling.shard_work import NewShard, keep_only, make_shards, shard_facts
from reenact.stages.result import StageResult


class LabelActionsSettings(Settings):
    """Which backend reads action units and pose."""

    backend: Literal["fit"] = "fit"


def label_actions(
    *,
    frames: Path,
    landmarks: Path,
    out: Path,
    settings: LabelActionsSettings,
    runtime: Runtime,
    store: Path | None = None,
) -> StageResult:
    """AUs, pose and fit error per frame, 3D landmarks and visibility, each clip's shape, per shard."""
    frames, landmarks, out = Path(frames), Path(landmarks), Path(out)
    read_stage(frames, kind="frames")
    facts_of_landmarks = read_stage(landmarks, kind="landmarks")
    labelled, backend = facts_of_landmarks["shards"], str(facts_of_landmarks.get("backend", ""))
    clips = read_table(frames / "clips.parquet", kind="clips")
    groups: dict[str, list[tuple[str, int, int]]] = {}
    for row in clips.to_dict("records"):
        groups.setdefault(row["shard"], []).append((row["clip"], int(row["start"]), int(row["count"])))
    base = [hash_code("labelling", "faces"), hash_file(Path(__file__)), settings.plain(), np.__version__, backend]
    names = {shard: f"{shard}-{hash_json([base, labelled[shard]])[:12]}" for shard in groups}
    tasks = {names[shard]: (frames, landmarks, shard, group, backend) for shard, group in groups.items()}
    made = make_shards(_label_shard, tasks, out=out, store=store, workers=runtime.workers, what="actions: shards")
    facts = [shard_facts(out, name) or {} for name in tasks]
    write_table(out / "shapes.parquet", pd.DataFrame([row for one in facts for row in one["shapes"]]), kind="shapes")
    write_stage(out, kind="actions", shards=names, backend=settings.backend)
    keep_only(out, tasks)
    return StageResult(
        stage="label_actions",
        counts={
            "frames": float(clips["count"].sum()),
            "shards_now": float(made),
            "fit_error": float(np.mean([error for one in facts for error in one["errors"]])),
        },
    )


def _label_shard(task: tuple[Path, Path, str, list[tuple[str, int, int]], str], out: NewShard) -> None:
    from reenact.labelling.action_reader import read_clip

    frames, landmarks, shard, clips, backend = task
    images = open_frames(frames, shard)
    times = read_rows(frames, shard, kind="frames")["time"].to_numpy(dtype=np.float64)
    points, found = read_array(landmarks, shard, "landmarks"), read_array(landmarks, shard, "found")
    table = np.zeros((len(points), len(ACTION_UNITS) + 4), dtype=np.float32)
    solid = np.zeros((len(points), 68, 3), dtype=np.float32)
    seen = np.zeros((len(points), 68), dtype=np.float32)
    shapes: list[dict[str, Any]] = []
    errors = []
    for clip, start, count in clips:
        rows = slice(start, start + count)
        fit = read_clip(
            points[rows],
            found=np.asarray(found[rows]),
            pictures=(images[row] for row in range(start, start + count)),
            times=times[rows],
            backend=backend,
        )
        table[rows] = np.column_stack([fit.actions, fit.pose, fit.error])
        solid[rows], seen[rows] = fit.landmarks3d, fit.visibility
        numbers = {f"shape_{index:02d}": float(value) for index, value in enumerate(fit.shape)}
        resting = {f"neutral_{name}": float(value) for name, value in zip(ACTION_UNITS, fit.neutral, strict=True)}
        shapes.append({"clip": clip, **numbers, **resting})
        errors.append(float(fit.error.mean()))
    columns = [*ACTION_UNITS, "pitch", "yaw", "roll", "fit_error"]
    write_rows(out.folder, out.name, pd.DataFrame(table, columns=columns), kind="actions")
    write_array(out.folder, out.name, "landmarks3d", solid)
    write_array(out.folder, out.name, "visibility", seen)
    out.facts |= {"shapes": shapes, "errors": errors}
