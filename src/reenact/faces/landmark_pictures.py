"""Landmarks as pictures of coloured lines, made in batches on the training device: L(x) of seeds 001 and 003.

A line of constant brightness is a Gaussian integrated along it. Sampled at n points, each a product of a row and a
column profile, a group of lines is one matrix product over its points; so no line is ever rasterised, and the picture
moves smoothly with its landmarks.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from reenact.faces.landmarks import CLOSED_GROUPS, GROUPS

# RGB of 0..1, as the colours of those names: seed 003's authors draw the parts in these on white.
COLOURS: Mapping[str, tuple[float, float, float]] = {
    "jaw": (0.0, 0.5, 0.0),
    "brows": (1.0, 0.65, 0.0),
    "nose": (0.0, 0.0, 1.0),
    "eyes": (1.0, 0.0, 0.0),
    "outer_lip": (0.5, 0.0, 0.5),
    "inner_lip": (1.0, 0.75, 0.8),
}
_PARTS = {
    "jaw": ("jaw",), "brows": ("right_brow", "left_brow"), "nose": ("nose_bridge", "nose_base"),
    "eyes": ("right_eye", "left_eye"), "outer_lip": ("outer_lip",), "inner_lip": ("inner_lip",),
}  # fmt: skip
PUBLISHED = 224  # px, where lines are two pixels wide
THINNEST = 1.0  # px
FAR = -20.0  # the exponent from which on a line is not seen
POINTS_PER_PIXEL = 1 / 8  # of a segment, by the picture's side: none is longer than an eighth of a face that fills it


class Lines(NamedTuple):
    """The segments of one colour."""

    colour: tuple[float, float, float]
    start: tuple[int, ...]
    end: tuple[int, ...]


def lines(*, closed: bool = True, inner_lip: bool = False) -> list[Lines]:
    """The segments by colour; eyes and lips end where they began if `closed`.

    Seed 003's authors leave them open. Open ones have their gap on one side, so that mirrored landmarks don't draw as
    the mirrored picture does.
    """
    result = []
    for part, groups in _PARTS.items():
        if part == "inner_lip" and not inner_lip:
            continue
        start, end = [], []
        for name in groups:
            points = list(GROUPS[name])
            start += points[:-1]
            end += points[1:]
            if closed and name in CLOSED_GROUPS:
                start.append(points[-1])
                end.append(points[0])
        result.append(Lines(COLOURS[part], tuple(start), tuple(end)))
    return result


@torch.no_grad()
def landmark_pictures(landmarks: Tensor, size: int, *, closed: bool = True, inner_lip: bool = False) -> Tensor:
    """(..., 68, 2) crop coordinates 0..1 -> (..., 3, size, size) in [-1, 1]: coloured lines on white.

    Lines are two pixels wide at 224 px, in proportion at other sizes, and one at least. Mirrored landmarks give the
    mirrored picture where parts are closed. A segment with an end that is not a number is left out, one outside the
    picture is not seen.
    """
    points = landmarks.float().reshape(-1, *landmarks.shape[-2:]) * size - 0.5
    picture = points.new_ones(len(points), 3, size, size)
    for colour, start, end in lines(closed=closed, inner_lip=inner_lip):
        cover = _cover(points[:, list(start)], points[:, list(end)], size)
        paint = 1.0 - points.new_tensor(colour)
        picture *= 1.0 - cover[:, None] * paint.view(1, 3, 1, 1)
    return picture.mul_(2.0).sub_(1.0).reshape(*landmarks.shape[:-2], 3, size, size)


def _cover(start: Tensor, end: Tensor, size: int) -> Tensor:
    """(B, N, 2) ends of segments in pixels -> (B, size, size) in 0..1: how much of each pixel the lines hide."""
    B, N, _ = start.shape
    sigma = max(THINNEST, 2.0 * size / PUBLISHED) / 2
    count = math.ceil(size * POINTS_PER_PIXEL)
    along = (torch.arange(count, device=start.device) + 0.5) / count
    points = start[:, :, None] + (end - start)[:, :, None] * along[:, None]  # (B, N, count, 2)
    ink = torch.linalg.vector_norm(end - start, dim=-1) / (count * sigma * math.sqrt(2 * math.pi))
    whole = torch.isfinite(ink)
    points = torch.where(whole[:, :, None, None], points, torch.zeros_like(points))
    ink = torch.where(whole, ink, torch.zeros_like(ink))
    grid = torch.arange(size, device=start.device, dtype=start.dtype)
    scaled = points.reshape(B, N * count, 2, 1) / sigma - grid / sigma
    # numbers too small for a normal float make exp nine times slower on a CPU
    profile = scaled.square_().mul_(-0.5).clamp_(min=FAR).exp_()  # (B, N * count, 2, size)
    rows = profile[:, :, 1] * ink.repeat_interleave(count, dim=1)[:, :, None]
    return (rows.transpose(1, 2) @ profile[:, :, 0]).clamp_(max=1.0)
