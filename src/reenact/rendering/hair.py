"""What surrounds the face: neck and clothes, ears, hair, beard."""

import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import BACKGROUND, FACE, HAIR, Canvas, hull, mix, smooth
from reenact.rendering.head import HAIRLINE, Head, to_picture

Array = NDArray[np.float64]

# Points all around a ball, for the skull's outline.
_POLAR = np.stack(
    np.meshgrid(np.linspace(0.12, np.pi - 0.12, 9), np.linspace(0, 2 * np.pi, 20, endpoint=False)), -1
).reshape(-1, 2)
_BALL = np.stack(
    [np.sin(_POLAR[:, 0]) * np.cos(_POLAR[:, 1]), -np.cos(_POLAR[:, 0]), np.sin(_POLAR[:, 0]) * np.sin(_POLAR[:, 1])],
    -1,
)

# Where the hair ends over the forehead, from the right temple to the left: 1 at the hairline, less nearer the brows.
_FRONTS = {
    "fringe": (0.12, 0.36, 0.44, 0.44, 0.47, 0.45, 0.47, 0.44, 0.44, 0.36, 0.12),
    "side": (0.22, 0.50, 0.62, 0.70, 0.80, 0.90, 1.02, 0.98, 0.84, 0.60, 0.22),
    "parted": (0.10, 0.40, 0.66, 0.84, 0.96, 1.04, 0.96, 0.84, 0.66, 0.40, 0.10),
    "curly": (0.20, 0.56, 0.74, 0.86, 0.82, 0.90, 0.82, 0.86, 0.74, 0.56, 0.20),
    "short": (0.20, 0.56, 0.80, 0.88, 0.90, 0.92, 0.90, 0.88, 0.80, 0.56, 0.20),
    "crop": (0.22, 0.60, 0.86, 0.93, 0.95, 0.96, 0.95, 0.93, 0.86, 0.60, 0.22),
    "long": (0.10, 0.40, 0.62, 0.80, 0.94, 1.04, 0.94, 0.80, 0.62, 0.40, 0.10),
    "bun": (0.36, 0.66, 0.84, 0.94, 0.98, 1.0, 0.98, 0.94, 0.84, 0.66, 0.36),
}
_FRONT_ACROSS = np.array([-1.0, -0.93, -0.8, -0.6, -0.32, 0.0, 0.32, 0.6, 0.8, 0.93, 1.0])


def draw_behind(canvas: Canvas, head: Head) -> None:
    """Long hair behind the neck, neck, clothes, ears and the hair's outline, from back to front."""
    person = head.person
    if person.style == "long":
        width = head.half_width + person.volume
        back = np.array(
            [(-1.0, -40), (-1.06, 10), (-1.08, 60), (-1.02, 105), (1.02, 105), (1.08, 60), (1.06, 10), (1.0, -40)]
        )
        points = np.column_stack([back[:, 0] * width, back[:, 1], np.full(len(back), 85.0)])
        canvas.fill(smooth(head.flat(points), closed=True), person.hair * 0.72, HAIR)
    _draw_body(canvas, head)
    if person.style == "long":
        _draw_shell(canvas, head)
        return
    if person.style == "bun":
        top = head.skull(np.array([(0.0, -1.0, 0.25)]))[0] + (0, -20, 0)
        canvas.disc(head.flat(top), 26 * head.unit, person.hair * 0.9)
        ring = head.flat(top) + 26 * head.unit * np.stack([np.cos(np.arange(12) / 2), np.sin(np.arange(12) / 2)], -1)
        canvas.fill(hull(ring), person.hair * 0.9, HAIR)
    _draw_shell(canvas, head)
    _draw_ears(canvas, head)


