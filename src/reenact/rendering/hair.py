"""Hair as a shell with volume around the skull: where it ends, how far it stands off, its strands."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import mix
from reenact.rendering.head import Head
from reenact.rendering.parts import Part
from reenact.rendering.person import Person
from reenact.rendering.raster import grid_faces, grid_normals

Array = NDArray[np.float64]

ROWS, COLUMNS = 20, 97
TEXTURE = (256, 512)  # rows from the crown to the ends, columns around the head


@dataclass(frozen=True)
class Cut:
    """Where a hair style ends, in mm below (+) or above (-) the jaw line's ends; `front` as shares of the forehead."""

    front: tuple[float, ...]  # from the right temple to the left: 1 the natural hairline, less nearer the brows
    temple: float  # beside the eyes
    ear: float  # over the ears
    nape: float
    ends: float = 0.0  # how uneven the ends are, mm
    waves: float = 0.0  # how much the surface waves or curls, mm
    stand: float = 1.0  # share of the person's hair volume


CUTS = {
    "fringe": Cut((0.34, 0.36, 0.40, 0.44, 0.47, 0.47, 0.47, 0.44, 0.40, 0.36, 0.34), 2, 22, 62, ends=3.0),
    "side": Cut((0.40, 0.56, 0.68, 0.78, 0.86, 0.94, 1.00, 0.98, 0.92, 0.76, 0.46), -6, -2, 44, ends=1.5),
    "parted": Cut((0.36, 0.58, 0.78, 0.92, 1.0, 1.06, 1.0, 0.92, 0.78, 0.58, 0.36), 40, 62, 82, ends=4.0),
    "curly": Cut((0.42, 0.62, 0.76, 0.84, 0.84, 0.88, 0.84, 0.84, 0.76, 0.62, 0.42), 12, 34, 66, ends=4.0, waves=4.0),
    "afro": Cut((0.48, 0.70, 0.84, 0.92, 0.95, 0.96, 0.95, 0.92, 0.84, 0.70, 0.48), 0, 14, 50, ends=2.5, waves=3.0,
                stand=2.2),
    "short": Cut((0.46, 0.66, 0.84, 0.92, 0.94, 0.95, 0.94, 0.92, 0.84, 0.66, 0.46), -4, -10, 40, ends=1.5, stand=0.7),
    "crop": Cut((0.46, 0.70, 0.88, 0.95, 0.97, 0.98, 0.97, 0.95, 0.88, 0.70, 0.46), -8, -12, 34, ends=1.0, stand=0.3),
    "receding": Cut((0.50, 0.86, 1.12, 1.30, 1.24, 1.08, 1.24, 1.30, 1.12, 0.86, 0.50), -8, -10, 38, ends=1.0,
                    stand=0.45),
    "long": Cut((0.40, 0.60, 0.78, 0.90, 0.99, 1.06, 0.99, 0.90, 0.78, 0.60, 0.40), 112, 130, 136, ends=7.0, waves=1.5),
    "wavy": Cut((0.40, 0.58, 0.72, 0.84, 0.94, 1.02, 1.00, 0.92, 0.80, 0.60, 0.40), 96, 122, 130, ends=6.0, waves=4.5,
                stand=1.2),
    "bob": Cut((0.36, 0.50, 0.62, 0.74, 0.88, 0.98, 0.94, 0.80, 0.66, 0.52, 0.36), 66, 76, 74, ends=3.0),
    "bun": Cut((0.50, 0.72, 0.88, 0.95, 0.99, 1.0, 0.99, 0.95, 0.88, 0.72, 0.50), -14, -14, 30, stand=0.35),
}  # fmt: skip
_ACROSS = np.array([-1.0, -0.93, -0.8, -0.6, -0.32, 0.0, 0.32, 0.6, 0.8, 0.93, 1.0])
_TEMPLE, _EAR, _NAPE = 1.42, 1.75, 2.35  # radians from the front


def shell(head: Head) -> list[Part]:
    """The hair's outer surface, and a bun where there is one; nothing on a bald head."""
    person = head.person
    cut = CUTS.get(person.style)
    if cut is None:
        return []
    azimuth = np.linspace(-np.pi, np.pi, COLUMNS)
    share = (np.linspace(0.0, 1.0, ROWS) ** 0.85)[:, None]
    ends = _ends(head, cut, azimuth)
    top = person.hairline + 22.0
    round_part = top * np.pi / 2
    middle = -38.0
    above = np.arccos(np.clip((middle - ends) / top, -1, 1)) * top
    length = np.where(ends > middle, round_part + (ends - middle), above)
    along = share * length
    polar = np.minimum(along / top, np.pi / 2)
    hanging = np.maximum(along - round_part, 0.0)
    stand = _stand(person, cut, azimuth, share)
    sine = np.sin(polar) * (1.0 - _taper(cut) * (hanging / 100.0) ** 2)
    y = middle - (top + stand) * np.cos(polar) + hanging
    x = (head.half_width + 3.0 + stand) * sine * np.sin(azimuth)
    z = 58.0 - (84.0 + stand) * sine * np.cos(azimuth)
    points = np.stack([x, y, z], -1)
    if hanging.max() > 60.0:  # long hair falls behind the shoulders, and beside the face rather than over it
        points[..., 2] += 0.22 * hanging * np.clip(1.2 - np.abs(azimuth) / np.pi, 0, 1)
    normals = grid_normals(points)
    lit = 1.0 - 0.30 * np.clip(hanging / 90.0, 0, 1) + 0.0 * azimuth
    found = [Part(points, normals, lit, grid_faces(*points.shape[:2]), both=cut.ear > 20)]
    if person.style == "bun":
        found.append(_bun(head))
    return found


