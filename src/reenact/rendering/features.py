"""What is painted on the face: eyes, brows, nose, mouth, moles, glasses."""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import FACE, Canvas, mix, smooth
from reenact.rendering.head import Head

Array = NDArray[np.float64]

_SCLERA = (228, 223, 218)
_EYES = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))


def draw_eyes(canvas: Canvas, head: Head, gaze: Array) -> None:
    """Both eyes; `gaze` (2,) degrees to the image's right and down."""
    for lids, side in zip(_EYES, (-1.0, 1.0), strict=True):
        _draw_eye(canvas, head, head.points[list(lids)], np.radians(gaze), side)


def _draw_eye(canvas: Canvas, head: Head, lids: Array, gaze: Array, side: float) -> None:
    person, unit = head.person, head.unit
    upper, lower = head.flat(lids[:4]), head.flat(lids[[3, 4, 5, 0]])
    above = head.flat(lids[:4] + np.array([(0, -2, 0), (0, -4.5, -0.5), (0, -4.5, -0.5), (0, -2, 0)]))
    eyelid = np.concatenate([smooth(upper), smooth(above)[::-1]])
    canvas.inside(eyelid, lambda: canvas.fill(eyelid, person.skin * 0.84), 0.55)
    outline = smooth(head.flat(lids), closed=True)
    centre = 0.5 * (lids[0] + lids[3]) + (0, -1.0, 8.0)
    looking = np.array([np.sin(gaze[0]), np.sin(gaze[1]), -np.cos(gaze[0])])
    iris = head.flat(centre + 12.0 * looking)

    def ball() -> None:
        canvas.fill(outline, _SCLERA)
        canvas.stroke(smooth(upper), mix(_SCLERA, (120, 100, 95), 0.45), 2.6 * unit)
        canvas.disc(iris, person.iris_size * unit, person.iris * 0.55)
        canvas.disc(iris, person.iris_size * 0.84 * unit, person.iris)
        canvas.disc(iris, person.iris_size * 0.45 * unit, (14, 12, 12))
        canvas.disc(iris + np.array([1.8, -2.0]) * unit, 1.3 * unit, (250, 250, 250))

    if (lids[[5, 4], 1] - lids[[1, 2], 1]).max() > 0.6:
        canvas.inside(outline, ball)
    inner = head.flat(lids[3 if side < 0 else 0])
    canvas.disc(inner, 1.0 * unit, mix(person.skin, (190, 90, 80), 0.5))
    canvas.stroke(smooth(lower), person.skin * 0.55, 0.8 * unit)
    canvas.stroke(smooth(upper), mix(person.skin * 0.25, (24, 16, 14), 0.6), person.lash * unit)


def draw_brows(canvas: Canvas, head: Head) -> None:
    """Both brows: a band along the five landmarks that is thin at its outer end."""
    person = head.person
    colour = mix(
        person.skin * 0.5, person.hair * min(0.7, 88.0 / float(person.hair.max())), 0.75 * person.brow_darkness
    )
    for brow, order in ((range(17, 22), 1), (range(22, 27), -1)):
        points = head.points[list(brow)][::order]
        width = person.brow_width * np.array([0.25, 0.7, 0.95, 1.0, 0.8])[:, None]
        down = np.array([(0.0, 1.0, 0.0)]) * width
        top, bottom = head.flat(points - 0.45 * down), head.flat(points + 0.55 * down)
        outline = np.concatenate([smooth(top), smooth(bottom)[::-1]])
        canvas.inside(outline, lambda outline=outline: canvas.fill(outline, colour), 0.92)  # type: ignore[misc]


def draw_nose(canvas: Canvas, head: Head) -> None:
    """Its underside and nostrils; ridge and sides come from the light."""
    p, skin, unit = head.points, head.person.skin, head.unit
    base = head.flat(p[31:36] + np.array([(-1.5, -1, 0), (0, 0.5, 0), (0, 0.8, 0), (0, 0.5, 0), (1.5, -1, 0)]))
    under = np.concatenate([smooth(base), smooth(head.flat(p[[35, 30, 31]] + (0, 4.5, 0)))])
    canvas.inside(under, lambda: canvas.fill(under, skin * np.array([0.78, 0.68, 0.66])), 0.6)
    for ala, side in ((31, -1.0), (35, 1.0)):
        rim = p[ala] + np.array(
            [(side * 0.5, -8, -1), (side * 3.0, -4.5, 0.5), (side * 2.6, -0.5, 0.5), (-side * 1, 1, -1)]
        )
        canvas.stroke(smooth(head.flat(rim)), skin * 0.66, 1.1 * unit)
    for hole, side in ((32, -1.0), (34, 1.0)):
        ring = np.array([(-3.4, 0, 1), (-1.8, -1.7, 0), (1.4, -1.5, 0), (3.2, 0.2, 0), (1.2, 0.9, 0), (-2.0, 0.9, 0)])
        nostril = p[hole] + (side * 0.8, -1.6, 0) + ring * (-side, 1, 1)
        canvas.fill(smooth(head.flat(nostril), closed=True), skin * np.array([0.30, 0.20, 0.18]))
    canvas.stroke(smooth(base), skin * np.array([0.62, 0.52, 0.50]), 1.0 * unit)


