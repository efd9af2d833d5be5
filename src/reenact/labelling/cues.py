"""Cues to action units and pose beside the fit: where the points lie, and what the picture shows around them.

Of each frame two sets: `even` ones, which a mirrored face has alike, and `odd` ones, which change their sign:

    points     78   where 39 points lie beside the person's resting head in that pose, mm (x, y)
    picture    588  6 directed contrasts and the brightness in 14 x 6 cells of the face, local contrast removed

both as the mean (even) or half the difference (odd) of the face and its mirror image, of which the half on the image's
left is kept. Action units are read from both sides together, so from even cues; pitch too; yaw and roll from odd ones.

For action units cues count from the clip's own median: a person's looks (brows, beard, glasses) mostly cancel, in the
manner of OpenFace's video mode, and what moves remains.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP
from reenact.faces.shape_model import shape_model
from reenact.labelling.shape_fit import FaceFit

Array = NDArray[np.float64]

# The face upright at a fixed size, placed by points that the face's muscles hardly move: bridge, nose, eye corners.
ANCHORS = (27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 39, 42, 45)
WIDTH, HEIGHT, CELL = 96, 112, 8  # px
MM_PER_PIXEL, LEFT, TOP = 1.3, -62.4, -64.0  # of the shape model's frame
DIRECTIONS = 6  # of the change from dark to bright, 60 degrees apart, the first to the image's right

_HALF = np.array([p for p in range(68) if p <= FLIP[p]])
_ROWS, _COLUMNS = HEIGHT // CELL, WIDTH // CELL
_POINTS, _PICTURE = 2 * len(_HALF), (DIRECTIONS + 1) * _ROWS * (_COLUMNS // 2)
# The mirror image turns a direction of 60 b degrees into 180 - 60 b; brightness stays.
_MIRRORED = np.array([*((DIRECTIONS // 2 - b) % DIRECTIONS for b in range(DIRECTIONS)), DIRECTIONS])

# What the three readings are made from: columns of each block, in order.
ACTION_BLOCKS: Mapping[str, int] = {"fitted": len(ACTION_UNITS), "points": _POINTS, "picture": _PICTURE, "pose": 5}
PITCH_BLOCKS: Mapping[str, int] = {"pose": 4, "points": _POINTS, "picture": _PICTURE}
TURN_BLOCKS: Mapping[str, int] = {"pose": 4, "points": _POINTS, "picture": _PICTURE}


@dataclass(frozen=True)
class ClipCues:
    """Cues of one clip's frames; rows of frames without landmarks say nothing."""

    actions: Array  # (N, columns of ACTION_BLOCKS)
    pitch: Array  # (N, columns of PITCH_BLOCKS)
    turn: Array  # (N, columns of TURN_BLOCKS), odd: a mirrored face has the negative


def clip_cues(
    fit: FaceFit, landmarks: NDArray[np.floating], pictures: Iterable[Image], usable: NDArray[np.intp]
) -> ClipCues:
    """Cues of one clip: its fit, landmarks (N, 68, 2) in crop coordinates, its N square pictures RGB or gray.

    `usable` are the frames in which landmarks were found: the median is theirs, other pictures are not looked at.
    """
    counts = np.isin(np.arange(len(landmarks)), usable)
    even, odd = np.zeros((2, len(landmarks), _PICTURE))
    for row, picture in enumerate(pictures):
        if counts[row]:
            even[row], odd[row] = picture_cues(picture, landmarks[row])
    even[~counts] = np.median(even[usable], axis=0)
    points_even, points_odd = _point_cues(fit.displacement)
    pitch, yaw, roll = level = fit.pose.T / 20.0
    moved = [block - np.median(block[usable], axis=0) for block in (fit.raw, points_even, even)]
    return ClipCues(
        actions=np.column_stack([*moved, pitch, np.abs(yaw), *np.square(level)]),
        pitch=np.column_stack([pitch, *np.square(level), points_even, even]),
        turn=np.column_stack([yaw, roll, pitch * yaw, pitch * roll, points_odd, odd]),
    )


def picture_cues(picture: Image, landmarks: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(588,) even and (588,) odd cues of one square picture and its (68, 2) landmarks in crop coordinates."""
    gray = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    face = upright_face(np.asarray(gray, dtype=np.uint8), landmarks).astype(np.float32)
    face -= cv2.GaussianBlur(face, (0, 0), 8.0)
    face /= np.sqrt(cv2.GaussianBlur(face * face, (0, 0), 12.0)) + 8.0
    maps = np.stack([*_directed(face), _cells(face)])
    here, there = maps[:, :, : _COLUMNS // 2], maps[_MIRRORED, :, ::-1][:, :, : _COLUMNS // 2]
    return np.asarray((here + there).ravel() / 2), np.asarray((here - there).ravel() / 2)


def upright_face(gray: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The face of a square gray picture, upright and (HEIGHT, WIDTH): turned, moved and scaled, not distorted."""
    model = shape_model().mean[list(ANCHORS), :2] @ np.array([1, 1j])
    seen = np.asarray(landmarks, dtype=np.float64)[list(ANCHORS)] * gray.shape[0] @ np.array([1, 1j])
    flat, points = model - model.mean(), seen - seen.mean()
    factor = (flat.conj() * points).sum() / np.square(np.abs(flat)).sum()  # pixels per mm, turned
    start = seen.mean() + factor * (complex(LEFT, TOP) + MM_PER_PIXEL * (0.5 + 0.5j) - model.mean()) - (0.5 + 0.5j)
    step = factor * MM_PER_PIXEL
    matrix = np.array([[step.real, -step.imag, start.real], [step.imag, step.real, start.imag]])
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    face = cv2.warpAffine(gray, matrix, (WIDTH, HEIGHT), flags=way, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(face, dtype=np.uint8)


def _directed(face: NDArray[np.float32]) -> Iterable[NDArray[np.float32]]:
    """Per direction the mean contrast in each cell: gradients count by the square of their cosine."""
    across, down = cv2.Sobel(face, cv2.CV_32F, 1, 0), cv2.Sobel(face, cv2.CV_32F, 0, 1)
    size = np.sqrt(across * across + down * down) + 1e-6
    for direction in range(DIRECTIONS):
        angle = 2 * np.pi * direction / DIRECTIONS
        along = np.maximum(across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle)), 0)
        yield _cells(np.asarray(along * along / size))


def _cells(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _point_cues(displacement: Array) -> tuple[Array, Array]:
    """(N, 68, 2) -> (N, 78) even and (N, 78) odd."""
    mirrored = displacement[:, FLIP] * np.array([-1.0, 1.0])
    even, odd = (displacement + mirrored)[:, _HALF] / 2, (displacement - mirrored)[:, _HALF] / 2
    return even.reshape(len(even), -1), odd.reshape(len(odd), -1)
