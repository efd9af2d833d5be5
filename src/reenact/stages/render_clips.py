"""Stage `render_clips`: parametric faces as ordinary video files, each with its truth beside it."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import Field

from reenact.config import Runtime, Settings
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.process import end_with_parent
from reenact.progress import progress, say
from reenact.stages.result import StageResult


class RenderClipsSettings(Settings):
    """How many clips of whom; 0 identities where the videos come from elsewhere."""

    identities: int = Field(default=60, ge=0)
    clips_per_identity: int = Field(default=1, ge=1)
    frames: int = Field(default=48, ge=1)  # of each clip
    fps: float = Field(default=25.0, gt=0, le=240)
    size: int = Field(default=256, ge=64, le=1024, multiple_of=2)  # side of the picture in pixels
    yaw: float = Field(default=30.0, ge=0, le=85)  # largest turn of the head to either side, degrees
    seed: int = Field(default=0, ge=0)
    honest: bool = True  # depart from the shape model that fits the labels; off only to test that fit


def render_clips(*, out: Path, settings: RenderClipsSettings, runtime: Runtime) -> StageResult:
    """Draw the clips into `out` (kind `videos`).

    A clip that a former run finished with the same settings and code is kept. The files are the same, bit for bit, for
    any number of workers.
    """
    import pandas as pd

    from reenact.corpus.shards import write_stage
    from reenact.corpus.tables import write_table

    out.mkdir(parents=True, exist_ok=True)
    (out / "stage.json").unlink(missing_ok=True)
    code = hash_code("rendering", "faces")
    tasks = [_task(out, settings, code, identity, clip) for identity in range(settings.identities)
             for clip in range(settings.clips_per_identity)]  # fmt: skip
    _remove_others(out, {task["clip"] for task in tasks})
    due = [task for task in tasks if not _is_current(task)]
    if not tasks:
        say("render_clips: nothing to draw (render_clips.identities is 0).")
    for _ in progress(_run(due, runtime.workers), "clips drawn", total=len(due)):
        pass
    columns = ["clip", "file", "identity", "sha256", "bytes", "licence", "consent", "source", "official_split"]
    write_table(out / "clips.parquet", pd.DataFrame([_row(task) for task in tasks], columns=columns), kind="videos")
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in ("clip", "file", "stage", "reason")})
    write_table(out / "quarantine.parquet", empty, kind="quarantine")
    write_stage(out, kind="videos", clips=len(tasks), frames=len(tasks) * settings.frames, settings=settings.plain())
    return StageResult(
        stage="render_clips",
        counts={"clips": len(tasks), "drawn": len(due), "frames": len(tasks) * settings.frames},
        notes=() if tasks else ("nothing to draw",),
    )


def _task(out: Path, settings: RenderClipsSettings, code: str, identity: int, clip: int) -> dict[str, Any]:
    """What one process needs to draw one clip, and the key that says whether a finished one is the same."""
    drawn = settings.model_dump(exclude={"identities", "clips_per_identity"})
    return {
        "out": out,
        "clip": f"person-{identity:04d}-{clip}",
        "identity": f"person-{identity:04d}",
        "scene": {**drawn, "identity": identity, "clip": clip},
        "key": hash_json([code, drawn, identity, clip]),
    }


def _is_current(task: dict[str, Any]) -> bool:
    from reenact.rendering.clips import scene_fact

    folder, clip = task["out"], task["clip"]
    files = (folder / f"{clip}.mp4", folder / f"{clip}.truth.npz")
    return all(file.exists() for file in files) and scene_fact(folder / f"{clip}.scene.json", "key") == task["key"]


def _run(tasks: list[dict[str, Any]], workers: int) -> Iterator[None]:
    if workers <= 1 or len(tasks) <= 1:
        yield from map(_draw, tasks)
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=end_with_parent) as pool:
        yield from pool.map(_draw, tasks)


def _draw(task: dict[str, Any]) -> None:
    import cv2

    from reenact.rendering.clips import invent_scene, write_clip

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # one process per core draws faster than many threads, and the bits depend on nothing
    try:
        scene = invent_scene(**task["scene"])
        write_clip(scene, task["out"], task["clip"], key=task["key"], identity=task["identity"])
    finally:
        cv2.setNumThreads(threads)


def _row(task: dict[str, Any]) -> dict[str, Any]:
    file = task["out"] / f"{task['clip']}.mp4"
    return {
        "clip": task["clip"], "file": file.name, "identity": task["identity"], "sha256": hash_file(file),
        "bytes": file.stat().st_size, "licence": "CC0-1.0", "consent": "drawn, nobody's face", "source": "rendered",
        "official_split": "",
    }  # fmt: skip


def _remove_others(out: Path, clips: Iterable[str]) -> None:
    """Clips of a former run with other settings must not be taken for this one's."""
    keep = set(clips)
    for suffix in (".mp4", ".truth.npz", ".scene.json"):
        for file in out.glob(f"*{suffix}"):
            if file.name.removesuffix(suffix) not in keep:
                file.unlink()
