"""Landmarks as pictures of Gaussian blobs, one per channel or all in one, made in batches on the training device.

A blob is painted over a window of 7 x 7 pixels around the landmark's pixel, on the grid linspace(-1, 1, 7)^2 with
variance 1/3 (seed 000, section 3). A Gaussian on such a grid is an outer product of a row and a column profile, so
profiles are all that is computed; `nn.heatmap_conv` works on them without painting at all. `landmark_image` adds all
landmarks up in one channel, for a training that passes through it to the landmarks.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from reenact.faces.landmarks import FLIP

RADIUS = 3  # pixels on each side of the landmark's own: a window of 7
VARIANCE = 1 / 3  # on the [-1, 1] grid of the window
SPREAD = 1 / 128  # of the side: sigma of `landmark_image`
THINNEST = 0.75  # px, below which its blobs would fall between the pixels
FAR = -20.0  # the exponent from which on a blob is not seen


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


def landmark_image(landmarks: Tensor, size: int) -> Tensor:
    """(..., 68, 2) crop coordinates 0..1 -> (..., 1, size, size) in [0, 1): all landmarks in one channel.

    H = 1 - exp(-sum_k exp(-|p - l_k|^2 / (2 sigma^2))) at the pixels' centres p, sigma a 128th of the side and three
    quarters of a pixel at least (seed 001 names a 2D Gaussian function and no width). The sum over landmarks is one
    product of row and column profiles, so no channel of a landmark's own is ever painted; bent towards 1 it never
    saturates where eyes and mouth crowd, as a clipped sum would. A gradient reaches the landmarks, and nothing jumps
    where one crosses a pixel's border. Mirrored landmarks give the mirrored picture. A landmark outside the picture
    shows what of its blob reaches in, one that is not a number leaves nothing.
    """
    points = landmarks.to(torch.promote_types(landmarks.dtype, torch.float32)) * size - 0.5
    there = torch.isfinite(points).all(dim=-1)
    points = torch.where(there[..., None], points, torch.zeros_like(points))
    grid = torch.arange(size, device=points.device, dtype=points.dtype)
    scaled = (points[..., None] - grid) / max(THINNEST, size * SPREAD)
    # numbers too small for a normal float make exp nine times slower on a CPU
    profile = (-0.5 * scaled.square()).clamp(min=FAR).exp()  # (..., 68, 2, size)
    rows = profile[..., 1, :] * there[..., None]
    total = rows.transpose(-1, -2) @ profile[..., 0, :]
    return -torch.expm1(-total)[..., None, :, :]
