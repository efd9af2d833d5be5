"""The face's texture of one person: skin, brows, lips, lids, beard, marks, painted on the unwrapped face."""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import fixed, mix, smooth
from reenact.rendering.folds import at_rest
from reenact.rendering.hair import CUTS
from reenact.rendering.head import Head
from reenact.rendering.person import Person
from reenact.rendering.sheet_masks import DENSITY, HEIGHT, WIDTH, mask, texels
from reenact.rendering.surface import template

Array = NDArray[np.float64]
Texture = NDArray[np.float32]


def paint_face(person: Person, rest: Head) -> Texture:
    """(HEIGHT, WIDTH, 4) float32: RGB 0..255 and how much skin there is, 0 where eyes and mouth open."""
    rng = np.random.default_rng(person.seed)
    skin = np.asarray(person.skin, dtype=np.float32)
    light = float(skin.mean()) / 255
    texture = skin * _complexion(rng, person)[..., None]
    _tint(texture, mask("blush"), skin * (1.04, 0.80, 0.78), 0.20 + 0.32 * light)
    _tint(texture, mask("sockets"), skin * (0.66, 0.56, 0.55), 0.34 + 0.24 * person.age)
    _tint(texture, mask("lids"), skin * (0.80, 0.68, 0.66), 0.5)
    _tint(texture, mask("nose_walls"), skin * 0.74, 0.34)
    _draw_marks(texture, person, rng)
    _draw_lips(texture, person, rng)
    _draw_beard(texture, person, rng)
    texture *= 1.0 - at_rest(person.age)[..., None]
    for name, colour, opacity in (
        ("below_lip", skin * (0.58, 0.48, 0.46), 0.62), ("nose_shade", skin * (0.48, 0.38, 0.36), 0.62),
        ("nostrils", skin * (0.22, 0.14, 0.13), 0.92), ("creases", skin * (0.42, 0.33, 0.31), 0.62),
        ("lower_lashes", skin * (0.42, 0.32, 0.30), 0.62),
        ("lashes", mix(skin * 0.18, (22, 16, 14), 0.6), min(1.0, 0.72 + 0.12 * person.lash)),
    ):  # fmt: skip
        _tint(texture, mask(name), colour, opacity)
    _draw_brows(texture, person, rng)
    _shade_under_hair(texture, rest)
    return np.concatenate([np.clip(texture, 0, 255), 255.0 * (1.0 - mask("holes"))[..., None]], axis=-1)


def plain_skin(person: Person) -> NDArray[np.float32]:
    """(3,) the colour of ears, neck and scalp."""
    return np.asarray(np.asarray(person.skin) * (0.97, 0.93, 0.92), dtype=np.float32)


def _tint(texture: Texture, where: NDArray[Any], colour: object, opacity: float) -> None:
    rows, columns = _extent(where)
    weight = (where[rows, columns].astype(np.float32) * np.float32(opacity))[..., None]
    part = texture[rows, columns]
    part += weight * (np.asarray(colour, dtype=np.float32) - part)


def _extent(where: NDArray[Any]) -> tuple[slice, slice]:
    """The box outside which a mask is nothing."""
    down, across = (np.flatnonzero(where.max(axis=axis) > 0.004) for axis in (1, 0))
    if not len(down):
        return slice(0, 0), slice(0, 0)
    return slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)