def draw_mouth(canvas: Canvas, head: Head) -> None:
    """Lips, and where they part the teeth, the tongue and the dark behind."""
    p, person, unit = head.points, head.person, head.unit
    outer, inner = p[48:60], p[60:68]
    outline = smooth(head.flat(outer), closed=True)
    canvas.fill(outline, person.lips)
    upper = np.concatenate([smooth(head.flat(outer[:7])), smooth(head.flat(inner[[4, 3, 2, 1, 0]]))])
    canvas.fill(upper, person.lips * 0.84)
    shine = head.flat(0.5 * (outer[[8, 9, 10]] + inner[[5, 6, 7]]) + (0, 0.5, 0))
    canvas.stroke(smooth(shine), mix(person.lips, (255, 255, 255), 0.22), 2.0 * unit)
    opening = smooth(head.flat(inner), closed=True)
    gap = float((inner[[7, 6, 5], 1] - inner[[1, 2, 3], 1]).mean())
    if gap > 1.6:
        canvas.inside(opening, lambda: _inside_mouth(canvas, head, inner, gap))
    canvas.stroke(opening, person.lips * 0.42, (0.9 if gap > 1.6 else 1.2) * unit, closed=True)
    canvas.stroke(outline, mix(person.lips, person.skin, 0.35) * 0.86, 0.7 * unit, closed=True)
    for corner in (48, 54):
        canvas.disc(head.flat(p[corner] * (0.985, 1, 1)), 1.1 * unit, person.lips * 0.45)


def _inside_mouth(canvas: Canvas, head: Head, inner: Array, gap: float) -> None:
    canvas.fill(head.flat(inner * (1.1, 1, 1)), (58, 20, 22))
    canvas.fill(smooth(head.flat(inner), closed=True), (58, 20, 22))
    if gap > 8.0:
        tongue = 0.5 * (inner[5] + inner[7]) + np.array(
            [(-9, -1, 6), (-5, -4, 5), (0, -5, 5), (5, -4, 5), (9, -1, 6), (0, 6, 5)]
        )
        canvas.fill(smooth(head.flat(tongue), closed=True), (176, 84, 86))
    # Upper teeth are fixed to the skull: the lip uncovers them. Lower ones show when the jaw is not far down.
    edge = head.rest[62, 1] + 2.6
    low = np.minimum(np.full(5, edge), inner[[7, 7, 6, 5, 5], 1] + 6)
    top = inner[:5].copy()
    row = np.stack([top[:, 0] * 0.94, np.maximum(low, top[:, 1]), top[:, 2] + 1.5], axis=-1)
    canvas.fill(np.concatenate([head.flat(top + (0, -2, 1.5)), head.flat(row[::-1])]), (238, 234, 224))
    bottom = inner[[4, 5, 6, 7, 0]] * (0.94, 1, 1) + (0, 0, 3)
    if gap < 12.0 and head.level("AU25") + head.level("AU20") > 0.4:
        canvas.fill(
            np.concatenate([head.flat(bottom + (0, 3, 0)), head.flat(bottom + (0, -1.8, 0))[::-1]]), (222, 216, 206)
        )


def draw_marks(canvas: Canvas, head: Head) -> None:
    """Moles and freckles, fixed to the skin."""
    person, p = head.person, head.points
    cheeks = np.array([0.5 * p[41] + 0.5 * p[48], 0.5 * p[46] + 0.5 * p[54]])
    for x, y, radius in person.moles:
        anchor = cheeks[0] if x < 0 else cheeks[1]
        spot = anchor + (x * 0.45 + (-8 if x < 0 else 8), (y - 28) * 0.6, abs(x) * 0.12 - 2)
        if _on_face(canvas, head.flat(spot)):
            canvas.disc(head.flat(spot), radius * head.unit, person.skin * 0.42)
    if person.freckles > 0:
        rng = np.random.default_rng(person.seed)
        for index in range(int(36 * min(1.0, person.freckles))):
            x, y = rng.normal(0, 9, 2)
            spot = cheeks[index % 2] + (x * 1.1, y * 0.7 - 6, -3)
            radius = rng.uniform(0.5, 0.9) * head.unit
            if _on_face(canvas, head.flat(spot)):
                canvas.disc(head.flat(spot), radius, person.skin * np.array([0.78, 0.66, 0.58]))


def _on_face(canvas: Canvas, spot: Array) -> bool:
    """Whether a place (2,) shows skin: turned away, a mark is not drawn beside the face."""
    x, y = (int(v) for v in spot)
    return 0 <= x < canvas.size and 0 <= y < canvas.size and bool(canvas.classes[y, x] == FACE)


def draw_glasses(canvas: Canvas, head: Head) -> None:
    """Two rims, a bridge and the arms to the ears; the rims sit on the nose, not on the lids."""
    person = head.person
    if person.glasses <= 0:
        return
    rest, width = head.rest, person.glasses * head.unit
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    squareness = 2.0 + 2.5 * person.glasses_shape
    ring = np.stack([
        np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** (2 / squareness) * 25,
        np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** (2 / squareness) * 19, np.zeros(16),
    ], axis=-1)  # fmt: skip
    for lids, side in zip(_EYES, (-1.0, 1.0), strict=True):
        centre = rest[list(lids)].mean(axis=0) + (side * 2.0, 4.0, -9.0)
        rim = ring + centre
        rim[:, 2] += 0.25 * np.clip(side * ring[:, 0], 0, None)
        flat = smooth(head.flat(rim), closed=True, steps=3)
        canvas.inside(flat, lambda flat=flat: canvas.fill(flat, (235, 240, 245)), 0.07)  # type: ignore[misc]
        canvas.stroke(flat, person.glasses_colour, width, closed=True)
        arm = np.array([centre + (side * 25, -4, 5), (side * (head.half_width + 2), rest[0, 1] - 4, 40)])
        canvas.stroke(head.flat(arm), person.glasses_colour, width)
    nose = rest[27] + np.array([(-7, 2, -5), (0, 0, -8), (7, 2, -5)])
    canvas.stroke(smooth(head.flat(nose)), person.glasses_colour, width)
