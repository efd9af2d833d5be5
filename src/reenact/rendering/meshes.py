"""The posed head as meshes in the picture: face, skull, ears, neck, hair, with light and places on the texture."""

import functools

import numpy as np
from numpy.typing import NDArray

from reenact.rendering import hair, skin
from reenact.rendering.head import Head, to_picture
from reenact.rendering.parts import Part, ear, neck, skull
from reenact.rendering.person import Person
from reenact.rendering.raster import Mesh
from reenact.rendering.shading import Light
from reenact.rendering.sheet_masks import DENSITY, HEIGHT, WIDTH
from reenact.rendering.surface import LEFT, TOP, face_points, sheet

Array = NDArray[np.float64]

FACE_PART, SKIN_PART, HAIR_PART = 0, 1, 2
_PLAIN = 24  # columns of plain skin between the face and the hair on the texture
ATLAS_WIDTH = WIDTH + _PLAIN + hair.TEXTURE[1]


def paint(person: Person, rest: Head) -> NDArray[np.uint8]:
    """One texture for all of a person, uint8 (HEIGHT, ATLAS_WIDTH, 4): the unwrapped face, plain skin, hair."""
    atlas = np.full((HEIGHT, ATLAS_WIDTH, 4), 255, np.uint8)
    atlas[:, :WIDTH] = skin.paint_face(person, rest)
    atlas[:, WIDTH : WIDTH + _PLAIN, :3] = skin.plain_skin(person)
    if person.style in hair.CUTS:
        atlas[: hair.TEXTURE[0], WIDTH + _PLAIN :, :3] = hair.paint_strands(person)
    return atlas


def meshes(head: Head, light: Light) -> list[Mesh]:
    """All of the head; values of a corner: place on the texture (x, y), brightness, highlight."""
    points, normals = face_points(head)
    face = _mesh(head, light, points, normals, sheet().open, sheet().faces, FACE_PART)
    face.values[:, :2] = _face_places()
    face.values[:, 3] *= head.person.shine
    found = [face]
    for part in (skull(head), ear(head, -1.0), ear(head, 1.0)):
        one = _of(head, light, part, SKIN_PART)
        one.values[:, 3] *= 0.7 * head.person.shine
        found.append(one)
    found.append(_neck(head, light))
    for part in hair.shell(head):
        one = _of(head, light, part, HAIR_PART)
        rows, columns = part.points.shape[:2]
        y, x = np.meshgrid(
            np.linspace(1, hair.TEXTURE[0] - 2, rows), np.linspace(1, hair.TEXTURE[1] - 2, columns), indexing="ij"
        )
        one.values[:, 0], one.values[:, 1] = x.ravel() + WIDTH + _PLAIN, y.ravel()
        one.values[:, 3] *= 0.10
        found.append(one)
    return found


@functools.cache
def _face_places() -> NDArray[np.float32]:
    one = sheet()
    u, v = np.meshgrid((one.u - LEFT) * DENSITY - 0.5, (one.v - TOP) * DENSITY - 0.5)
    return np.stack([np.clip(u, 0, WIDTH - 2), np.clip(v, 0, HEIGHT - 1)], -1).reshape(-1, 2).astype(np.float32)


def _neck(head: Head, light: Light) -> Mesh:
    """The neck's points have been turned already."""
    part = neck(head)
    values = _values(light, part.normals.reshape(-1, 3), part.open.ravel())
    values[:, 3] *= 0.3 * head.person.shine
    return Mesh(to_picture(part.points.reshape(-1, 3), head.camera), part.faces, values, SKIN_PART)


def _of(head: Head, light: Light, part: Part, kind: int) -> Mesh:
    return _mesh(head, light, part.points, part.normals, part.open, part.faces, kind, both=part.both)


def _mesh(head: Head, light: Light, points: Array, normals: Array, reached: Array, faces: NDArray[np.int64], kind: int,
          *, both: bool = False) -> Mesh:  # fmt: skip
    turned = normals.reshape(-1, 3) @ head.matrix.T
    values = _values(light, turned, reached.ravel())
    return Mesh(head.place(points.reshape(-1, 3)), faces, values, kind, both)


def _values(light: Light, normals: Array, reached: Array) -> NDArray[np.float32]:
    """Plain skin's place on the texture, brightness and highlight."""
    values = np.empty((len(normals), 4), np.float32)
    values[:, 0], values[:, 1] = WIDTH + _PLAIN / 2, HEIGHT / 2
    values[:, 2], values[:, 3] = light.level(normals, reached), light.gloss(normals, 14.0)
    return values
