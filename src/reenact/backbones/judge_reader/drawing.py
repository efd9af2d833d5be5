"""Drawn people with their truth, to train and measure the judge reader on; kept in files, since drawing is slow.

Identities are numbered from four million upwards, a range for each use: nobody who trains the reader, and nobody it is
measured on, is in any corpus or has trained another network. Each person is drawn in two clips, that is in two lights
and places, so that who somebody is can't be read off the room.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.landmarks import CROP_CENTRE
from reenact.hashing import hash_code, hash_json

FIRST_IDENTITY = {"train": 4_000_000, "test": 5_000_000}
SEED = 0
CLIPS, STILLS = 2, 5  # of each person, pictures in each clip
SIZE = 160  # px, side of the picture that is drawn
AREA = 2.1  # sizes of the landmarks' box that are kept around a face: crops are 1.7 of them, by default
SIDE = 144  # px, side of what is kept
PEOPLE = 64  # in one file
YAW, NARROW, PITCH, ROLL = 80.0, 40.0, 30.0, 25.0  # degrees, largest turns; half of the stills turn less


@dataclass(frozen=True)
class Drawn:
    """N drawn faces in coordinates 0..1 of the part that is kept."""

    picture: NDArray[np.uint8]  # (N, SIDE, SIDE, 4) RGB, and 255 where the background or clothes are seen
    landmarks: NDArray[np.float32]  # (N, 68, 2)
    pose: NDArray[np.float32]  # (N, 3) degrees
    actions: NDArray[np.float32]  # (N, 17) 0..5
    identity: NDArray[np.int64]  # (N,)
    clip: NDArray[np.int64]  # (N,) 0 or 1

    def __len__(self) -> int:
        return len(self.identity)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> "Drawn":
        return Drawn(*(getattr(self, field.name)[rows] for field in fields(Drawn)))


def together(parts: Iterable[Drawn]) -> Drawn:
    """Several sets as one."""
    listed = list(parts)
    return Drawn(*(np.concatenate([getattr(part, field.name) for part in listed]) for field in fields(Drawn)))


def draw_people(
    role: str,
    persons: int,
    *,
    cache: Path | None = None,
    watch: Callable[[range], Iterable[int]] = lambda groups: groups,
) -> Drawn:
    """The faces of the first `persons` people of a role; files of 64 people in `cache`, made by this code, are read."""
    code = hash_code("rendering", "faces", "backbones/judge_reader/drawing.py")
    parts = []
    for first in watch(range(0, persons, PEOPLE)):
        count = min(PEOPLE, persons - first)
        file = cache / f"{hash_json([code, role, SEED, first, count])[:16]}.npz" if cache else None
        parts.append(_part(role, first, count, file))
    return together(parts)


def _part(role: str, first: int, count: int, file: Path | None) -> Drawn:
    if file and file.exists():
        with np.load(file) as stored:
            return Drawn(*(stored[field.name] for field in fields(Drawn)))
    start = FIRST_IDENTITY[role] + first
    drawn = together(draw_clip(who, clip) for who in range(start, start + count) for clip in range(CLIPS))
    if file:
        with atomic_file(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(drawn, field.name) for field in fields(Drawn)})
    return drawn


def draw_clip(identity: int, clip: int, *, yaw: float = YAW) -> Drawn:
    """Stills of one person in one light and place, with random expressions and turns up to `yaw` degrees."""
    from reenact.rendering.clips import invent_scene
    from reenact.rendering.scene import Stage

    rng = np.random.default_rng(np.random.SeedSequence([SEED, identity, clip, 78]))
    # A slow frame rate makes neighbours of one motion strangers to each other.
    scene = invent_scene(
        seed=SEED, identity=identity, clip=clip, frames=STILLS, fps=1.5, size=SIZE, yaw=YAW, honest=True
    )
    pose = _poses(rng, yaw)
    motion = replace(scene.motion, pose=pose, actions=_expressions(rng, scene.motion.actions))
    stage = Stage(scene.person, scene.surroundings, motion, scene.size)
    pictures, landmarks = [], []
    for frame in range(len(motion)):
        picture, truth = stage.draw(motion, frame)
        kept, points = _kept(picture, truth.segments, truth.landmarks)
        pictures.append(kept)
        landmarks.append(points)
    return Drawn(
        picture=np.stack(pictures),
        landmarks=np.stack(landmarks),
        pose=pose.astype(np.float32),
        actions=motion.actions.astype(np.float32),
        identity=np.full(len(motion), identity, dtype=np.int64),
        clip=np.full(len(motion), clip, dtype=np.int64),
    )


def _poses(rng: np.random.Generator, most: float) -> NDArray[np.float64]:
    """Yaw evenly, for half of the stills within a smaller turn; nods and tilts mostly small."""
    limit = np.where(rng.random(STILLS) < 0.5, most, min(most, NARROW))
    pitch, roll = (rng.triangular(-edge, 0, edge, STILLS) for edge in (PITCH, ROLL))
    return np.stack([pitch, limit * rng.uniform(-1, 1, STILLS), roll], axis=-1)


def _expressions(rng: np.random.Generator, actions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some blinks more, which are short and rare in stills, and mixtures of units that no usual expression has."""
    result = actions.copy()
    for row in np.flatnonzero(rng.random(len(result)) < 0.3):
        some = rng.choice(result.shape[1], 3, replace=False)
        result[row, some] = np.maximum(result[row, some], rng.uniform(0, MAXIMUM, 3))
    shut = rng.random(len(result)) < 0.12
    result[shut, ACTION_UNITS.index("AU45")] = MAXIMUM * rng.uniform(0.4, 1.0, int(shut.sum()))
    return result


def _kept(
    picture: NDArray[np.uint8], segments: NDArray[np.uint8], landmarks: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The surroundings of the face, centred as crops are, with the mask of what isn't the person; landmarks in them."""
    backdrop = np.where(segments == 0, 255, 0).astype(np.uint8)
    backdrop = cv2.resize(backdrop, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    side = AREA * float(np.ptp(landmarks, axis=0).max())
    corner = landmarks[CROP_CENTRE].astype(np.float64) - side / 2
    step = side / SIDE
    matrix = np.array([[step, 0.0, corner[0] + 0.5 * step - 0.5], [0.0, step, corner[1] + 0.5 * step - 0.5]])
    kept = cv2.warpAffine(
        np.dstack([picture, backdrop]), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(kept, dtype=np.uint8), ((landmarks - corner) / side).astype(np.float32)
