"""Drawn faces with their truth, to train and measure the networks on; kept in one file, since drawing is slow.

Identities are numbered from a million upwards, a range for each use, where `render_clips` counts from nought: nobody
who trains a network, and nobody it is measured on, is in any corpus.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.hashing import hash_code, hash_json
from reenact.labelling.backend import Box
from reenact.labelling.geometry import detector_like_box
from reenact.labelling.shard_work import in_processes
from reenact.labelling.synthetic.geometry import mean_depth_removed, sampling_matrix

FIRST_IDENTITY = {"labels": 1_000_000, "judge": 2_000_000, "test": 3_000_000}
STILLS = 4  # pictures of each person
SIZE = 160  # px, side of the picture that is drawn
AREA = 2.2  # sides of the face box around it that are kept: room to move and turn the view in training
SIDE = 128  # px, side of what is kept
YAW, PITCH, ROLL = 80.0, 32.0, 28.0  # degrees, largest turns


@dataclass(frozen=True)
class Drawn:
    """N drawn faces in coordinates 0..1 of the part that is kept."""

    gray: NDArray[np.uint8]  # (N, SIDE, SIDE)
    backdrop: NDArray[np.uint8]  # (N, SIDE, SIDE), 255 where background is seen
    points: NDArray[np.float32]  # (N, 68, 3), the mean of z is 0
    visibility: NDArray[np.bool_]  # (N, 68)
    pose: NDArray[np.float32]  # (N, 3) degrees

    def __len__(self) -> int:
        return len(self.gray)


def draw_faces(*, role: str, seed: int, persons: int, cache: Path | None = None, workers: int = 1) -> Iterator[Drawn]:
    """The faces of `persons` new people in parts of 64 people; parts in `cache` made by the same code are read."""
    code = hash_code("rendering", "faces", "labelling/synthetic/drawing.py")
    tasks = [
        (role, seed, first, min(64, persons - first), cache and cache / f"{hash_json([code, role, seed, first])[:16]}")
        for first in range(0, persons, 64)
    ]
    yield from in_processes(_part, tasks, workers)


def together(parts: Iterable[Drawn]) -> Drawn:
    """Several parts as one."""
    listed = list(parts)
    return Drawn(*(np.concatenate([getattr(part, field.name) for part in listed]) for field in fields(Drawn)))


def _part(task: tuple[str, int, int, int, Path | None]) -> Drawn:
    role, seed, first, persons, cache = task
    file = cache.with_name(f"{cache.name}-{persons}.npz") if cache else None
    if file and file.exists():
        with np.load(file) as stored:
            return Drawn(*(stored[field.name] for field in fields(Drawn)))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        start = FIRST_IDENTITY[role] + first
        drawn = together(draw_person(seed, identity) for identity in range(start, start + persons))
    finally:
        cv2.setNumThreads(threads)
    if file:
        with atomic_file(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(drawn, field.name) for field in fields(Drawn)})
    return drawn


def draw_person(seed: int, identity: int, *, pose: NDArray[np.floating] | None = None) -> Drawn:
    """Stills of one person with random expressions, at poses (n, 3) in degrees, else evenly over the turns."""
    from reenact.rendering.clips import invent_scene
    from reenact.rendering.scene import Stage

    rng = np.random.default_rng(np.random.SeedSequence([seed, identity, 77]))
    turns = _poses(rng, STILLS) if pose is None else np.asarray(pose, dtype=np.float64)
    # A slow frame rate makes neighbours of one motion strangers to each other.
    scene = invent_scene(
        seed=seed, identity=identity, clip=0, frames=len(turns), fps=1.5, size=SIZE, yaw=YAW, honest=True
    )
    actions = scene.motion.actions.copy()
    shut = rng.random(len(actions)) < 0.12  # blinks are short: few stills would show one
    actions[shut, ACTION_UNITS.index("AU45")] = MAXIMUM * rng.uniform(0.4, 1.0, int(shut.sum()))
    motion = replace(scene.motion, pose=turns, actions=actions)
    stage = Stage(scene.person, scene.surroundings, motion, scene.size)
    faces = []
    for frame in range(len(motion)):
        picture, truth = stage.draw(motion, frame)
        faces.append(_kept(picture, truth.segments, truth.landmarks3d, truth.visibility, turns[frame]))
    return together(faces)


def _poses(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Yaw evenly to both sides; nods and tilts mostly small."""
    yaw = rng.uniform(-YAW, YAW, count)
    pitch, roll = (rng.triangular(-most, 0, most, count) for most in (PITCH, ROLL))
    return np.stack([pitch, yaw, roll], axis=-1)


def _kept(
    picture: NDArray[np.uint8],
    segments: NDArray[np.uint8],
    points: NDArray[np.float32],
    visibility: NDArray[np.bool_],
    pose: NDArray[np.float64],
) -> Drawn:
    """The surroundings of the face only, gray."""
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    backdrop = np.where(segments == 0, 255, 0).astype(np.uint8)
    if backdrop.shape != gray.shape:
        backdrop = np.asarray(cv2.resize(backdrop, gray.shape[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    box = detector_like_box(points[:, :2].astype(np.float64))
    (x, y), half = box.centre, AREA * box.side / 2
    area = Box(x - half, y - half, x + half, y + half)
    matrix, flags = sampling_matrix(area, SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gray, backdrop = (
        np.asarray(
            cv2.warpAffine(plane, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
        )
        for plane in (gray, backdrop)
    )
    inside = mean_depth_removed((points - [area.x0, area.y0, 0.0]) / area.side).astype(np.float32)
    return Drawn(gray[None], backdrop[None], inside[None], visibility[None], pose[None].astype(np.float32))
