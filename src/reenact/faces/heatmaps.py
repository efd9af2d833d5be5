"""Landmarks as pictures: one Gaussian blob per channel, made in batches on the training device.

A blob is painted over a window of 7 x 7 pixels around the landmark's pixel, on the grid linspace(-1, 1, 7)^2 with
variance 1/3 (seed 000, section 3). A Gaussian on such a grid is an outer product of a row and a column profile, so
profiles are all that is computed; `nn.heatmap_conv` works on them without painting at all.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from reenact.faces.landmarks import FLIP

RADIUS = 3  # pixels on each side of the landmark's own: a window of 7
VARIANCE = 1 / 3  # on the [-1, 1] grid of the window


class Profiles(NamedTuple):
    """The two factors of every blob; a landmark outside the image has zeros in `rows`."""

    rows: Tensor  # (B, 68, H)
    columns: Tensor  # (B, 68, W)

    @property
    def size(self) -> int:
        """Side of the picture in pixels."""
        return self.rows.shape[-1]


def profiles(landmarks: Tensor, size: int, *, variance: float = VARIANCE, peak: float = 1.0) -> Profiles:
    """(..., 68, 2) crop coordinates 0..1 -> the blobs' factors at `size` pixels.

    The window lies around the pixel that the landmark lies in, the Gaussian's centre is the landmark itself: at 64 px a
    mouth opens by few pixels, and whole ones would round expressions away. Mirroring landmarks mirrors the picture. A
    window that reaches over the border is cut there; a landmark outside the image, or one that is not a number, gives
    an empty channel.
    """
    pixels = (landmarks.detach() * size).floor()
    inside = ((pixels >= 0) & (pixels < size)).all(dim=-1)
    pixels = torch.where(inside[..., None], pixels, torch.zeros_like(pixels))
    grid = torch.arange(size, device=landmarks.device, dtype=landmarks.dtype)
    window = (grid - pixels[..., None]).abs() <= RADIUS
    centre = torch.where(inside[..., None], landmarks.detach() * size, torch.zeros_like(pixels))
    blob = torch.exp(-(((grid + 0.5 - centre[..., None]) / RADIUS) ** 2) / (2 * variance)) * window
    return Profiles(rows=blob[..., 1, :] * (peak * inside[..., None]), columns=blob[..., 0, :])


def paint(factors: Profiles) -> Tensor:
    """The pictures themselves: (..., 68, H, W) in [0, peak]."""
    return factors.rows[..., :, None] * factors.columns[..., None, :]


def heatmaps(landmarks: Tensor, size: int, *, variance: float = VARIANCE) -> Tensor:
    """(..., 68, 2) crop coordinates 0..1 -> (..., 68, size, size) in [0, 1]."""
    return paint(profiles(landmarks, size, variance=variance))


def flip_heatmaps(pictures: Tensor) -> Tensor:
    """Heatmaps of the mirrored face: the width mirrored and left and right landmarks' channels exchanged."""
    order = torch.as_tensor(FLIP, device=pictures.device)
    return pictures.index_select(-3, order).flip(-1)
