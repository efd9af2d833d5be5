"""What is drawn in the picture itself: eyeballs and mouth behind their openings, clothes behind the head, glasses."""

# ruff: noqa: RUF005 - arrays are added to tuples here, not concatenated

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.rendering.canvas import Canvas, fixed, mix, smooth
from reenact.rendering.head import Head, to_picture
from reenact.rendering.sheet_masks import EYES, SIDES

Array = NDArray[np.float64]

_SCLERA = np.array((206.0, 197.0, 190.0))
_MOUTH = (46, 15, 17)
_BALL = 12.0  # mm, radius of an eyeball
_ROUND = np.linspace(0, 2 * np.pi, 20, endpoint=False)


def draw_eye(canvas: Canvas, head: Head, lids: tuple[int, ...], gaze: Array) -> None:
    """Eyeball, iris and the lids' shadow; `gaze` (2,) degrees to the image's right and down."""
    person, unit = head.person, head.unit
    p = head.points[list(lids)]
    outline = head.flat(p)
    if (p[[5, 4], 1] - p[[1, 2], 1]).max() < 1.4:  # shut: lashes on skin
        canvas.fill(head.flat(p + 2.0 * np.sign(p - p.mean(axis=0)) * (1, 1, 0)), person.skin * 0.62)
        return
    low, high = outline.min(axis=0) - 2 * unit, outline.max(axis=0) + 2 * unit
    frame = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    canvas.fill(frame, _SCLERA)
    for corner in (p[0], p[3]):
        canvas.disc(head.flat(corner), 4.2 * unit, mix(_SCLERA, (206, 164, 152), 0.5))
    rest = head.rest[list(lids)]
    centre = 0.5 * (rest[0] + rest[3]) + (0, -1.2, _BALL - 4.0)
    turn = np.radians(gaze)
    ahead = np.array([np.sin(turn[0]), np.sin(turn[1]), -np.cos(turn[0]) * np.cos(turn[1])])
    right = np.array([np.cos(turn[0]), 0.0, np.sin(turn[0])])
    down = np.cross(ahead, right)
    down *= np.sign(down[1])

    def disc(radius: float, colour: object) -> None:
        depth = np.sqrt(max(_BALL**2 - radius**2, 1.0))
        ring = centre + depth * ahead + radius * (np.cos(_ROUND)[:, None] * right + np.sin(_ROUND)[:, None] * down)
        canvas.fill(head.flat(ring), colour)  # type: ignore[arg-type]

    disc(person.iris_size, person.iris * 0.34)
    disc(person.iris_size * 0.88, person.iris * 0.74)
    disc(person.iris_size * 0.62, person.iris * 0.95)
    disc(person.iris_size * 0.42, (12, 10, 10))
    upper = smooth(head.flat(p[:4]))
    canvas.shade(upper + (0, 0.8 * unit), 0.55, 2.6 * unit)
    canvas.disc(head.flat(centre + _BALL * ahead) + np.array([-1.9, -2.0]) * unit, 1.15 * unit, (250, 250, 250))


def draw_mouth(canvas: Canvas, head: Head) -> None:
    """Dark, tongue and teeth behind the lips."""
    inner = head.points[60:68]
    gap = float((inner[[7, 6, 5], 1] - inner[[1, 2, 3], 1]).mean())
    canvas.fill(head.flat(inner[:, :] * (1.15, 1, 1) + 4.0 * np.sign(inner - inner.mean(axis=0)) * (1, 1, 0)), _MOUTH)
    if gap < 2.4:  # lips that touch, or nearly: no light falls in
        return
    if gap > 7.0:
        tongue = 0.5 * (inner[5] + inner[7]) + np.array(
            [(-11, 0, 6), (-6, -4, 5), (0, -5.5, 5), (6, -4, 5), (11, 0, 6), (0, 8, 5)]
        )
        canvas.fill(smooth(head.flat(tongue), closed=True), (150, 68, 70))
    # Upper teeth are fixed to the skull: the lip uncovers them. Lower ones move with the jaw.
    rest = head.rest
    edge = rest[62, 1] + 3.2
    arch = np.linspace(-1, 1, 9)
    reach = 0.86 * float(abs(rest[54, 0] - rest[48, 0])) / 2
    x, z = arch * reach, rest[62, 2] + 4.0 + 9.0 * arch**2
    upper = np.concatenate([
        np.stack([x, 0 * x + edge - 1.2 * arch**2, z], -1), np.stack([x, 0 * x + edge - 12.0, z], -1)[::-1]
    ])  # fmt: skip
    white = mix((160, 152, 138), (148, 132, 104), head.person.age * 0.7)
    canvas.fill(head.flat(upper), white)
    for share in (-0.62, -0.4, -0.2, 0.0, 0.2, 0.4, 0.62):
        line = np.array([(share * reach, edge, rest[62, 2] + 3.8), (share * reach, edge - 9.0, rest[62, 2] + 3.8)])
        canvas.stroke(head.flat(line), white * 0.84, 0.5 * head.unit)
    jaw = float(head.points[8, 1] - rest[8, 1])
    line = rest[66, 1] + 3.6 + 0.92 * max(0.0, jaw)
    lower = np.concatenate([
        np.stack([0.86 * x, 0 * x + line - 1.0 + 1.0 * arch**2, z + 2], -1),
        np.stack([0.86 * x, 0 * x + line + 9.0, z + 2], -1)[::-1],
    ])  # fmt: skip
    canvas.fill(head.flat(lower), white * 0.86)
    canvas.shade(smooth(head.flat(inner[:5])) + (0, 0.4 * head.unit), 0.4, 2.6 * head.unit)
    for corner, side in ((60, 1.0), (64, -1.0)):
        canvas.disc(head.flat(head.points[corner] + (side * 1.0, 0, 0)), 3.2 * head.unit, _MOUTH)


