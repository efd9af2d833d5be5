"""Segments: which pixels of a picture are background, face, hair."""

import torch
from torch import Tensor

from reenact.errors import BadInput
from reenact.faces.batch import Faces

BACKGROUND, FACE, HAIR = range(3)
PARTS = 3


def segments_of(faces: Faces) -> Tensor:
    """(..., 128, 128) numbers of parts. Raises BadInput for faces without."""
    if faces.segments is None:
        raise BadInput("faces without segments don't say what is background: label them first (label_segments).")
    return faces.segments


def segments_at(segments: Tensor, size: int) -> Tensor:
    """(..., H, W) numbers of parts -> (..., size, size): each pixel has the part at its centre, in the same type."""
    rows, columns = (_nearest(side, size, segments.device) for side in segments.shape[-2:])
    return segments[..., rows[:, None], columns]


def foreground(segments: Tensor, size: int) -> Tensor:
    """(..., H, W) numbers of parts -> (..., 1, size, size): 1.0 where face or hair are, else 0.0."""
    return (segments_at(segments, size) != BACKGROUND).float()[..., None, :, :]


def _nearest(side: int, size: int, device: torch.device) -> Tensor:
    """Of `side` pixels those that hold the centres of `size`; whole numbers, so that no rounding decides."""
    return (2 * torch.arange(size, device=device) + 1) * side // (2 * size)
