"""Telling background, face and hair apart."""

import torch.nn.functional as F
from torch import Tensor

from reenact.faces.segments import segments_at


def segment_entropy(logits: Tensor, segments: Tensor) -> Tensor:
    """L_ce = -mean over pixels of log softmax(S)_part (seed 001).

    (B, 3, S, S) scores of background, face, hair before the softmax, and (B, H, W) numbers of the true parts (uint8,
    of 128 px): each pixel of S takes the part at its centre.
    """
    return F.cross_entropy(logits.float(), segments_at(segments, logits.shape[-1]).long())
