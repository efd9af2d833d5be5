"""One frame of one clip: person, motion and surroundings become a picture and its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS
from reenact.rendering import features
from reenact.rendering.canvas import BACKGROUND, FACE, HAIR, Canvas, fixed
from reenact.rendering.folds import moving
from reenact.rendering.head import Camera, Head, pose_head
from reenact.rendering.meshes import FACE_PART, SKIN_PART, meshes, paint
from reenact.rendering.motion import Motion
from reenact.rendering.person import Person
from reenact.rendering.raster import Surface, rasterise
from reenact.rendering.shading import Light

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

SUPERSAMPLING = 1.25
CLEARANCE = 5.0  # mm that something must lie in front of a landmark to hide it
BESIDE = 1.8  # mm from an edge at which a landmark belongs to either side


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Light, background, placement and camera of one clip."""

    light: Array  # (3,) unit vector towards the light
    light_colour: Array  # (3,) RGB factors
    ambient: float
    exposure: float
    background: Array  # (n, 3) RGB colours
    background_seed: int
    scale: float  # pixels per mm in a picture of side 1
    centre: Array  # (2,) shares of the side: the head's joint with the neck
    distance: float  # mm from the camera
    noise: float  # standard deviation, 0..255
    blur: float  # pixels in a picture of side 256
    quality: int  # of the camera's own JPEG
    noise_seed: int

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in values.items()}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Surroundings":
        """The surroundings that `plain` described."""
        shaped: dict[str, Any] = {k: np.asarray(v, np.float64) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**shaped)


@dataclass(frozen=True)
class Labels:
    """The truth of one frame, in video pixels; see docs/architecture.md."""

    landmarks: NDArray[np.float32]  # (68, 2)
    landmarks3d: NDArray[np.float32]  # (68, 3)
    visibility: NDArray[np.bool_]  # (68,)
    segments: NDArray[np.uint8]  # (H, W)


def invent_surroundings(rng: np.random.Generator, *, honest: bool = True) -> Surroundings:
    """Draw light, background, placement and camera. Not `honest`: a camera without perspective."""
    side, height = rng.uniform(-0.75, 0.75), rng.uniform(0.05, 0.7)
    direction = np.array([side, -height, -1.0])
    warmth = rng.uniform(-0.06, 0.06)
    distance = float(rng.uniform(550, 1300))
    return Surroundings(
        light=direction / np.linalg.norm(direction),
        light_colour=np.array([1.0 + warmth, 1.0, 1.0 - warmth]),
        ambient=float(rng.uniform(0.34, 0.60)),
        exposure=float(rng.uniform(0.88, 1.04)),
        background=rng.uniform(30, 225, (4, 1)) * rng.uniform(0.75, 1.0, (4, 3)),
        background_seed=int(rng.integers(2**31)),
        scale=float(rng.uniform(0.0028, 0.0034)),
        centre=np.array([rng.uniform(0.47, 0.53), rng.uniform(0.60, 0.66)]),
        distance=distance if honest else 1e7,
        noise=float(rng.uniform(1.0, 4.5)),
        blur=float(rng.uniform(0.0, 0.6)),
        quality=int(rng.integers(72, 96)),
        noise_seed=int(rng.integers(2**31)),
    )


