"""Backgrounds that FACEGAN's mixer learns on: the source's own, or another, as people will want to put there."""

import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.faces.batch import Faces
from reenact.faces.segments import foreground, segments_of
from reenact.systems.facegan.background_mixer import background_of

COARSE = 4  # squares to a side of a made-up background


def learned_on(source: Faces, target: Faces, *, swapped: float) -> tuple[Tensor, Tensor]:
    """I_b and the picture wanted before it, (B, 3, S, S): the true one, or with a chance of `swapped` its face alone.

    Another background is the next sample's, with colours where its face was; of a single sample it is colours alone.
    """
    image, size = source.image, source.image.shape[-1]
    own, other = background_of(image, segments_of(source)), _made_up(image)
    if len(image) > 1:
        hidden = foreground(segments_of(source), size).roll(1, 0)
        other = torch.where(hidden > 0, other, image.roll(1, 0))
    is_other = torch.rand(len(image), 1, 1, 1, device=image.device) < swapped
    seen = foreground(segments_of(target), size)
    before_other = seen * target.image + (1 - seen) * other
    return torch.where(is_other, other, own), torch.where(is_other, before_other, target.image)


def _made_up(like: Tensor) -> Tensor:
    """Backgrounds that no clip has: smooth colours in [-1, 1]."""
    coarse = torch.rand(len(like), 3, COARSE, COARSE, device=like.device) * 2 - 1
    return F.interpolate(coarse, size=like.shape[-2:], mode="bilinear", align_corners=False)
