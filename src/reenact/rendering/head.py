"""Where everything of a head is: landmarks with expression, further points of skull and cheeks, the camera."""

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.landmarks import FLIP
from reenact.faces.pose import rotation
from reenact.faces.shape_model import canonical, shape_model
from reenact.rendering.person import Person, invent_person

Array = NDArray[np.float64]

_PIVOT = np.array([0.0, 35.0, 55.0])  # mm: the joint of head and neck
_SKULL = np.array([0.0, -38.0, 58.0])  # mm: centre of the skull's ellipsoid
_FOREHEAD_ROW = (-0.72, -0.38, 0.0, 0.38, 0.72)
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
        return to_picture((points - _PIVOT) @ self.matrix.T + _PIVOT, self.camera)

    def flat(self, points: Array) -> Array:
        """`place` without depth: (..., 2)."""
        return self.place(points)[..., :2]

    def skull(self, directions: Array, above: float = 0.0) -> Array:
        """Points of the skull's ellipsoid in directions (n, 3), `above` mm over the bone."""
        radii = np.array([self.half_width + 3.0, self.person.hairline + 22.0, 84.0]) + above
        return _SKULL + directions * radii

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
    right, left = (np.einsum("a,apc->pc", per_side[:, side] / MAXIMUM, model.actions) for side in (0, 1))
    share = np.clip(0.5 + model.mean[:, :1] / 16.0, 0, 1)  # 0 on the person's right, 1 on the left
    points = _keep_apart(rest + right * (1 - share) + left * share)
    return Head(person, actions, points, rest, rotation(pose), camera)


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


def mesh_points(head: Head) -> Array:
    """(n, 3) mm: the landmarks, hairline, forehead and cheeks; `triangles` connects them."""
    p = head.points
    arc = head.brow_surface(HAIRLINE[:, 0], -HAIRLINE[:, 1])
    row = head.brow_surface(np.array(_FOREHEAD_ROW), np.full(len(_FOREHEAD_ROW), 0.62))
    bulge = 2.5 * head.level("AU12") + 2.0 * head.level("AU06")
    sides = []
    for eye, outer, corner, ala, inner, jaw1, jaw3, jaw4, sign in (
        (41, 36, 48, 31, 40, 1, 3, 4, -1.0),
        (46, 45, 54, 35, 47, 15, 13, 12, 1.0),
    ):
        sides += [
            0.5 * p[eye] + 0.3 * p[corner] + 0.2 * p[jaw3] + (0, -bulge * 0.4, -6 - bulge),
            0.55 * p[outer] + 0.45 * p[jaw1] + (0, 8, -9),
            0.5 * p[jaw4] + 0.5 * p[corner] + (0, -6, -5),
            0.5 * p[ala] + 0.5 * p[inner] + (sign * 4, 0, 0.5),
            p[8] + (sign * 14, -13, -3),
        ]
    chin = [p[8] + (0, -13, -7), 0.5 * p[57] + 0.5 * p[8] + (0, -8, 3)]
    return np.concatenate([p, arc, row, np.array(sides), np.array(chin)])


def mesh_flip() -> Array:
    """The mirror permutation of `mesh_points`."""
    n, row = len(HAIRLINE), len(_FOREHEAD_ROW)
    start = 68 + n + row
    return np.array([
        *FLIP, *range(68 + n - 1, 67, -1), *range(start - 1, 67 + n, -1),
        *range(start + 5, start + 10), *range(start, start + 5), start + 10, start + 11,
    ])  # fmt: skip


@functools.cache
def triangles() -> NDArray[np.int64]:
    """(m, 3) indices into `mesh_points`: a Delaunay triangulation of the mean face's right half, and its mirror image.

    Turned so that (b - a) x (c - a) points out of the head.
    """
    anyone = invent_person(np.random.default_rng(0), honest=False)
    mean = replace(anyone, identity=np.zeros_like(anyone.identity), hairline=80.0)
    head = pose_head(mean, np.zeros(len(ACTION_UNITS)), np.zeros(3), Camera(1.0, (0.0, 0.0), 1e9))
    points = mesh_points(head)
    where = np.flatnonzero(points[:, 0] < 0.5)
    flat = points[where, :2].astype(np.float32)
    flat += np.linspace(0, 1e-2, len(flat), dtype=np.float32)[:, None]  # no two on one line, none alike
    division = cv2.Subdiv2D((-200, -200, 400, 400))
    for x, y in flat:
        division.insert((float(x), float(y)))
    found = []
    for triangle in np.asarray(division.getTriangleList()).reshape(-1, 3, 2):
        distance = np.linalg.norm(flat[None] - triangle[:, None], axis=-1)
        if (distance.min(axis=1) < 1e-3).all():
            found.append(where[distance.argmin(axis=1)])
    half = np.array(found)
    half = half[[len(set(row.tolist())) == 3 for row in half]]
    flip = mesh_flip()
    whole = np.concatenate([half, flip[half]])
    a, b, c = (points[whole[:, i]] for i in range(3))
    inward = np.cross(b - a, c - a)[:, 2] > 0
    whole[inward] = whole[inward][:, [0, 2, 1]]
    return whole


def normals(points: Array) -> Array:
    """Unit normals (n, 3) of mesh points, out of the head, from the triangles around each."""
    faces = triangles()
    a, b, c = (points[faces[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9))
