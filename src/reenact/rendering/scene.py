"""One frame of one clip: person, motion and surroundings become a picture and its labels."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering import features, hair
from reenact.rendering.canvas import FACE, Canvas
from reenact.rendering.head import Camera, Head, mesh_points, normals, pose_head
from reenact.rendering.motion import Motion
from reenact.rendering.person import Person
from reenact.rendering.shading import Light, face_light, folds, soft_planes

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

SUPERSAMPLING = 2


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
        ambient=float(rng.uniform(0.25, 0.55)),
        exposure=float(rng.uniform(0.82, 1.02)),
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
        self.background = draw_background(surroundings, size * SUPERSAMPLING)
        rng = np.random.default_rng(surroundings.noise_seed)
        grain = rng.normal(0, surroundings.noise, (size + 64, size + 64, 3))
        self.noise = cv2.GaussianBlur(grain, (0, 0), 0.55).astype(np.float32) * 1.6

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
        canvas = Canvas(self.background, self.size)
        hair.draw_behind(canvas, head)
        hair.draw_skin(canvas, head)
        features.draw_marks(canvas, head)
        hair.draw_beard(canvas, head)
        features.draw_nose(canvas, head)
        features.draw_mouth(canvas, head)
        features.draw_eyes(canvas, head, motion.gaze[frame])
        features.draw_brows(canvas, head)
        shade = face_light(head, self.light, self.size) * folds(head, self.size)
        glow, blush = soft_planes(head, self.size)
        skin = cv2.GaussianBlur((canvas.classes == FACE).astype(np.float32), (0, 0), 0.7)
        shade = 1.0 + (shade - 1.0) * skin
        glow, blush = glow * skin, blush * skin
        colour = cv2.merge([shade + glow, shade + glow - 0.5 * blush, shade + glow - 0.45 * blush])
        picture = canvas.finished().astype(np.float32) * colour
        canvas = self._on_top(canvas, head, picture)
        return self._expose(canvas.finished(), own_frame), self._labels(head, canvas)

    def _on_top(self, canvas: Canvas, head: Head, picture: NDArray[np.float32]) -> Canvas:
        """Front hair and glasses are not shaded as skin is: they are drawn over the shaded picture."""
        if head.person.glasses <= 0 and head.person.style in ("bald", "receding"):
            over = Canvas(np.clip(picture, 0, 255).astype(np.uint8), self.size)
        else:
            large = cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), None, fx=SUPERSAMPLING, fy=SUPERSAMPLING)
            over = Canvas(np.asarray(large, dtype=np.uint8), self.size)
        over.classes = canvas.classes
        hair.draw_front_hair(over, head)
        features.draw_glasses(over, head)
        return over

    def _expose(self, picture: Image, frame: int) -> Image:
        """Light colour, lens blur, sensor noise and the camera's own compression."""
        place = self.surroundings
        light = picture.astype(np.float32) * (place.light_colour * place.exposure).astype(np.float32)
        light = np.minimum(light, 205 + 0.45 * (light - 205))  # a sensor's shoulder: bright skin keeps its shape
        if place.blur > 0.2:
            light[:] = cv2.GaussianBlur(light, (0, 0), place.blur * self.size / 256)
        x, y = (frame * 37) % 64, (frame * 23) % 64
        light = light + self.noise[y : y + self.size, x : x + self.size]
        bgr = np.clip(light[..., ::-1], 0, 255).astype(np.uint8)
        encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, place.quality])[1]
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
        return np.ascontiguousarray(decoded[..., ::-1])

    def _labels(self, head: Head, canvas: Canvas) -> Labels:
        placed = head.place(head.points).astype(np.float32)
        facing = (normals(mesh_points(head)) @ head.matrix.T)[:68, 2]
        return Labels(placed[:, :2].copy(), placed, facing < 0.05, canvas.classes)


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