def draw_insides(canvas: Canvas, head: Head, gaze: Array) -> None:
    """All that is behind the openings of the face."""
    draw_mouth(canvas, head)
    for lids in EYES:
        draw_eye(canvas, head, lids, gaze)


def draw_body(canvas: Canvas, head: Head) -> None:
    """Clothes and shoulders; they hardly follow the head."""
    person, camera = head.person, head.camera
    cloth = to_picture(np.array([
        (-52, 106, 66), (-100, 120, 75), (-158, 138, 80), (-186, 178, 80), (-200, 290, 80), (200, 290, 80),
        (186, 178, 80), (158, 138, 80), (100, 120, 75), (52, 106, 66), (0, 122, 50),
    ], dtype=np.float64), camera)[:, :2]  # fmt: skip
    outline = smooth(cloth, closed=True)
    canvas.fill(outline, person.cloth)
    if person.stripes > 0:

        def stripes() -> None:
            for y in np.arange(120.0, 290.0, 2 * person.stripes):
                line = to_picture(np.array([(-200.0, y + 14, 75), (0, y, 75), (200.0, y + 14, 75)]), camera)[:, :2]
                canvas.stroke(smooth(line), person.cloth2, person.stripes * head.unit)

        canvas.inside(outline, stripes)
    for side in SIDES:  # the sleeves' seams and the shadow towards the arms
        seam = to_picture(np.array([(side * 120.0, 124, 78), (side * 128.0, 180, 74), (side * 124.0, 260, 70)]), camera)
        canvas.shade(smooth(seam[:, :2]), 0.75, 9 * head.unit)


def draw_collar(canvas: Canvas, head: Head) -> Array:
    """In front of the neck's foot; returns its outline (n, 2) in the picture."""
    person = head.person
    rim = to_picture(np.array([
        (-54.0, 102, 66), (-44, 112, 40), (-24, 124, 24), (0, 128 + 22 * person.collar, 18), (24, 124, 24),
        (44, 112, 40), (54.0, 102, 66),
    ]), head.camera)[:, :2]  # fmt: skip
    line = rim if person.collar > 0.5 else smooth(rim)
    below = to_picture(
        np.array([(70.0, 112, 66), (60, 160, 30), (0, 200, 20), (-60, 160, 30), (-70.0, 112, 66)]), head.camera
    )
    outline = np.concatenate([line, below[:, :2]])
    canvas.fill(outline, person.cloth)
    canvas.stroke(line, person.cloth * 0.70, 4.5 * head.unit)
    canvas.stroke(line + (0, 4.0 * head.unit), person.cloth * 0.88, 3.0 * head.unit)
    return outline


def draw_glasses(picture: NDArray[np.uint8], head: Head, depth: NDArray[np.float32], factor: float) -> None:
    """Rims, bridge and arms, each piece only where nothing lies in front of it.

    `depth` (S * factor, S * factor) in the head's pixels; `picture` has the same size and is drawn on.
    """
    person = head.person
    if person.glasses <= 0:
        return
    rest = head.rest
    squareness = 2.0 + 2.5 * person.glasses_shape
    angles = np.linspace(0, 2 * np.pi, 29)
    cosine, sine = np.cos(angles), np.sin(angles)
    across, down = (np.sign(s) * np.abs(s) ** (2 / squareness) for s in (cosine, sine))
    ring = np.stack([25.0 * across, 19.0 * down, 0 * angles], axis=-1)
    curves = [rest[27] + np.array([(-7.5, 2, -3), (-3, 0, -6), (3, 0, -6), (7.5, 2, -3)])]
    for lids, side in zip(EYES, SIDES, strict=True):
        centre = rest[list(lids)].mean(axis=0) + (side * 2.0, 4.0, -10.0)
        rim = ring + centre
        rim[:, 2] += 0.30 * np.clip(side * ring[:, 0], 0, None) + 0.004 * ring[:, 0] ** 2
        curves.append(rim)
        hinge, root = centre + (side * 25, -5, 8), np.array([side * (head.half_width + 3), rest[0, 1] - 3, 56])
        curves.append(hinge + np.linspace(0, 1, 9)[:, None] * (root - hinge))
        _glint(picture, head, rim, factor)
    thickness = max(1, round(person.glasses * head.unit * factor))
    side = picture.shape[0]
    for curve in curves:
        placed = head.place(curve)
        middle = (placed[1:] + placed[:-1]) / 2
        x, y = (np.clip((middle[:, axis] * factor).astype(int), 0, side - 1) for axis in (0, 1))
        shown = middle[:, 2] < depth[y, x] + 2.5 * head.unit
        for start, end, visible in zip(placed[:-1, :2], placed[1:, :2], shown, strict=True):
            if visible:
                ends = fixed(np.stack([start, end]), factor)
                cv2.line(
                    picture,
                    ends[0].tolist(),
                    ends[1].tolist(),
                    person.glasses_colour.tolist(),
                    thickness,
                    cv2.LINE_AA,
                    4,
                )


def _glint(picture: NDArray[np.uint8], head: Head, rim: Array, factor: float) -> None:
    """A lens lightens what is behind it a little."""
    outline = fixed(head.flat(rim), factor)
    x, y, width, height = cv2.boundingRect(outline >> 4)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width + 1, picture.shape[1]), min(y + height + 1, picture.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = picture[y0:y1, x0:x1]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [outline - np.array([x0, y0]) * 16], (15,), cv2.LINE_AA, 4)
    cv2.add(part, cv2.merge([mask, mask, mask]), dst=part)
