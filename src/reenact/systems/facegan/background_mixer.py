"""The background mixer of FACEGAN (BM): a drawn face on a given background.

I_r = M * I_c + (1 - M) * I_b (seed 001). Three things depart from the seed, so that a background of anybody's choice
comes out as it was given, which no sigmoid and no penalty can promise:

- M reaches 0 and 1: the sigmoid is stretched a little beyond both and cut there. Its gradient is that of the uncut
  one, so a place that was cut can come back.
- M is 0 where there is neither drawn face nor hole: the reenactor's segments say where face and hair are, and the
  hole is where the background was removed, which something has to fill. Outside both the result is the background,
  bit by bit. Without `shown` the mask is free, as the seed's.
- I_c is the drawn face before the background and what the generator adds, in the beginning nothing. The seed's
  generator draws the face a second time through its bottleneck, and a short training would end with less than the
  reenactor drew. In both, and under the mask, the hole is filled by what lies around it: a driver's face seldom covers
  all of the source's, and grey would be left between the two.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.faces.segments import foreground
from reenact.losses.masks import mask_penalty, total_variation
from reenact.losses.terms import Listed
from reenact.nn.filled import filled
from reenact.nn.multiscale import MultiScale
from reenact.nn.pix2pixhd import GlobalGenerator, normal_start
from reenact.systems.facegan.judging import adversarial, perceptual
from reenact.systems.facegan.settings import MixerWeights

BEYOND = 0.1  # by which the sigmoid is stretched on both sides
BEGIN = 2.0  # the mask's score at the start: 0.96 where it is free to be anything
GATE = 64  # px of a picture's side for each pixel that the mask may reach over the edge of face and hole


class Mixed(NamedTuple):
    """What the mixer makes: image = mask * colour + (1 - mask) * background."""

    image: Tensor  # (B, 3, S, S) in [-1, 1]
    colour: Tensor  # (B, 3, S, S) in [-1, 1]
    mask: Tensor  # (B, 1, S, S) in [0, 1]


class BackgroundMixer(nn.Module):
    """pix2pixHD's global generator over face and background, with a second head for the mask.

    182,452,675 parameters of the generator at width 64 with 4 halvings and 9 blocks, 3,137 of the mask's head. `begun`
    goes with the weights and says whether training has reached them.
    """

    begun: Tensor

    def __init__(self, *, width: int, halvings: int, blocks: int) -> None:
        super().__init__()
        self.generator = GlobalGenerator(3 + 3, width=width, halvings=halvings, blocks=blocks)
        self.mask = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7))
        self.apply(normal_start)
        _begin(self.generator.head, 0.0)
        _begin(self.mask, BEGIN)
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, face: Tensor, background: Tensor, *, shown: Tensor | None = None) -> Mixed:
        """I'_fr and I_b, (B, 3, S, S) in [-1, 1], 0 where nothing is -> the face on the background.

        `shown` (B, 1, S, S) is `reenactor.drawn_foreground` of the face, soft or hard: from 1/2 on a pixel is face or
        hair. No gradient passes to it: its cross entropy is what it learns from.
        """
        features = self.generator.features(torch.cat([face, background], dim=1))
        hole = _hole(background)
        behind = filled(background, hole)
        begun = face if shown is None else torch.where(shown >= 0.5, face, behind)
        colour = (begun + self.generator.head(features)).clamp(-1, 1)
        mask = _cut((1 + 2 * BEYOND) * self.mask(features).float().sigmoid() - BEYOND)
        if shown is not None:
            mask = mask * _gate(shown, hole)
        return Mixed(mask * colour + (1 - mask) * behind, colour, mask)


def mixer_terms(
    w: MixerWeights, mixed: Mixed, wanted: Tensor, *, given: Tensor, critic: MultiScale, features: Features | None
) -> Listed:
    """L_BM = TV(M) + |M|^2 + L_rec + L_VGG + L_adv; L_adv is the sum over the critic's scales.

    `wanted` (B, 3, S, S): what I_r should be.
    """
    return {
        "mixed_reconstruction": (w.reconstruction, lambda: (mixed.image - wanted).abs().mean()),
        "mixed_perceptual": (w.perceptual, lambda: perceptual(features, mixed.image, wanted)),
        "mixed_adversarial": (w.adversarial * len(critic.scales), lambda: adversarial(critic, given, mixed.image)),
        "total_variation": (w.total_variation, lambda: total_variation(mixed.mask)),
        "mask": (w.mask, lambda: mask_penalty(mixed.mask)),
    }


def background_of(image: Tensor, segments: Tensor) -> Tensor:
    """I_b: (B, 3, S, S) with face and hair set to 0, by (B, H, W) numbers of parts (uint8, of 128 px or any side)."""
    return image * (1 - foreground(segments, image.shape[-1]))


def _begin(head: nn.Sequential, value: float) -> None:
    """Let a last convolution say the same everywhere."""
    for layer in head:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, value)


def _cut(stretched: Tensor) -> Tensor:
    """Into 0..1, exactly; the gradient is that of the identity."""
    return stretched + (stretched.clamp(0, 1) - stretched).detach()


def _hole(background: Tensor) -> Tensor:
    """(B, 1, S, S): where the background was removed: 0 in all three colours, which none of 8 bits is in [-1, 1]."""
    return (background == 0).all(dim=1, keepdim=True)


@torch.no_grad()
def _gate(shown: Tensor, hole: Tensor) -> Tensor:
    """(B, 1, S, S): 1 where the mask may be above 0, in the face, in the hole and a little over their edges."""
    reach = max(1, hole.shape[-1] // GATE)
    return F.max_pool2d(((shown >= 0.5) | hole).float(), 2 * reach + 1, stride=1, padding=reach)