def _draw_body(canvas: Canvas, head: Head) -> None:
    """Neck and shoulders: the neck's top follows the head, its foot and the shoulders hardly do."""
    person, camera = head.person, head.camera
    cloth = to_picture(np.array([
        (-52, 108, 66), (-100, 122, 75), (-158, 140, 80), (-184, 180, 80), (-196, 290, 80),
        (196, 290, 80), (184, 180, 80),
        (158, 140, 80), (100, 122, 75), (52, 108, 66), (0, 122, 50),
    ], dtype=np.float64), camera)[:, :2]  # fmt: skip
    neck_width = 0.60 * head.half_width
    top = head.flat(np.array([(-neck_width, 30, 62), (neck_width, 30, 62)]))
    foot = to_picture(
        np.array([(neck_width * 1.12, 112.0, 65), (0, 142.0, 55), (-neck_width * 1.12, 112.0, 65)]), camera
    )[:, :2]
    outline = smooth(cloth, closed=True)
    canvas.fill(outline, person.cloth, BACKGROUND)
    if person.stripes > 0:

        def stripes() -> None:
            for y in np.arange(120.0, 290.0, 2 * person.stripes):
                line = to_picture(np.array([(-200.0, y + 14, 75), (0, y, 75), (200.0, y + 14, 75)]), camera)[:, :2]
                canvas.stroke(smooth(line), person.cloth2, person.stripes * head.unit)

        canvas.inside(outline, stripes)
    canvas.fill(np.concatenate([top, foot]), person.skin * 0.74, BACKGROUND)
    shadow = head.flat(
        np.array(
            [(-neck_width, 40, 62), (neck_width, 40, 62), (neck_width, 84, 62), (0, 100, 55), (-neck_width, 84, 62)]
        )
    )
    neck = np.concatenate([top, foot])
    canvas.inside(neck, lambda: canvas.fill(shadow, person.skin * 0.56), 0.8)
    collar = to_picture(
        np.array([(-50.0, 104, 62), (-30, 128, 50), (0, 136 + 26 * person.collar, 46), (30, 128, 50), (50.0, 104, 62)]),
        camera,
    )
    line = collar[:, :2] if person.collar > 0.5 else smooth(collar[:, :2])
    canvas.stroke(line, person.cloth * 0.72, 6 * head.unit)


def _draw_ears(canvas: Canvas, head: Head) -> None:
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    for side in (-1.0, 1.0):
        centre = np.array([side * (head.half_width + 2), head.rest[0, 1] + 12.0, 58.0])
        ring = np.stack(
            [side * (3 + 6.5 * np.cos(angles)), 18 * np.sin(angles) - 3 * np.cos(angles), 9 * np.cos(angles)], -1
        )
        outline = smooth(head.flat(centre + ring), closed=True, steps=3)
        canvas.fill(outline, head.person.skin * 0.86, FACE)
        canvas.stroke(
            smooth(head.flat(centre + 0.55 * ring), closed=True, steps=3), head.person.skin * 0.66, 1.6 * head.unit
        )


def _draw_shell(canvas: Canvas, head: Head) -> None:
    """The skull with its hair (or without), as an outline behind the face."""
    person = head.person
    if person.style == "bald":
        canvas.fill(hull(head.flat(head.skull(_BALL))), person.skin * 0.92, FACE)
        return
    low = {"long": 60.0, "parted": 20.0, "curly": 10.0, "fringe": 10.0, "side": 0.0}.get(person.style, -12.0)
    above = {"crop": 2.0, "receding": 4.0, "bun": 4.0}.get(person.style, person.volume)
    shell = head.skull(_BALL, above)
    shell[:, 1] = np.minimum(shell[:, 1], low)
    if low < 0:  # short hair lies close above the ears
        shell[:, 0] *= 1.0 - 0.6 * above / (head.half_width + above) * np.clip((shell[:, 1] + 60.0) / 40.0, 0, 1)
    flat = smooth(hull(head.flat(shell)), closed=True, steps=3)
    if person.style == "curly":
        flat = _curls(flat, person.seed, 5.0 * head.unit)
    canvas.fill(flat, person.hair, HAIR)
    canvas.inside(flat, lambda: _strands(canvas, head, above, 1.0))


