"""What happens to drawn faces before a network sees them: so much that a real face is one more variation."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import FLIP
from reenact.faces.pose import flip_pose, rotation
from reenact.labelling.backend import Box
from reenact.labelling.geometry import detector_like_box
from reenact.labelling.synthetic.drawing import SIDE, Drawn
from reenact.labelling.synthetic.geometry import sampling_matrix, view_of

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Views:
    """B views of faces as the networks are given them, with what they should answer."""

    gray: NDArray[np.uint8]  # (B, S, S)
    points: NDArray[np.float32]  # (B, 68, 3) in sides of the view
    visibility: NDArray[np.float32]  # (B, 68)
    turn: NDArray[np.float32]  # (B, 3, 3)
    face: NDArray[np.float32]  # (B,) 1 for a face, 0 for something else: then the rest means nothing


def augmented(drawn: Drawn, rows: NDArray[np.integer], random: np.random.Generator, *, size: int) -> Views:
    """Views of these faces: moved, turned, mirrored, lit, blurred, covered, before other backgrounds; some no faces."""
    return _stacked([_random_view(drawn, int(row), random, size) for row in rows])


def plain_views(
    drawn: Drawn, rows: NDArray[np.integer], *, size: int, random: np.random.Generator | None = None
) -> Views:
    """The faces as they were drawn, in the boxes that their true landmarks imply, or `random` ones near those."""
    made = []
    for row in rows:
        face = _Face.of(drawn, int(row))
        view = view_of(_nearby(face.box, random) if random else face.box)
        made.append((_sampled(drawn.gray[row], face, view, size), *face.answers(view)))
    return _stacked(made)


@dataclass(frozen=True)
class _Face:
    """One drawn face, perhaps mirrored and turned in the picture's plane; `back` leads to where it was drawn."""

    points: NDArray[np.float64]  # (68, 3)
    visibility: NDArray[np.bool_]
    turn: NDArray[np.float64]  # (3, 3)
    back: NDArray[np.floating]  # (3, 3) homogeneous

    @classmethod
    def of(cls, drawn: Drawn, row: int, *, mirrored: bool = False, degrees: float = 0.0) -> "_Face":
        points, seen, pose = drawn.points[row].astype(np.float64), drawn.visibility[row], drawn.pose[row]
        there = np.eye(3)
        if mirrored:
            points, seen, pose = points[FLIP] * (-1, 1, 1) + (1, 0, 0), seen[FLIP], flip_pose(pose)
            there[0] = (-1, 0, 1)
        plane = rotation(np.array([0.0, 0.0, degrees]))
        half = np.array([0.5, 0.5, 0.0])
        points = (points - half) @ plane.T + half
        about = np.eye(3)
        about[:2, :2] = plane[:2, :2]
        about[:2, 2] = half[:2] - plane[:2, :2] @ half[:2]
        return cls(points, seen, plane @ rotation(pose), np.linalg.inv(about @ there))

    @property
    def box(self) -> Box:
        return detector_like_box(self.points[:, :2])

    def answers(self, view: Box, *, face: bool = True) -> tuple[Any, ...]:
        """Points, visibility, turn and whether it is one, as a network sees the face in a view."""
        points = (self.points - (view.x0, view.y0, 0.0)) / view.side
        return (
            points.astype(np.float32), self.visibility.astype(np.float32), self.turn.astype(np.float32),
            np.float32(face),
        )  # fmt: skip


def _random_view(drawn: Drawn, row: int, random: np.random.Generator, size: int) -> tuple[Any, ...]:
    steep = 25.0 if random.random() < 0.15 else 8.0
    face = _Face.of(drawn, row, mirrored=bool(random.random() < 0.5), degrees=float(random.normal(0, steep)))
    kind = random.random()
    if kind < 0.04:
        view, is_face, gray = view_of(face.box), False, _texture(random, size)
    elif kind < 0.12:
        view, is_face = view_of(_off_face(face.box, random)), False
        gray = _composed(drawn, row, face, view, random, size)
    else:
        view, is_face = view_of(_nearby(face.box, random)), True
        gray = _composed(drawn, row, face, view, random, size)
    return (_photographed(gray, random), *face.answers(view, face=is_face))


def _nearby(box: Box, random: np.random.Generator) -> Box:
    """A box as a tracker or detector gives it; now and then a bad one."""
    wide = 2.0 if random.random() < 0.15 else 1.0
    dx, dy = wide * random.normal(0, 0.05, 2)
    return box.varied(float(dx), float(dy), float(np.exp(wide * random.normal(0, 0.08))))


def _off_face(box: Box, random: np.random.Generator) -> Box:
    """A box that a lost track might have: beside the face, or much too small or large."""
    angle, away = random.uniform(0, 2 * np.pi), random.uniform(0.55, 0.9)
    small = float(random.uniform(0.25, 0.45)) if random.random() < 0.3 else float(random.uniform(0.7, 1.3))
    if random.random() < 0.15:
        return box.varied(0.0, 0.0, float(random.uniform(1.9, 2.4)))
    return box.varied(away * float(np.cos(angle)), away * float(np.sin(angle)), small)


