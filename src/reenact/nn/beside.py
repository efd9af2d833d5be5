"""Critics of pictures beside many channels that stay the same: those are pooled and convolved once for all pictures.

A convolution over channels side by side is the sum of one over each part. So real and drawn pictures share what the
first layers make of the given channels, and no gradient is computed for channels that are data. Equal to the ordinary
pass up to rounding; weights have the ordinary layout, given channels first.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from reenact.nn.multiscale import MultiScale
from reenact.nn.pix2pixhd import halved


def pyramid(given: Tensor, scales: int) -> tuple[Tensor, ...]:
    """(B, C, H, W) as each scale of a critic sees it, the finest first."""
    levels = [given]
    while len(levels) < scales:
        levels.append(halved(levels[-1]))
    return tuple(levels)


def first_answers(critic: MultiScale, given: Sequence[Tensor]) -> list[Tensor]:
    """What the first convolution of each scale makes of its level of the given channels, with its bias."""
    return [_part(scale.layers[0][0], level, 0) for scale, level in _scales(critic, given)]


def judged(critic: MultiScale, answers: Sequence[Tensor], pictures: Tensor) -> list[list[Tensor]]:
    """`critic(torch.cat([given, pictures], dim=1))` from the answers to `given`.

    (n * B, 3, H, W) pictures and answers of B rows, which are taken n times in turn.
    """
    result = []
    levels = pyramid(pictures, len(answers))
    for answer, (scale, level) in zip(answers, _scales(critic, levels), strict=True):
        convolution = scale.layers[0][0]
        own = _part(convolution, level, convolution.in_channels - level.shape[1])
        both = (own.unflatten(0, (-1, len(answer))) + answer).flatten(0, 1)
        seen = [scale.layers[0][1:](both)]
        for layer in scale.layers[1:]:
            seen.append(layer(seen[-1]))
        result.append(seen)
    return result


def _scales(critic: MultiScale, levels: Sequence[Tensor]) -> list[tuple[Any, Tensor]]:
    return list(zip(critic.scales, levels, strict=True))


def _part(conv: nn.Conv2d, x: Tensor, start: int) -> Tensor:
    """The convolution over the channels of its input from `start` on that `x` holds; the bias goes with the first."""
    weight = conv.weight[:, start : start + x.shape[1]]
    return F.conv2d(x, weight, None if start else conv.bias, conv.stride, conv.padding)
