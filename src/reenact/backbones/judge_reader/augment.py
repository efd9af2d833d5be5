"""What happens to drawn faces before the judge reader learns from them: other views, rooms, cameras and damage.

It will read generated pictures, which are soft, small, noisy or slightly off, so it sees all that in training, too.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.backbones.judge_reader.drawing import SIDE, Drawn
from reenact.backbones.judge_reader.views import Square, cut_view, face_square
from reenact.faces.landmarks import CROP_CENTRE, FLIP
from reenact.faces.pose import flip_pose, pose_of, rotation

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Views:
    """B views of faces as the network is given them, with what it should answer."""

    picture: NDArray[np.uint8]  # (B, S, S, 3)
    landmarks: NDArray[np.float32]  # (B, 68, 2) in sides of the view
    pose: NDArray[np.float32]  # (B, 3) degrees
    actions: NDArray[np.float32]  # (B, 17)
    identity: NDArray[np.int64]  # (B,)
    face: NDArray[np.float32]  # (B,) 1, or 0 where there is no face: then the rest means nothing


def augmented(
    drawn: Drawn, rows: NDArray[np.integer], random: np.random.Generator, *, size: int, damage: float = 1.0
) -> Views:
    """Views of these faces, mirrored, moved, turned, before other backgrounds, covered, lit and damaged; some no faces.

    One in five is framed as loosely as crops are, the others as closely as the reader frames what it found.
    `damage` 0..1: how many are covered, blurred, noisy, ... compared with the full measure.
    """
    made = [_random_view(drawn, int(row), random, size, damage) for row in rows]
    return Views(*(np.stack(parts) for parts in zip(*made, strict=True)))


def _random_view(drawn: Drawn, row: int, random: np.random.Generator, size: int, damage: float) -> tuple[Any, ...]:
    points, pose = drawn.landmarks[row].astype(np.float64), drawn.pose[row].astype(np.float64)
    there = np.eye(3)  # from where the face was drawn to where it is now
    if random.random() < 0.5:
        points, pose = points[FLIP] * (-1, 1) + (1, 0), flip_pose(pose)
        there[0] = (-1, 0, 1)
    plane = rotation(np.array([0.0, 0.0, random.normal(0, 25.0 if random.random() < 0.15 else 7.0)]))
    centre = points[CROP_CENTRE]
    points = (points - centre) @ plane[:2, :2].T + centre
    about = np.eye(3)
    about[:2, :2], about[:2, 2] = plane[:2, :2], centre - plane[:2, :2] @ centre
    no_face = random.random() < 0.06
    square = _beside(points, random) if no_face else _framed(points, random)
    view = cut_view(drawn.picture[row], square, size, back=np.linalg.inv(about @ there), side=SIDE)
    rgb = _composed(view, random, damage)
    if no_face and random.random() < 0.5:
        rgb = _texture(random, size)
    return (
        _photographed(rgb, random, damage),
        ((points - square.corner) / square.side).astype(np.float32),
        pose_of(plane @ rotation(pose)).astype(np.float32),
        drawn.actions[row],
        drawn.identity[row],
        np.float32(not no_face),
    )


def _framed(points: NDArray[np.float64], random: np.random.Generator) -> Square:
    close = face_square(points)
    if random.random() < 0.8:
        shift, grow = random.normal(0, 0.04, 2), np.exp(random.normal(0, 0.07))
        return Square.around(close.centre + shift * close.side, close.side * float(grow))
    side = float(np.ptp(points, axis=0).max()) * random.uniform(1.5, 2.6)
    return Square.around(points[CROP_CENTRE] + random.normal(0, 0.05, 2) * side, side)


def _beside(points: NDArray[np.float64], random: np.random.Generator) -> Square:
    """A square that misses most of the face."""
    close, angle = face_square(points), random.uniform(0, 2 * np.pi)
    away = random.uniform(0.75, 1.2) * close.side * np.array([np.cos(angle), np.sin(angle)])
    return Square.around(close.centre + away, close.side * float(random.uniform(0.7, 1.2)))


def _composed(view: NDArray[np.uint8], random: np.random.Generator, damage: float) -> Plane:
    """The view (S, S, 4), mostly before another background, sometimes with something before the face."""
    rgb: Plane = view[..., :3].astype(np.float32)
    size = len(rgb)
    if random.random() < 0.6:
        behind = view[..., 3:].astype(np.float32) / 255
        rgb = np.asarray(rgb * (1 - behind) + _texture(random, size) * behind, dtype=np.float32)
    if random.random() < 0.12 * damage:
        mask = np.zeros((size, size), np.float32)
        middle, axes = random.integers(0, size, 2).tolist(), random.integers(size // 16, size // 5, 2).tolist()
        cv2.ellipse(mask, middle, axes, float(random.uniform(0, 180)), 0, 360, (1.0,), -1, cv2.LINE_AA)
        over = _texture(random, size)
        rgb = np.asarray(rgb + (over - rgb) * mask[..., None], dtype=np.float32)
    return rgb


def _texture(random: np.random.Generator, size: int) -> Plane:
    """A room that is none: a colour, smooth noise of a few grain sizes, blocks with edges; (S, S, 3) 0..255."""
    picture = np.broadcast_to(random.uniform(10, 245, 3) * 0.5 + random.uniform(10, 245) * 0.5, (size, size, 3))
    picture = np.ascontiguousarray(picture, dtype=np.float32)
    for _ in range(int(random.integers(0, 3))):
        cells = int(random.integers(2, size // 4))
        noise = random.normal(0, random.uniform(5, 50), (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(random.integers(0, 5))):
        x, y = random.integers(-size // 8, size, 2).tolist()
        w, h = random.integers(2, size // 2, 2).tolist()
        cv2.rectangle(picture, (x, y), (x + w, y + h), random.uniform(0, 255, 3).tolist(), -1)
    return np.clip(picture, 0, 255)


def _photographed(rgb: Plane, random: np.random.Generator, damage: float) -> NDArray[np.uint8]:
    """Other light and colour, softness of a lens, of few pixels or of a generator, noise, compression."""
    light = _lit(rgb / np.float32(255), random) if random.random() < damage else rgb / np.float32(255)
    size = len(light)
    if random.random() < 0.3 * damage:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), float(random.uniform(0.3, 1.5))), dtype=np.float32)
    if random.random() < 0.3 * damage:
        side = int(random.uniform(0.4, 0.95) * size)
        small = cv2.resize(light, (side, side), interpolation=cv2.INTER_AREA)
        how = cv2.INTER_CUBIC if random.random() < 0.6 else cv2.INTER_LINEAR
        light = np.asarray(cv2.resize(small, (size, size), interpolation=how), dtype=np.float32)
    if random.random() < 0.5 * damage:
        grain = random.standard_normal((size, size, 3), dtype=np.float32)
        light = light + grain * np.float32(random.uniform(0.0, 0.04))
    picture = np.clip(light * 255, 0, 255).astype(np.uint8)
    if random.random() < 0.3 * damage:
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 95))])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return picture


def _lit(light: Plane, random: np.random.Generator) -> Plane:
    """Another gamma, tint, contrast and light from one side; a few pictures are gray. (S, S, 3) about 0..1."""
    if random.random() < 0.04:
        light = np.repeat(light.mean(axis=-1, keepdims=True), 3, axis=-1)
    tint = np.exp(random.normal(0, 0.15) + random.normal(0, 0.04, 3)).astype(np.float32)
    light = light ** np.float32(np.exp(random.normal(0, 0.17))) * tint
    if random.random() < 0.4:
        ramp = np.linspace(-1, 1, len(light), dtype=np.float32)
        slope = ramp[None] * np.float32(random.normal(0, 0.2)) + ramp[:, None] * np.float32(random.normal(0, 0.15))
        light = light * (1 + slope[..., None])
    mean = light.mean()
    contrast = np.float32(np.exp(random.normal(0, 0.2)))
    return np.asarray((light - mean) * contrast + mean + np.float32(random.normal(0, 0.05)), dtype=np.float32)
