"""Clips as files: `CLIP.mp4`, `CLIP.truth.npz`, `CLIP.scene.json`; and any person redrawn with any clip's motion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reenact.atomic import atomic_file, write_json
from reenact.errors import BadInput, NewerFormat, StorageError
from reenact.rendering.motion import Motion, invent_motion
from reenact.rendering.person import Person, invent_person
from reenact.rendering.scene import Image, Stage, Surroundings, invent_surroundings

FORMAT = 2  # 2: drawn as a surface in depth


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that is needed to draw a clip."""

    person: Person
    surroundings: Surroundings
    motion: Motion
    size: int  # side of the picture in pixels
    fps: float


def invent_scene(
    *, seed: int, identity: int, clip: int, frames: int, fps: float, size: int, yaw: float, honest: bool
) -> Scene:
    """The scene of one clip, a pure function of its arguments; all clips of an identity show the same person."""
    of_person = np.random.default_rng(np.random.SeedSequence([seed, identity]))
    of_clip = np.random.default_rng(np.random.SeedSequence([seed, identity, clip + 1]))
    return Scene(
        person=invent_person(of_person, honest=honest),
        surroundings=invent_surroundings(of_clip, honest=honest),
        motion=invent_motion(of_clip, frames=frames, fps=fps, yaw=yaw),
        size=size,
        fps=fps,
    )


def write_scene(path: Path, scene: Scene, **facts: Any) -> None:
    """Write `CLIP.scene.json`; `facts` are kept beside the scene."""
    parts = {name: getattr(scene, name).plain() for name in ("person", "surroundings", "motion")}
    write_json(path, {"format": FORMAT, "size": scene.size, "fps": scene.fps, **parts, **facts})


def read_scene(path: Path) -> Scene:
    """Read a scene back, to the last bit."""
    values = _read(path)
    return Scene(
        person=Person.from_plain(values["person"]),
        surroundings=Surroundings.from_plain(values["surroundings"]),
        motion=Motion.from_plain(values["motion"]),
        size=values["size"],
        fps=values["fps"],
    )


def scene_fact(path: Path, name: str) -> Any:
    """One of the facts beside a scene; None where there is no such scene or fact, or the file is damaged."""
    try:
        return _read(path).get(name)
    except BadInput:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: this scene can't be read ({error}). Run render_clips again.") from None
    if values["format"] > FORMAT:
        raise NewerFormat(f"{path}: written in format {values['format']}, this version reads up to {FORMAT}.")
    if values["format"] < FORMAT:
        raise BadInput(f"{path}: drawn by an earlier version, which made other pictures. Run render_clips again.")
    return values


def redraw(person_scene: Path, motion_scene: Path, frames: Sequence[int]) -> list[Image]:
    """The person of one clip with the motion of another: the ground truth of cross-reenactment.

    Identity, looks, light, background, camera and placement are the first clip's; action units, pose and gaze those of
    `frames` of the second. Returns RGB uint8 (S, S, 3), before video compression. With its own motion a clip's frames
    come out as they were drawn.
    """
    own, other = read_scene(person_scene), read_scene(motion_scene)
    for frame in frames:
        if not 0 <= frame < len(other.motion):
            raise BadInput(f"{motion_scene}: there is no frame {frame}, the clip has {len(other.motion)}.")
    stage = Stage(own.person, own.surroundings, own.motion, own.size)
    return [stage.draw(other.motion, frame)[0] for frame in frames]


def write_clip(scene: Scene, folder: Path, clip: str, **facts: Any) -> None:
    """Draw a clip and write its files; the scene file comes last and vouches for the other two."""
    final = folder / f"{clip}.scene.json"
    final.unlink(missing_ok=True)
    stage = Stage(scene.person, scene.surroundings, scene.motion, scene.size)
    labels = []
    with atomic_file(folder / f"{clip}.mp4") as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), scene.fps, (scene.size, scene.size))
        try:
            if not writer.isOpened():
                raise StorageError(f"{folder / clip}.mp4: OpenCV can't write this video here (codec mp4v).")
            for frame in range(len(scene.motion)):
                picture, truth = stage.draw(scene.motion, frame)
                writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
                labels.append(truth)
        finally:
            writer.release()
        _check_written(temporary, len(labels), folder / f"{clip}.mp4")
    with atomic_file(folder / f"{clip}.truth.npz") as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            landmarks=np.stack([truth.landmarks for truth in labels]),
            landmarks3d=np.stack([truth.landmarks3d for truth in labels]),
            visibility=np.stack([truth.visibility for truth in labels]),
            actions=scene.motion.actions.astype(np.float32),
            pose=scene.motion.pose.astype(np.float32),
            segments=np.stack([truth.segments for truth in labels]),
        )
    write_scene(final, scene, **facts)


def _check_written(path: Path, frames: int, final: Path) -> None:
    """OpenCV's writer says nothing when the disk is full."""
    capture = cv2.VideoCapture(str(path))
    count = round(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    if count != frames:
        raise StorageError(
            f"{final}: only {count} of {frames} frames were written. Is the disk full? Free some space and run again."
        )
