"""Face, hair and background of every stored crop, where a chosen system or the settings ask for them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reenact.config import Runtime, Settings
from reenact.corpus.shards import read_array, read_rows, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table
from reenact.hashing import hash_json
from reenact.labelling.external import ExternalSettings, with_command
from reenact.labelling.segments.masks import MaskSettings
from reenact.labelling.segments.onnx import OnnxSettings
from reenact.labelling.shard_work import NewShard, keep_only, make_shards, missing_shards, shard_code, shard_facts
from reenact.stages.result import StageResult, problem_notes

if TYPE_CHECKING:
    from reenact.labelling.clip_frames import ClipFrames


class LabelSegmentsSettings(Settings):
    """Which backend, and whether at all."""

    make: Literal["auto", "always", "never"] = "auto"  # auto: if a system of `fanout.systems` learns from them
    backend: Literal["hull", "onnx", "files", "external"] = "hull"
    onnx: OnnxSettings = OnnxSettings()
    masks: MaskSettings = MaskSettings()  # for files
    external: ExternalSettings = ExternalSettings()

    def chosen(self) -> dict[str, Any]:
        """What decides the labels: the backend and its own settings."""
        parts: dict[str, Settings] = {"onnx": self.onnx, "files": self.masks, "external": self.external}
        return {"backend": self.backend, **(parts[self.backend].plain() if self.backend in parts else {})}


def label_segments(
    *,
    frames: Path,
    landmarks: Path,
    out: Path,
    settings: LabelSegmentsSettings,
    runtime: Runtime,
    needed: bool = True,
    store: Path | None = None,
) -> StageResult:
    """Segments (N, 128, 128) uint8 per shard: 0 background, 1 face, 2 hair.

    Where they are not `needed` the stage is finished without any, and `stage.json` says `made: false`.
    """
    from reenact.labelling.label_files import grouped
    from reenact.labelling.segments.onnx import checked_file

    frames, landmarks, out = Path(frames), Path(landmarks), Path(out)
    read_stage(frames, kind="frames")
    labelled = read_stage(landmarks, kind="landmarks")["shards"]
    if not needed:
        missing_shards(out, ())
        keep_only(out, ())
        write_stage(out, kind="segments", shards={}, made=False)
        note = (
            "no segments were made, as label_segments.make: never says"
            if settings.make == "never"
            else "nobody asked for segments, so none were made (label_segments.make)"
        )
        return StageResult(stage="label_segments", counts={"frames": 0.0, "shards_now": 0.0}, notes=(note,))
    if settings.backend == "onnx":
        checked_file(settings.onnx)
    if settings.backend == "external":
        external = with_command(settings.external, "external", where="label_segments.external")
        settings = settings.model_copy(update={"external": external})
    clips = read_table(frames / "clips.parquet", kind="clips")
    groups = grouped(clips)
    base = [shard_code("stages/label_segments.py"), settings.chosen()]
    names = {
        shard: f"{shard}-{hash_json([*base, labelled[shard], _masks(group, settings)])[:12]}"
        for shard, group in groups.items()
    }
    tasks = {names[shard]: (frames, landmarks, shard, group, settings) for shard, group in groups.items()}
    made = make_shards(_label_shard, tasks, out=out, store=store, workers=runtime.workers, what="segments: shards")
    write_stage(out, kind="segments", shards=names, made=True, backend=settings.backend)
    keep_only(out, tasks)
    problems = [problem for name in tasks for problem in (shard_facts(out, name) or {})["problems"]]
    return StageResult(
        stage="label_segments",
        counts={"frames": float(clips["count"].sum()), "shards_now": float(made)},
        notes=problem_notes(problems),
    )


def _masks(group: list[dict[str, Any]], settings: LabelSegmentsSettings) -> str:
    from reenact.labelling.segments.masks import masks_digest

    return masks_digest(map(_video, group), settings.masks) if settings.backend == "files" else ""


def _video(row: dict[str, Any]) -> str:
    return str(row.get("video") or row["clip"])


Task = tuple[Path, Path, str, list[dict[str, Any]], LabelSegmentsSettings]


def _label_shard(task: Task, out: NewShard) -> None:
    from reenact.labelling.clip_frames import shard_clips
    from reenact.labelling.segments.place import SIDE

    frames, landmarks, shard, group, settings = task
    clips = list(shard_clips(frames, shard, group))
    points = np.asarray(read_array(landmarks, shard, "landmarks"))
    found = np.asarray(read_array(landmarks, shard, "found")).astype(bool)
    segments = np.zeros((len(read_rows(frames, shard, kind="frames")), SIDE, SIDE), dtype=np.uint8)
    problems = []
    for clip, (labels, problem) in zip(clips, _labels(clips, group, points, found, settings), strict=True):
        segments[clip.rows] = labels
        problems += [problem] if problem else []
    write_array(out.folder, out.name, "segments", segments)
    out.facts |= {"problems": problems}


def _labels(
    clips: list["ClipFrames"], group: list[dict[str, Any]], points: Any, found: Any, settings: LabelSegmentsSettings
) -> Iterator[tuple[Any, str]]:
    """Of each clip: (N, 128, 128), and what was wrong, "" for nothing."""
    from reenact.errors import BadInput
    from reenact.labelling.segments.hull import hull_segments
    from reenact.labelling.segments.masks import mask_segments
    from reenact.labelling.segments.onnx import OnnxSegments
    from reenact.labelling.segments.program import program_segments

    if settings.backend == "external":
        yield from ((labels, "") for labels in program_segments(clips, settings.external))
        return
    network = OnnxSegments(settings.onnx) if settings.backend == "onnx" else None
    for clip, row in zip(clips, group, strict=True):
        if network:
            yield network(clip), ""
        elif settings.backend == "files":
            try:
                size = int(row["width"]), int(row["height"])
                labels, known = mask_segments(clip, settings.masks, video=_video(row), size=size)
            except BadInput as error:
                yield 0, str(error)
                continue
            yield (
                labels,
                "" if known.all() else f"{clip.clip}: no mask for {int((~known).sum())} of {len(known)} frames",
            )
        else:
            yield hull_segments(clip, points[clip.rows], found[clip.rows]), ""