def _complexion(rng: np.random.Generator, person: Person) -> NDArray[np.float32]:
    """Uneven skin: pores, and patches several mm wide."""
    small = rng.normal(0, 1, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    fine = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    tiny = rng.normal(0, 1, (HEIGHT // 16, WIDTH // 16)).astype(np.float32)
    patches = cv2.resize(tiny, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(1.0 + (0.016 + 0.022 * person.age) * fine + (0.010 + 0.02 * person.age) * patches)


def _draw_marks(texture: Texture, person: Person, rng: np.random.Generator) -> None:
    p, skin = template().points, np.asarray(person.skin)
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, radius in person.moles:
        spot = texels((0.5 * p[41] + 0.5 * p[48] if x < 0 else 0.5 * p[46] + 0.5 * p[54])[None])[0]
        spot = spot + ((x * 0.45 + (-8 if x < 0 else 8)) * DENSITY, (y - 28) * 0.6 * DENSITY)
        cv2.circle(plane, tuple(fixed(spot, 1.0).tolist()), int(radius * DENSITY * 16), (255,), -1, cv2.LINE_AA, 4)
    _tint(texture, plane.astype(np.float32) / 255, skin * (0.42, 0.34, 0.32), 0.9)
    if person.freckles > 0:
        spots = np.zeros((HEIGHT, WIDTH), np.uint8)
        middle = texels(p[[29]])[0]
        for _ in range(int(140 * min(1.0, person.freckles))):
            where = middle + rng.normal(0, 1, 2) * (62, 26)
            cv2.circle(
                spots, tuple(fixed(where, 1.0).tolist()), int(rng.uniform(0.5, 1.3) * 16), (255,), -1, cv2.LINE_AA, 4
            )
        _tint(texture, spots.astype(np.float32) / 255, skin * (0.74, 0.58, 0.48), 0.5)


def _draw_lips(texture: Texture, person: Person, rng: np.random.Generator) -> None:
    lips = np.asarray(person.lips)
    _tint(texture, mask("upper_lip"), lips * 0.86, 0.92)
    _tint(texture, mask("lower_lip"), lips, 0.92)
    ridges = rng.normal(0, 1, (1, WIDTH)).astype(np.float32)
    ridges = np.repeat(cv2.GaussianBlur(ridges, (0, 0), 1.2) * 1.6, HEIGHT, axis=0)
    both = np.maximum(mask("upper_lip"), mask("lower_lip"))
    rows, columns = _extent(both)
    texture[rows, columns] *= 1.0 + (0.06 * ridges * both)[rows, columns][..., None]
    _tint(texture, mask("lip_edge"), lips * 0.62, 0.34)
    _tint(texture, mask("mouth_line"), lips * (0.34, 0.24, 0.24), 0.85)


def _draw_beard(texture: Texture, person: Person, rng: np.random.Generator) -> None:
    if person.beard <= 0 and person.moustache <= 0 and person.stubble <= 0:
        return
    noise = rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    hairs = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.7, sigmaY=2.4) * 2.6
    hair = mix(np.asarray(person.hair) * 0.72, (150, 148, 146), min(0.9, 1.2 * person.grey))
    for name, amount in (("beard", person.beard), ("moustache", person.moustache)):
        dense = max(amount, 0.28 * person.stubble)
        if dense > 0:
            where = mask(name) * np.clip(dense + 0.30 * hairs * dense, 0, 1)
            where = where * (1.0 - np.maximum(mask("lower_lip"), mask("upper_lip")))
            _tint(texture, where.astype(np.float32), mix(hair, person.skin, 0.10), 0.94)


def _draw_brows(texture: Texture, person: Person, rng: np.random.Generator) -> None:
    """Single hairs, growing outwards, along the five landmarks of each brow."""
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    p = template().points
    for points, side in ((p[17:22][::-1], -1.0), (p[22:27], 1.0)):
        course = smooth(texels(points), steps=8)  # from the root of the nose outwards
        count = len(course) - 1
        along = np.linspace(0, 1, count + 1)
        body = person.brow_width * DENSITY * np.interp(along, (0, 0.2, 0.6, 1), (0.62, 0.80, 0.68, 0.22))
        half = np.stack([0 * body, 0.5 * body], -1)
        outline = np.concatenate([course - half, (course + half)[::-1]])
        cv2.fillPoly(plane, [fixed(outline, 1.0)], (120,), cv2.LINE_AA, 4)
        for _ in range(120):
            place = rng.uniform(0, count)
            index = int(place)
            start = course[index] + (place - index) * (course[min(index + 1, count)] - course[index])
            start = start + (0, rng.uniform(-0.55, 0.55) * body[index])
            lean = np.interp(place / count, (0, 0.35, 1), (-0.8, -0.3, 0.3)) + rng.normal(0, 0.15)
            tip = start + DENSITY * rng.uniform(2.0, 3.6) * np.array([side * np.cos(lean), np.sin(lean)])
            ends = fixed(np.stack([start, tip]), 1.0).tolist()
            cv2.line(plane, ends[0], ends[1], (int(rng.uniform(170, 255)),), 1, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(plane.astype(np.float32) / 255, (0, 0), 0.8)
    dark = np.asarray(person.hair) * min(0.62, 70.0 / float(np.max(person.hair)))
    colour = mix(np.asarray(person.skin) * 0.4, mix(dark, (150, 148, 146), 0.25 * person.grey**2), 0.9)
    _tint(texture, soft, colour, 0.68 + 0.32 * person.brow_darkness)


def _shade_under_hair(texture: Texture, rest: Head) -> None:
    """The soft shadow that hair casts on the forehead."""
    cut = CUTS.get(rest.person.style)
    if cut is None:
        return
    across = np.linspace(-1.0, 1.0, 11)
    edge = template().brow_surface(across, np.array(cut.front))
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.polylines(plane, [fixed(smooth(texels(edge)), 1.0)], False, (255,), 18, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(plane.astype(np.float32) / 255, (0, 0), 6.0)
    _tint(texture, soft, np.asarray(rest.person.skin) * (0.6, 0.52, 0.5), 0.55)
