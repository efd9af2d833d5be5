"""Where everything of a head is: landmarks with expression, further points of skull and cheeks, the camera."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.pose import rotation
from reenact.faces.shape_model import canonical, shape_model
from reenact.rendering.person import Person

Array = NDArray[np.float64]

_PIVOT = np.array([0.0, 35.0, 55.0])  # mm: the joint of head and neck
_SKULL = np.array([0.0, -38.0, 58.0])  # mm: centre of the skull's ellipsoid
# The hairline from the right temple over the forehead to the left one: shares of half width and forehead height.
HAIRLINE = np.array([
    (-1.0, -0.05), (-0.985, -0.35), (-0.93, -0.62), (-0.78, -0.84), (-0.48, -0.97), (0.0, -1.0),
    (0.48, -0.97), (0.78, -0.84), (0.93, -0.62), (0.985, -0.35), (1.0, -0.05),
])  # fmt: skip


@dataclass(frozen=True)
class Camera:
    """A camera looking along z at the head's joint with the neck."""

    scale: float  # pixels per mm at the head's origin
    centre: tuple[float, float]  # pixels
    distance: float  # mm; a very large one makes the projection parallel


@dataclass(frozen=True)
class Head:
    """One posed head, and how to put any of its points in the picture."""

    person: Person
    actions: Array  # (17,) intensities 0..5
    points: Array  # (68, 3) mm, with expression, before pose
    rest: Array  # (68, 3), the same head without expression
    matrix: Array  # (3, 3)
    camera: Camera

    @property
    def unit(self) -> float:
        """Pixels per mm."""
        return self.camera.scale

    @property
    def half_width(self) -> float:
        """Half the head's width at the ears, mm."""
        return float(self.rest[16, 0] - self.rest[0, 0]) / 2

    def level(self, action: str) -> float:
        """Intensity of an action unit as a share 0..1."""
        return float(self.actions[ACTION_UNITS.index(action)]) / MAXIMUM

    def place(self, points: Array) -> Array:
        """Head points (..., 3) mm -> (..., 3) pixels: x, y in the picture, z away from the camera."""
        return to_picture(self.turned(points), self.camera)

    def turned(self, points: Array) -> Array:
        """Head points (..., 3) mm -> the camera's axes, mm: turned about the joint with the neck."""
        return np.asarray((points - _PIVOT) @ self.matrix.T + _PIVOT)

    def flat(self, points: Array) -> Array:
        """`place` without depth: (..., 2)."""
        return self.place(points)[..., :2]

    def skull(self, directions: Array, above: float = 0.0) -> Array:
        """Points of the skull's ellipsoid in directions (n, 3), `above` mm over the bone."""
        radii = np.array([self.half_width + 3.0, self.person.hairline + 22.0, 84.0]) + above
        return _SKULL + directions * radii

    def on_skull(self, points: Array, above: float = 0.0) -> Array:
        """Points (..., 3) moved along rays from the skull's centre onto its ellipsoid."""
        away = points - _SKULL
        radii = np.array([self.half_width + 3.0, self.person.hairline + 22.0, 84.0]) + above
        return np.asarray(_SKULL + away / np.sqrt(np.square(away / radii).sum(axis=-1, keepdims=True)))

    def brow_surface(self, across: Array, up: Array, above: float = 0.0) -> Array:
        """Points on the forehead: shares of half width (-1 right ear .. 1 left ear) and of its height (0..1)."""
        radii = np.array([self.half_width + 3.0, self.person.hairline + 22.0, 84.0]) + above
        x = across * self.half_width
        y = self.rest[[0, 16], 1].mean() - up * self.person.hairline
        inside = 1.0 - (x / radii[0]) ** 2 - ((y - _SKULL[1]) / radii[1]) ** 2
        z = _SKULL[2] - radii[2] * np.sqrt(np.clip(inside, 0.02, None))
        return np.stack([x, y, z], axis=-1)


def to_picture(points: Array, camera: Camera) -> Array:
    """Camera-aligned points (..., 3) mm -> pixels."""
    nearness = camera.distance / (camera.distance + points[..., 2:])
    flat = points[..., :2] * nearness * camera.scale + np.asarray(camera.centre)
    return np.concatenate([flat, points[..., 2:] * camera.scale], axis=-1)


def pose_head(person: Person, actions: Array, pose: Array, camera: Camera) -> Head:
    """The head of a person at an expression (17,) 0..5 and a pose (3,) degrees."""
    model = shape_model()
    rest = canonical(model, person.identity, np.zeros(len(ACTION_UNITS))) + person.residual
    course = MAXIMUM * (np.clip(actions, 0, MAXIMUM) / MAXIMUM) ** person.curve
    per_side = course[:, None] * person.strength  # (17, 2)
    actions_of = _closing(model.actions, rest)
    right, left = (np.einsum("a,apc->pc", per_side[:, side] / MAXIMUM, actions_of) for side in (0, 1))
    share = np.clip(0.5 + model.mean[:, :1] / 16.0, 0, 1)  # 0 on the person's right, 1 on the left
    points = _keep_apart(rest + right * (1 - share) + left * share)
    return Head(person, actions, points, rest, rotation(pose), camera)


def _closing(actions: Array, rest: Array) -> Array:
    """Displacements (17, 68, 3) mm with which a whole blink shuts large eyes too: the model's suit its mean face."""
    found = actions.copy()
    blink = found[ACTION_UNITS.index("AU45")]
    for uppers, lowers in (((37, 38), (41, 40)), ((44, 43), (46, 47))):
        for upper, lower in zip(uppers, lowers, strict=True):
            gap = rest[lower, 1] - rest[upper, 1]
            blink[[upper, lower], 1] *= gap / (blink[upper, 1] - blink[lower, 1])
    return found


def _keep_apart(points: Array) -> Array:
    """Lids and lips touch but never pass through each other."""
    for upper, lower, share in (
        (37, 41, 0.2), (38, 40, 0.2), (44, 46, 0.2), (43, 47, 0.2), (61, 67, 0.5), (62, 66, 0.5), (63, 65, 0.5),
    ):  # fmt: skip
        overlap = points[upper, 1] + 0.15 - points[lower, 1]
        if overlap > 0:
            points[upper, 1] -= overlap * (1 - share)
            points[lower, 1] += overlap * share
    return points