def _ends(head: Head, cut: Cut, azimuth: Array) -> Array:
    """Height (C,) in mm at which the hair ends in each direction."""
    root = head.rest[[0, 16], 1].mean()
    turn = np.abs(azimuth)
    front = root - np.interp(np.sin(np.clip(azimuth, -np.pi / 2, np.pi / 2)), _ACROSS, cut.front) * head.person.hairline
    temple, over, nape = (root + height for height in (cut.temple, cut.ear, cut.nape))
    sides = np.interp(turn, (_TEMPLE - 0.26, _TEMPLE - 0.1, _EAR, _NAPE), (temple - 12.0, temple, over, nape))
    ends = np.where(
        turn < _TEMPLE - 0.26, np.minimum(front, sides), np.maximum(sides, np.where(turn < 1.5, front, sides))
    )
    uneven = np.random.default_rng(head.person.seed).normal(0, 1, len(azimuth))
    uneven[-1] = uneven[0]
    return np.asarray(ends + cut.ends * 0.6 * uneven)


def _stand(person: Person, cut: Cut, azimuth: Array, share: Array) -> Array:
    """Distance (R, C) of the hair's surface from the bone, mm: thin where hair grows out of the skin."""
    full = person.volume * cut.stand
    front = np.clip((1.75 - np.abs(azimuth)) / 0.35, 0, 1)
    grown = np.clip((1.0 - share) / 0.30, 0, 1)
    grown = grown * grown * (3 - 2 * grown)
    hanging = cut.temple > 20
    edge = 2.5 + 0.75 * (full - 2.5) * (1.0 - front) * (1.0 if cut.ear > 0 else 0.25) * (0.6 if hanging else 1.0)
    edge = np.where(np.abs(azimuth) < 0.9, min(2.5, full), np.minimum(edge, full))
    stand = edge + (full - edge) * grown
    if cut.waves:
        rng = np.random.default_rng(person.seed + 1)
        bumps = rng.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
        bumps[:, -1] = bumps[:, 0]
        stand = stand + cut.waves * cv2.GaussianBlur(bumps, (0, 0), 0.7) * np.clip(grown + 0.3, 0, 1)
    return np.asarray(stand)


def _taper(cut: Cut) -> float:
    """How fast hair below the ears draws in towards the neck."""
    return 0.10 if cut.ear > 60 else 0.28


def _bun(head: Head) -> Part:
    polar, azimuth = np.meshgrid(np.linspace(0.01, np.pi, 10), np.linspace(-np.pi, np.pi, 21), indexing="ij")
    ball = np.stack([np.sin(polar) * np.sin(azimuth), -np.cos(polar), -np.sin(polar) * np.cos(azimuth)], -1)
    points = head.skull(np.array([(0.0, -0.97, 0.25)]), 8.0)[0] + ball * (27.0, 22.0, 25.0)
    return Part(points, grid_normals(points), np.ones(polar.shape), grid_faces(*polar.shape))


def paint_strands(person: Person) -> NDArray[np.float32]:
    """The hair's texture, float32 (*TEXTURE, 3): strands from the crown to the ends, some of them grey with age."""
    rng = np.random.default_rng(person.seed + 2)
    rows, columns = TEXTURE
    curls = person.style in ("curly", "afro")
    fine, broad = (rng.normal(0, 1, TEXTURE).astype(np.float32) for _ in range(2))
    if curls:
        fine, broad = cv2.GaussianBlur(fine, (0, 0), 1.6) * 5.0, cv2.GaussianBlur(broad, (0, 0), 5.0) * 14.0
    else:
        fine = cv2.GaussianBlur(fine, (0, 0), sigmaX=0.7, sigmaY=26.0) * 9.0
        broad = cv2.GaussianBlur(broad, (0, 0), sigmaX=4.0, sigmaY=50.0) * 28.0
    if person.style in ("wavy", "long", "bob"):
        sway = 5.0 * np.sin(np.arange(rows) / rows * 9.0 + person.seed % 7) * (3.0 if person.style == "wavy" else 1.0)
        x = (np.arange(columns)[None] + sway[:, None]) % columns
        y = np.repeat(np.arange(rows)[:, None], columns, axis=1)
        at = x.astype(np.float32), y.astype(np.float32)
        fine, broad = (np.asarray(cv2.remap(p, *at, cv2.INTER_LINEAR), dtype=np.float32) for p in (fine, broad))
    tone = np.clip(1.0 + 0.16 * fine + 0.12 * broad, 0.35, 1.7)
    ramp = (0.86 + 0.14 * np.sin(np.linspace(0.3, 2.6, rows))).astype(np.float32)[:, None]
    grey = np.clip(person.grey * 1.6 - 0.5 + 0.5 * fine, 0, 1)[..., None] * min(1.0, 2.0 * person.grey)
    base = np.asarray(person.hair, dtype=np.float32)
    colour = base * (1 - grey) + np.asarray(mix((172, 170, 168), base, 0.15), dtype=np.float32) * grey
    return np.asarray(np.clip(colour * (tone * ramp)[..., None] + 6.0, 0, 255), dtype=np.float32)
