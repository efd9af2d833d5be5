"""Action units, pose, 3D landmarks with visibility: fitted to a clip's landmarks, or units and pose from elsewhere."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from reenact.config import Runtime, Settings
from reenact.corpus.shards import has_array, read_array, read_rows, read_stage, write_array, write_rows, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.faces.actions import ACTION_UNITS
from reenact.hashing import hash_json
from reenact.labelling.backends import ACTION_LABELLERS, known_backend
from reenact.labelling.external import EXTERNAL, ExternalSettings, with_command
from reenact.labelling.shard_work import NewShard, keep_only, make_shards, shard_code, shard_facts
from reenact.stages.result import StageResult, problem_notes

if TYPE_CHECKING:
    from reenact.labelling.action_labels import ActionLabels
    from reenact.labelling.clip_frames import ClipFrames
    from reenact.labelling.shape_fit import FaceFit


class LabelActionsSettings(Settings):
    """Which backend reads action units and pose."""

    backend: str = "fit"  # or files, openface_csv, openface, py_feat, external
    min_confidence: float = Field(default=0.8, ge=0, le=1)  # of OpenFace's files: surer frames are valid
    external: ExternalSettings = ExternalSettings()  # for openface, py_feat and external

    @field_validator("backend")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_backend(name, ACTION_LABELLERS)


def label_actions(
    *,
    frames: Path,
    landmarks: Path,
    out: Path,
    settings: LabelActionsSettings,
    runtime: Runtime,
    videos: Path | None = None,
    store: Path | None = None,
) -> StageResult:
    """AUs, pose and fit error per frame, 3D landmarks and visibility, each clip's shape, per shard.

    The fit is always made: it gives what another backend lacks. `videos` is read by the backends that take labels from
    files beside the videos.
    """
    import cv2

    from reenact.labelling import backends
    from reenact.labelling.label_files import files_digest, grouped

    frames, landmarks, out = Path(frames), Path(landmarks), Path(out)
    read_stage(frames, kind="frames")
    if settings.backend in EXTERNAL:
        external = with_command(settings.external, settings.backend, where="label_actions.external")
        settings = settings.model_copy(update={"external": external})
    facts_of_landmarks = read_stage(landmarks, kind="landmarks")
    labelled, points_by = facts_of_landmarks["shards"], str(facts_of_landmarks.get("backend", ""))
    beside = videos if settings.backend in backends.FILE_BACKENDS else None
    groups = grouped(read_table(frames / "clips.parquet", kind="clips"))
    code = shard_code("corpus/annotations.py", "stages/label_actions.py")
    base = [code, settings.plain(), np.__version__, cv2.__version__, points_by]
    digests = files_digest(beside, groups)
    names = {shard: f"{shard}-{hash_json([base, labelled[shard], *digests[shard]])[:12]}" for shard in groups}
    tasks = {
        names[shard]: (frames, beside, landmarks, shard, group, settings, points_by) for shard, group in groups.items()
    }
    made = make_shards(_label_shard, tasks, out=out, store=store, workers=runtime.workers, what="actions: shards")
    facts = [shard_facts(out, name) or {} for name in tasks]
    write_table(out / "shapes.parquet", pd.DataFrame([row for one in facts for row in one["shapes"]]), kind="shapes")
    modes = sorted({mode for one in facts for mode in one["modes"]})
    licence = {"licence": backends.action_licence(settings.backend)}
    write_stage(out, kind="actions", shards=names, backend=settings.backend, modes=modes, **licence)
    keep_only(out, tasks)
    return StageResult(
        stage="label_actions",
        counts={
            "frames": float(sum(one["rows"] for one in facts)),
            "valid": float(sum(one["valid"] for one in facts)),
            "shards_now": float(made),
            "fit_error": float(np.mean([error for one in facts for error in one["errors"]])),
        },
        notes=problem_notes(problem for one in facts for problem in one["problems"]),
    )


def _label_shard(
    task: tuple[Path, Path | None, Path, str, list[dict[str, Any]], LabelActionsSettings, str], out: NewShard
) -> None:
    from reenact.labelling.action_reader import read_clip
    from reenact.labelling.clip_frames import shard_clips

    frames, videos, landmarks, shard, group, settings, points_by = task
    times = read_rows(frames, shard, kind="frames")["time"].to_numpy(dtype=np.float64)
    points, found = read_array(landmarks, shard, "landmarks"), read_array(landmarks, shard, "found")
    table = np.zeros((len(points), len(ACTION_UNITS) + 4), dtype=np.float32)
    solid = np.zeros((len(points), 68, 3), dtype=np.float32)
    seen = np.zeros((len(points), 68), dtype=np.float32)
    valid = np.ones(len(points), dtype=bool)
    facts: dict[str, list[Any]] = {"shapes": [], "errors": [], "problems": [], "modes": []}
    clips = list(shard_clips(frames, shard, group, videos=videos))
    for clip, theirs in zip(clips, _labels(clips, settings), strict=True):
        rows, pictures = clip.rows, (clip[index] for index in range(len(clip)))
        fit = read_clip(
            points[rows], found=np.asarray(found[rows]), pictures=pictures, times=times[rows], backend=points_by
        )
        fit = _with_solid(fit, landmarks, shard, rows)
        if theirs is not None:
            fit = replace(fit, actions=theirs.actions, pose=fit.pose if theirs.pose is None else theirs.pose)
            valid[rows] = theirs.valid
            facts["problems"] += [theirs.problem] if theirs.problem else []
            facts["modes"] += [theirs.mode] if theirs.mode else []
        table[rows] = np.column_stack([fit.actions, fit.pose, fit.error])
        solid[rows], seen[rows] = fit.landmarks3d, fit.visibility
        facts["shapes"].append(_shape(clip.clip, fit))
        facts["errors"].append(float(fit.error.mean()))
    columns = [*ACTION_UNITS, "pitch", "yaw", "roll", "fit_error"]
    write_rows(out.folder, out.name, pd.DataFrame(table, columns=columns), kind="actions")
    write_array(out.folder, out.name, "landmarks3d", solid)
    write_array(out.folder, out.name, "visibility", seen)
    if settings.backend != "fit":
        write_array(out.folder, out.name, "valid", valid)
    out.facts |= {**facts, "modes": sorted(set(facts["modes"])), "rows": len(points), "valid": int(valid.sum())}


def _with_solid(fit: "FaceFit", landmarks: Path, shard: str, rows: slice) -> "FaceFit":
    """With the pose, 3D points and visibility of the landmarks' backend, if it has them.

    A network that places all 68 points in depth knows a head's turn better than a fit to the flat points alone.
    """
    known = {
        name: np.asarray(read_array(landmarks, shard, name)[rows], dtype=np.float64)
        for name in ("pose", "landmarks3d", "visibility")
        if has_array(landmarks, shard, name)
    }
    return replace(fit, **known)


def _shape(clip: str, fit: "FaceFit") -> dict[str, Any]:
    numbers = {f"shape_{index:02d}": float(value) for index, value in enumerate(fit.shape)}
    resting = {f"neutral_{name}": float(value) for name, value in zip(ACTION_UNITS, fit.neutral, strict=True)}
    return {"clip": clip, **numbers, **resting}


def _labels(clips: list["ClipFrames"], settings: LabelActionsSettings) -> "Iterable[ActionLabels | None]":
    """Of each clip what a backend other than the fit says."""
    from reenact.labelling import action_labels

    if settings.backend == "files":
        return action_labels.from_files(clips)
    if settings.backend == "openface_csv":
        return action_labels.from_openface(clips, least_confidence=settings.min_confidence)
    if settings.backend in EXTERNAL:
        return action_labels.by_program(clips, settings.external)
    return [None] * len(clips)