class Stage:
    """Draws the frames of one clip; keeps what does not change from frame to frame."""

    def __init__(self, person: Person, surroundings: Surroundings, placement: Motion, size: int) -> None:
        """`placement`: the clip's own motion, of which only the drift is used."""
        self.person, self.surroundings, self.size = person, surroundings, size
        self.drift = placement.drift
        self.light = Light(surroundings.light, surroundings.light_colour, surroundings.ambient)
        self.side = round(size * SUPERSAMPLING)
        self.background = draw_background(surroundings, self.side)
        camera = Camera(1.0, (0.0, 0.0), 1e9)
        self.texture = paint(person, pose_head(person, np.zeros(len(ACTION_UNITS)), np.zeros(3), camera))
        rng = np.random.default_rng(surroundings.noise_seed)
        grain = rng.normal(0, surroundings.noise, (size + 64, size + 64, 3))
        self.noise = cv2.GaussianBlur(grain, (0, 0), 0.55).astype(np.float32) * 1.6
        tint = (surroundings.light_colour * surroundings.exposure).astype(np.float32)
        self.tint = np.broadcast_to(tint, (size, size, 3)).copy()

    def head(self, motion: Motion, frame: int, own_frame: int) -> Head:
        """The posed head: action units and pose of `motion`, placement of the clip itself."""
        place = self.surroundings
        right, down, nearer = self.drift[own_frame % len(self.drift)]
        camera = Camera(
            scale=place.scale * self.size * (1.0 + nearer),
            centre=(float(place.centre[0] + right) * self.size, float(place.centre[1] + down) * self.size),
            distance=place.distance,
        )
        return pose_head(self.person, motion.actions[frame], motion.pose[frame], camera)

    def draw(self, motion: Motion, frame: int, own_frame: int | None = None) -> tuple[Image, Labels]:
        """One frame as RGB uint8 (S, S, 3), and its truth."""
        own_frame = frame if own_frame is None else own_frame
        head = self.head(motion, frame, own_frame)
        factor = self.side / self.size
        seen = self._seen(head, factor)
        picture = self._lit(head, seen, motion.gaze[frame], factor)
        features.draw_glasses(picture, head, seen.depth, factor)
        small = np.asarray(cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return self._expose(small, own_frame), self._labels(head, seen, factor)

    def _seen(self, head: Head, factor: float) -> Surface:
        """The head's surface at each pixel of the enlarged picture; depth stays in pixels of the final one."""
        enlarged = [replace(mesh, points=mesh.points * (factor, factor, 1.0)) for mesh in meshes(head, self.light)]
        return rasterise(enlarged, self.side)

    def _lit(self, head: Head, seen: Surface, gaze: Array, factor: float) -> Image:
        """The enlarged picture (side, side, 3), without glasses."""
        picture = self.background.copy()
        behind = Canvas(picture, factor)
        features.draw_body(behind, head)
        shown = seen.part >= 0
        rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
        if len(rows):
            box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            inner = self._insides(head, gaze, factor)[box]
            picture[box] = self._surface(head, seen, box, inner, picture[box])
        self._dress(picture, head, seen, factor)
        return picture

    def _dress(self, picture: Image, head: Head, seen: Surface, factor: float) -> None:
        """The collar hides the neck's foot, also from the classes; hair and face hang in front of it."""
        dressed = picture.copy()
        outline = features.draw_collar(Canvas(dressed, factor), head)
        covered = np.zeros(seen.part.shape, np.uint8)
        cv2.fillPoly(covered, [fixed(outline, factor)], (1,), cv2.LINE_8, 4)
        covers = (seen.part == SKIN_PART) | (seen.part < 0)
        cv2.copyTo(dressed, covers.astype(np.uint8), picture)
        seen.part[(covered > 0) & covers] = -1

    def _insides(self, head: Head, gaze: Array, factor: float) -> Image:
        plane = np.zeros((self.side, self.side, 3), np.uint8)
        features.draw_insides(Canvas(plane, factor), head, gaze)
        return plane

    def _surface(self, head: Head, seen: Surface, box: tuple[slice, slice], inner: Image, behind: Image) -> Image:
        """Texture, light and folds, for the part of the picture where the head is."""
        x, y, level, gloss = (np.ascontiguousarray(plane[box]) for plane in seen.values)
        texture = cv2.remap(self.texture, x, y, cv2.INTER_LINEAR)
        face = seen.part[box] == FACE_PART
        lost = cv2.remap(moving(head), x / 2 - 0.25, y / 2 - 0.25, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        level = level * np.where(face, 1.0 - lost, 1.0)
        level[seen.part[box] < 0] = 1.0
        there = _thrice(cv2.extractChannel(texture, 3).astype(np.float32) * np.float32(1 / 255))
        colour = cv2.cvtColor(texture, cv2.COLOR_RGBA2RGB).astype(np.float32) * there
        colour += inner.astype(np.float32) * (1.0 - there)
        colour = colour * _thrice(level) + _thrice(255.0 * gloss) * there
        edge = cv2.GaussianBlur((seen.part[box] >= 0).astype(np.float32), (0, 0), 0.5)
        edge[seen.part[box] < 0] = 0.0
        edge = _thrice(edge)
        return np.asarray(np.clip(colour * edge + behind * (1.0 - edge), 0, 255), dtype=np.uint8)

    def _expose(self, picture: Image, frame: int) -> Image:
        """Light colour, lens blur, sensor noise and the camera's own compression."""
        place = self.surroundings
        light = picture.astype(np.float32) * self.tint
        light = np.minimum(light, 180 + 0.5 * (light - 180))  # a sensor's shoulder: bright skin keeps its shape
        if place.blur > 0.2:
            light[:] = cv2.GaussianBlur(light, (0, 0), place.blur * self.size / 256)
        x, y = (frame * 37) % 64, (frame * 23) % 64
        light = light + self.noise[y : y + self.size, x : x + self.size]
        bgr = cv2.cvtColor(np.clip(light, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
        encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, place.quality])[1]
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def _labels(self, head: Head, seen: Surface, factor: float) -> Labels:
        placed = head.place(head.points).astype(np.float32)
        part = cv2.resize(seen.part, (self.size, self.size), interpolation=cv2.INTER_NEAREST)
        segments = np.array([FACE, FACE, HAIR, BACKGROUND], dtype=np.uint8)[part]
        return Labels(placed[:, :2].copy(), placed, visible(head, placed, seen.depth, factor), segments)


def _thrice(plane: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W) as three equal channels: NumPy is several times slower at a last axis of 1 against one of 3."""
    return np.asarray(cv2.merge([plane, plane, plane]), dtype=np.float32)


def visible(head: Head, placed: NDArray[np.float32], depth: NDArray[np.float32], factor: float) -> NDArray[np.bool_]:
    """Whether nothing lies in front of landmarks (68, 3) in the picture: (68,), from the enlarged depth buffer.

    A point next to an edge counts as seen if it would be on the edge's other side: the outline is where jaw points lie.
    """
    reach = BESIDE * head.unit
    around = np.array([(0.0, 0.0)] + [(reach * np.cos(a), reach * np.sin(a)) for a in np.arange(8) * np.pi / 4])
    where = np.floor((placed[None, :, :2] + around[:, None]) * factor).astype(int)
    x, y = np.clip(where, 0, depth.shape[0] - 1).transpose(2, 0, 1)
    return np.asarray(placed[:, 2] <= depth[y, x].max(axis=0) + CLEARANCE * head.unit)


def draw_background(surroundings: Surroundings, side: int) -> Image:
    """A gradient with soft blobs and a few blurred blocks, as rooms look out of focus; uint8 (side, side, 3)."""
    rng = np.random.default_rng(surroundings.background_seed)
    a, b, c, d = surroundings.background
    ramp = np.linspace(0, 1, 64)[:, None, None]
    small = a * (1 - ramp) + b * ramp
    small = np.repeat(small, 64, axis=1).astype(np.float32)
    for _ in range(int(rng.integers(2, 9))):
        colour = (c if rng.random() < 0.5 else d) * rng.uniform(0.7, 1.15)
        x, y = (int(v) for v in rng.integers(-4, 66, 2))
        if rng.random() < 0.5:
            cv2.circle(small, (x, y), int(rng.integers(4, 16)), colour.tolist(), -1)
        else:
            width, height = (int(v) for v in rng.integers(5, 30, 2))
            cv2.rectangle(small, (x, y), (x + width, y + height), colour.tolist(), -1)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.8, 4.0)))
    large = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(large, 0, 255).astype(np.uint8)