def _curls(outline: Array, seed: int, size: float) -> Array:
    """A bumpy outline; the bumps stay with the person."""
    closed = np.concatenate([outline, outline[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    count = 72
    along = np.linspace(0, length[-1], count, endpoint=False)
    even = np.stack([np.interp(along, length, closed[:, axis]) for axis in (0, 1)], axis=-1)
    outward = even - even.mean(axis=0)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    bumps = 0.6 + 0.4 * np.sin(np.arange(count) * 2 * np.pi / 6) + np.random.default_rng(seed).uniform(-0.3, 0.3, count)
    return smooth(even + outward * bumps[:, None] * size, closed=True, steps=2)


def _strands(canvas: Canvas, head: Head, above: float, brightness: float) -> None:
    """Lighter and darker strands from the crown forwards to the hairline."""
    person = head.person
    rng = np.random.default_rng(person.seed)
    part = {"side": 0.45, "parted": 0.0, "long": 0.0}.get(person.style, 0.15)
    turn = np.array([0.3, 0.6, 0.95, 1.35])
    for across in np.linspace(-1, 1, 26) + rng.uniform(-0.03, 0.03, 26):
        tone, thick = rng.uniform(-1, 1), rng.uniform(2.0, 5.0)
        angle = part + across * 1.7 * np.array([0.75, 0.9, 1.0, 1.0])
        directions = np.stack([np.sin(angle) * np.sin(turn), -np.cos(turn), -np.cos(angle) * np.sin(turn)], -1)
        colour = (person.hair * (1 + 0.14 * tone) + 5 * tone) * brightness
        canvas.stroke(smooth(head.flat(head.skull(directions, above)), steps=3), colour, thick * head.unit)


def draw_skin(canvas: Canvas, head: Head) -> None:
    """The face itself, up to the hairline."""
    arc = head.brow_surface(HAIRLINE[:, 0], -HAIRLINE[:, 1])
    if head.person.style == "receding":
        lift = np.array([0.0, 0.0, 0.05, 0.22, 0.24, 0.02, 0.24, 0.22, 0.05, 0.0, 0.0])
        arc = head.brow_surface(HAIRLINE[:, 0] * 0.97, -HAIRLINE[:, 1] + lift)
        forehead = np.concatenate([smooth(head.flat(arc)), head.flat(head.points[26:16:-1])])
        canvas.fill(forehead, head.person.skin, FACE)
        arc = arc[[0, 1, 2, 8, 9, 10]]
    outline = hull(np.concatenate([smooth(head.flat(head.points[:17]), steps=3), smooth(head.flat(arc), steps=3)]))
    canvas.fill(outline, head.person.skin, FACE)


def draw_beard(canvas: Canvas, head: Head) -> None:
    """Beard on jaw and chin, moustache under the nose."""
    person, p = head.person, head.points
    colour = mix(person.skin * 0.5, person.hair * 0.9, 0.75)
    if person.beard > 0:
        jaw = p[2:15]
        cheek = np.array([
            0.7 * p[14] + 0.3 * p[54] + (0, 6, 0), 0.4 * p[13] + 0.6 * p[54] + (0, 3, 0), p[54] + (2, 1, 0),
            p[55] + (3, 4, 0),
            p[57] + (0, 6, 0), p[59] + (-3, 4, 0), p[48] + (-2, 1, 0), 0.4 * p[3] + 0.6 * p[48] + (0, 3, 0),
            0.7 * p[2] + 0.3 * p[48] + (0, 6, 0),
        ])  # fmt: skip
        outline = np.concatenate([smooth(head.flat(jaw), steps=3), smooth(head.flat(cheek), steps=3)])
        canvas.inside(outline, lambda: canvas.fill(outline, colour), person.beard * 0.85)
    if person.moustache > 0:
        above = np.array([p[48] + (-1, 0, 0), p[31] * 0.4 + p[49] * 0.6, p[33] * 0.6 + p[51] * 0.4,
                          p[35] * 0.4 + p[53] * 0.6,
                          p[54] + (1, 0, 0)])  # fmt: skip
        below = p[[54, 53, 52, 51, 50, 49, 48]] + (0, -0.6, -0.5)
        lip = np.concatenate([smooth(head.flat(above), steps=3), smooth(head.flat(below), steps=3)])
        canvas.inside(lip, lambda: canvas.fill(lip, colour), person.moustache * 0.85)


def draw_front_hair(canvas: Canvas, head: Head) -> None:
    """Hair that falls over the forehead, and locks beside the face."""
    person = head.person
    front = _FRONTS.get(person.style)
    if front is None:
        return
    above = 3.0
    low = head.brow_surface(_FRONT_ACROSS, np.array(front), above)
    edge = smooth(head.flat(low), steps=6)
    if person.style in ("fringe", "curly"):
        teeth = np.random.default_rng(person.seed).uniform(-1, 1, len(edge)) * 2.2 * head.unit
        edge = edge + np.stack([np.zeros(len(edge)), teeth], -1)
    up = head.brow_surface(
        _FRONT_ACROSS, np.array([0.5, 0.78, 0.96, 1.1, 1.18, 1.2, 1.18, 1.1, 0.96, 0.78, 0.5]), above + 2
    )
    outline = np.concatenate([edge, smooth(head.flat(up), steps=3)[::-1]])
    canvas.fill(outline, person.hair * 0.97, HAIR)
    canvas.inside(outline, lambda: _strands(canvas, head, above, 0.97))
    canvas.stroke(edge, mix(person.hair * 0.8, person.skin, 0.25), 1.4 * head.unit)
    if person.style in ("long", "parted"):
        length = 95.0 if person.style == "long" else 35.0
        for side in (-1.0, 1.0):
            w = head.half_width
            lock = np.array([
                (side * w * 0.80, -86, 12), (side * w * 0.97, -55, 28), (side * w * 0.99, -10, 44),
                (side * w * 0.94, length * 0.6, 42),
                (side * w * 0.90, length, 40), (side * (w + person.volume), length, 52),
                (side * (w + person.volume * 1.1), 0, 60),
                (side * (w + person.volume * 0.8), -60, 50),
            ])  # fmt: skip
            outline = smooth(head.flat(lock), closed=True, steps=3)
            canvas.fill(outline, person.hair * (0.9 if side < 0 else 0.96), HAIR)