def _composed(drawn: Drawn, row: int, face: _Face, view: Box, random: np.random.Generator, size: int) -> Plane:
    """The view, mostly with another background, sometimes with something before the face."""
    gray: Plane = np.asarray(_sampled(drawn.gray[row], face, view, size), dtype=np.float32)
    if random.random() < 0.7:
        behind = _sampled(drawn.backdrop[row], face, view, size).astype(np.float32) / 255
        gray = np.asarray(gray * (1 - behind) + _texture(random, size) * behind, dtype=np.float32)
    if random.random() < 0.35:
        gray = _covered(gray, random)
    return gray


def _sampled(plane: NDArray[np.uint8], face: _Face, view: Box, size: int) -> NDArray[np.uint8]:
    inwards = np.eye(3)
    inwards[:2] = sampling_matrix(view, size)  # with its half pixels, for a picture of side 1
    inwards[:2, 2] += 0.5
    whole = np.diag([SIDE, SIDE, 1.0]) @ face.back @ inwards
    whole[:2, 2] -= 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(plane, whole[:2], (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )


def _texture(random: np.random.Generator, size: int) -> Plane:
    """Something that is no face: smooth noise of a few grain sizes, stripes, and blocks with edges."""
    picture = np.full((size, size), random.uniform(10, 245), dtype=np.float32)
    for _ in range(int(random.integers(1, 4))):
        cells = int(random.integers(2, size // 3))
        noise = random.normal(0, random.uniform(5, 60), (cells, cells)).astype(np.float32)
        way = cv2.INTER_CUBIC if random.random() < 0.7 else cv2.INTER_NEAREST
        picture += cv2.resize(noise, (size, size), interpolation=way)
    for _ in range(int(random.integers(0, 5))):
        _shape(picture, random)
    if random.random() < 0.2:
        across = np.arange(size) * random.uniform(0.1, 1.5)
        stripes = np.sin(across)[None] if random.random() < 0.5 else np.sin(across)[:, None]
        picture += stripes.astype(np.float32) * random.uniform(5, 50)
    return np.clip(picture, 0, 255)


def _shape(picture: Plane, random: np.random.Generator) -> None:
    size = len(picture)
    x, y = (int(v) for v in random.integers(-size // 8, size + size // 8, 2))
    w, h = (int(v) for v in random.integers(2, size // 2, 2))
    gray = float(random.uniform(0, 255))
    if random.random() < 0.5:
        cv2.rectangle(picture, (x, y), (x + w, y + h), (gray,), -1)
    else:
        cv2.ellipse(picture, (x, y), (w, h), float(random.uniform(0, 180)), 0, 360, (gray,), -1, cv2.LINE_AA)


def _covered(gray: Plane, random: np.random.Generator) -> Plane:
    """A hand, a cup, a strand of hair, a microphone: a textured blob or bar before up to a third of the face."""
    size = len(gray)
    mask = np.zeros((size, size), dtype=np.float32)
    if random.random() < 0.3:
        ends = [tuple(int(v) for v in random.integers(0, size, 2)) for _ in range(2)]
        cv2.line(mask, ends[0], ends[1], (1.0,), int(random.integers(1, max(2, size // 10))), cv2.LINE_AA)
    else:
        centre = tuple(int(v) for v in random.integers(0, size, 2))
        axes = tuple(int(v) for v in random.integers(size // 16, size // 4, 2))
        cv2.ellipse(mask, centre, axes, float(random.uniform(0, 180)), 0, 360, (1.0,), -1, cv2.LINE_AA)
    over = _texture(random, size)
    return np.asarray(gray * (1 - mask) + (0.3 * over + 0.7 * over.mean()) * mask, dtype=np.float32)


def _photographed(gray: NDArray[Any], random: np.random.Generator) -> NDArray[np.uint8]:
    """Contrast, blur or low resolution, sharpening as phones do it, noise, JPEG."""
    size = len(gray)
    light = _lit(np.asarray(gray / 255, dtype=np.float32), random)
    if random.random() < 0.4:
        light = _blurred(light, float(random.uniform(0.3, 1.6)))
    if random.random() < 0.15:
        side = int(size / random.uniform(1.3, 2.6))
        small = cv2.resize(light, (side, side), interpolation=cv2.INTER_AREA)
        light = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    if random.random() < 0.15:
        light = light + np.float32(0.7) * (light - _blurred(light, 1.2))
    noisy = light + random.normal(0, random.uniform(0.0, 0.04), light.shape)
    picture = np.clip(noisy * 255, 0, 255).astype(np.uint8)
    if random.random() < 0.4:
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return picture


def _lit(light: Plane, random: np.random.Generator) -> Plane:
    """Another gamma, light from one side or a shadow over a part, another contrast; (S, S) about 0..1."""
    lit = light ** float(np.exp(random.normal(0, 0.35)))
    if random.random() < 0.5:
        ramp = np.linspace(-1, 1, len(light))
        slope = ramp[None] * random.normal(0, 0.25) + ramp[:, None] * random.normal(0, 0.2)
        if random.random() < 0.3:
            slope = np.tanh(6 * (slope + random.normal(0, 0.1))) * random.uniform(0.05, 0.35)
        lit = lit * (1 + slope)
    mean = lit.mean()
    return ((lit - mean) * np.exp(random.normal(0, 0.3)) + mean + random.normal(0, 0.08)).astype(np.float32)


def _blurred(plane: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32)


def _stacked(made: list[Any]) -> Views:
    return Views(*(np.stack(parts) for parts in zip(*made, strict=True)))
