"""Segments from landmarks and colours: the backend `hull`.

GrabCut's idea (Rother et al. 2004: colour models of what is sure, every pixel given to one of them, models learned
anew) with three changes. Where a part is expected comes from the landmarks as soft shares in place of a drawn rectangle
(as atlas-based segmentation of medical pictures has it: Van Leemput et al. 1999), and the colour models are histograms
over all frames of a clip, which is steadier and faster than mixtures fitted to single frames. Edges are those of the
picture by a guided filter (He et al. 2010) in place of a cut. Hair that does not
set itself off from the background, or from the face, is the background above a bald head, or its scalp.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import FrameReader, Image
from reenact.labelling.segments.place import BACKGROUND, CLOTHES, FACE, HAIR, PARTS, SIDE, expected_parts

_BINS = (12, 20, 20)  # of lightness, and of both colour axes of Lab in steps of 4 around grey
_ROUNDS = 5
_FLOOR = 2e-5  # share that any colour has in any part
_LOOKED_AT = 48  # frames of a clip from which colours are learned
# Lab distance of hair and what lies beside it along their border. Of 68 drawn people bald ones had 9, 1, 1 to the
# background or 3, 6 to the face; others 8 or more to the background (receding hair 1, 10) and 11 or more to the face.
_LEAST_CONTRAST = {BACKGROUND: 4.0, FACE: 8.0}
_WATCHED, _BESIDE = 12, 9  # frames of a clip; px over which both sides are averaged
_REACH, _EDGE = 3, 0.002  # of the guided filter: px, variance of lightness

Table = NDArray[np.float32]  # (colours, PARTS)


def hull_segments(
    images: FrameReader | Sequence[Image], landmarks: NDArray[np.floating], found: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """(N, 128, 128): 0 background and clothes, 1 face with ears and neck, 2 hair; all 0 where landmarks weren't found.

    images: N frames of one clip, RGB uint8 (S, S, 3). landmarks: (N, 68, 2) in crop coordinates.
    """
    segments = np.zeros((len(found), SIDE, SIDE), dtype=np.uint8)
    rows = np.flatnonzero(found)
    if not len(rows):
        return segments
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(int))]
    likelihood = _learn([_resized(images[int(row)]) for row in chosen], landmarks[chosen])
    for row in rows:
        image = _resized(images[int(row)])
        shares = _read(_colours(image), expected_parts(landmarks[row]), likelihood)
        segments[row] = _decide(_guided(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), shares))
    watched = rows[:: -(-len(rows) // _WATCHED)]
    looked_at = [(_resized(images[int(row)]), segments[row].copy()) for row in watched]
    for part, least in _LEAST_CONTRAST.items():
        if float(np.median([_contrast(image, said, part) for image, said in looked_at])) < least:
            segments[segments == HAIR] = part
    return segments


def _learn(images: list[Image], landmarks: NDArray[np.floating]) -> Table:
    """How usual each colour is in each part, from some frames of a clip."""
    colours = np.stack([_colours(image) for image in images])
    expected = np.stack([expected_parts(points) for points in landmarks])
    weights = np.square(expected)
    likelihood = np.empty(0, dtype=np.float32)
    for _ in range(_ROUNDS):
        likelihood = np.log(_histogram(colours, weights) + _FLOOR)
        likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        # Colours are learned where place and colour agree: a strand beside the head must not become background.
        weights = _read(colours, expected, likelihood) * np.sqrt(expected)
    return likelihood


def _read(colours: NDArray[np.int32], expected: NDArray[np.float32], likelihood: Table) -> NDArray[np.float32]:
    """Bayes: (..., PARTS) shares from where a pixel is and what colour it has."""
    shares = expected * likelihood[colours]
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), dtype=np.float32)


def _decide(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    parts = shares.argmax(axis=-1).astype(np.uint8)
    parts[parts == CLOTHES] = BACKGROUND
    return parts


def _contrast(image: Image, segments: NDArray[np.uint8], other: int) -> float:
    """Median distance in Lab (of 8 bits) between both sides of the border of hair and another part; inf without one."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    sides, near = [], []
    for part in (HAIR, other):
        inside = (segments == part).astype(np.float32)
        near.append(cv2.blur(inside, (_BESIDE, _BESIDE)))
        sides.append(cv2.blur(lab * inside[..., None], (_BESIDE, _BESIDE)) / np.maximum(near[-1], 1e-6)[..., None])
    border = (near[0] > 0.2) & (near[1] > 0.2)
    apart = np.linalg.norm(sides[0] - sides[1], axis=-1)[border]
    return float(np.median(apart)) if len(apart) else float("inf")


def _resized(image: Image) -> Image:
    if image.shape[0] == SIDE:
        return np.asarray(image)
    way = cv2.INTER_AREA if image.shape[0] > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.asarray(image), (SIDE, SIDE), interpolation=way), dtype=np.uint8)


def _colours(image: Image) -> NDArray[np.int32]:
    """The histogram's bin of every pixel: (S, S)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.int32)
    lightness = (lab[..., 0] * _BINS[0]) >> 8
    green_red, blue_yellow = (np.clip((lab[..., i] - 88) // 4, 0, _BINS[i] - 1) for i in (1, 2))
    return np.asarray((lightness * _BINS[1] + green_red) * _BINS[2] + blue_yellow, dtype=np.int32)


def _histogram(colours: NDArray[np.int32], weights: NDArray[np.float32]) -> Table:
    """Share of each colour in each part, (colours, PARTS), blurred by a bin; columns add up to 1."""
    flat, count = colours.ravel(), int(np.prod(_BINS))
    columns = [np.bincount(flat, weights=weights[..., part].ravel(), minlength=count) for part in range(PARTS)]
    table = np.stack(columns, axis=-1).reshape(*_BINS, PARTS)
    for axis in range(3):
        padded = np.pad(table, [(1, 1) if i == axis else (0, 0) for i in range(4)], mode="edge")
        before, here, after = (np.take(padded, range(o, o + _BINS[axis]), axis=axis) for o in (0, 1, 2))
        table = 0.25 * before + 0.5 * here + 0.25 * after
    flattened = table.reshape(count, PARTS)
    return np.asarray(flattened / np.maximum(flattened.sum(axis=0), 1e-9), dtype=np.float32)


def _guided(gray: NDArray[np.generic], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares smoothed within areas of like lightness: (S, S, PARTS)."""
    guide = np.asarray(gray, dtype=np.float32) / 255
    size = (2 * _REACH + 1, 2 * _REACH + 1)

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cv2.blur(values, size))

    middle = mean(guide)
    variance = mean(guide * guide) - middle * middle
    average = mean(shares)
    slope = (mean(guide[..., None] * shares) - middle[..., None] * average) / (variance + _EDGE)[..., None]
    smooth = mean(slope) * guide[..., None] + mean(average - slope * middle[..., None])
    return np.asarray(smooth, dtype=np.float32)
