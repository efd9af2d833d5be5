"""The face reenactor of FACEGAN (FR): draws the source's face where the landmarks are, and says what is background."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from reenact.backbones.features import Features
from reenact.faces.batch import Faces
from reenact.faces.segments import BACKGROUND, PARTS, foreground, segments_of
from reenact.losses.segments import segment_entropy
from reenact.losses.terms import Listed
from reenact.nn.multiscale import MultiScale
from reenact.nn.pix2pixhd import GlobalGenerator, normal_start
from reenact.systems.facegan.judging import adversarial, perceptual
from reenact.systems.facegan.settings import ReenactorWeights


class Face(NamedTuple):
    """What the reenactor draws."""

    image: Tensor  # (B, 3, S, S) in [-1, 1], with a background of its own
    segments: Tensor  # (B, 3, S, S) scores of background, face, hair before the softmax


class Reenactor(nn.Module):
    """pix2pixHD's global generator over four channels, and a small network for segments on its last features.

    182,446,403 parameters of the generator at width 64 with 4 halvings and 9 blocks, 38,659 of the other. The local
    enhancer, of which the seed tells, is left out: it is pix2pixHD's way to pictures of 1024 px and more, and the
    global generator draws those of 256 px in full.
    """

    def __init__(self, *, width: int, halvings: int, blocks: int) -> None:
        super().__init__()
        self.generator = GlobalGenerator(3 + 1, width=width, halvings=halvings, blocks=blocks)
        self.segmenter = nn.Sequential(
            *(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width), nn.ReLU(inplace=True)),
            *(nn.ReflectionPad2d(1), nn.Conv2d(width, PARTS, 3)),
        )
        self.apply(normal_start)

    def forward(self, source: Tensor, drawing: Tensor) -> Face:
        """(B, 3, S, S) in [-1, 1] and (B, 1, S, S) of faces.heatmaps.landmark_image -> picture and segments."""
        features = self.generator.features(torch.cat([source, drawing.to(source.dtype)], dim=1))
        return Face(self.generator.head(features), self.segmenter(features))


def drawn_foreground(segments: Tensor, *, hard: bool) -> Tensor:
    """(B, 3, S, S) scores -> (B, 1, S, S): 1 - p_background, or if `hard` 1 where another part is likelier, else 0."""
    if hard:
        return (segments.argmax(dim=1, keepdim=True) != BACKGROUND).to(segments.dtype)
    return 1 - segments.softmax(dim=1)[:, BACKGROUND, None]


def without_background(image: Tensor, segments: Tensor, *, hard: bool) -> Tensor:
    """I'_fr: the picture times the foreground of its segments, (B, 3, S, S); removed places become 0, a middle grey.

    Soft while the segments learn, hard for the mixer and at use: what is removed is removed altogether.
    """
    return image * drawn_foreground(segments, hard=hard)


def reenactor_terms(
    w: ReenactorWeights, face: Face, target: Faces, *, given: Tensor, critic: MultiScale, features: Features | None
) -> Listed:
    """L_FR = L_rec + L_VGG + L_adv + L_ce; L_adv is the sum over the critic's scales.

    The reconstruction alone looks past the background.
    """
    segments = segments_of(target)
    seen = foreground(segments, target.image.shape[-1]) * target.image
    return {
        "reconstruction": (
            w.reconstruction,
            lambda: (without_background(face.image, face.segments, hard=False) - seen).abs().mean(),
        ),
        "perceptual": (w.perceptual, lambda: perceptual(features, face.image, target.image)),
        "adversarial": (w.adversarial * len(critic.scales), lambda: adversarial(critic, given, face.image)),
        "segments": (w.segments, lambda: segment_entropy(face.segments, segments)),
    }
