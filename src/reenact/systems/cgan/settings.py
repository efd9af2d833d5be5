"""Settings, variants and the card of `cgan`; numbers are seed 000's unless a comment says otherwise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reenact.config import Settings
from reenact.systems.card import SystemCard, without

if TYPE_CHECKING:
    from reenact.systems.cgan.system import Cgan


class CganWeights(Settings):
    """The lambdas of the generator's loss; a term of weight 0 is not computed."""

    adversarial: float = Field(default=1.0, ge=0)
    pixel: float = Field(default=10.0, ge=0)
    self_consistency: float = Field(default=100.0, ge=0)
    triple: float = Field(default=100.0, ge=0)
    perceptual: float = Field(default=10.0, ge=0)
    identity: float = Field(default=1.0, ge=0)


class CganSettings(Settings):
    """The block `systems.cgan` of params.yaml."""

    width: int = Field(default=64, ge=1)  # channels after the generator's first layer
    discriminator_width: int = Field(default=32, ge=1)
    heatmap_variance: float = Field(default=1 / 3, gt=0)
    heatmap_peak: float = Field(default=1.0, gt=0)  # height of a blob; see docs/fidelity.md on lower ones
    dropout: float = Field(default=0.1, ge=0, lt=1)  # down and up blocks; this and the next two from the authors' code
    bottleneck_dropout: float = Field(default=0.5, ge=0, lt=1)
    discriminator_dropout: float = Field(default=0.375, ge=0, lt=1)
    weights: CganWeights = CganWeights()
    learning_rate: float = Field(default=2e-4, gt=0)
    discriminator_learning_rate: float = Field(default=5e-5, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)  # PyTorch's defaults: neither seed nor code states any


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    # the seed's four runs
    "full": {},
    "no_pixel": without("pixel"),
    "no_consistency": without("self_consistency", "triple"),
    "no_features": without("perceptual", "identity"),
    # what the seed's authors name as missing: each remaining term alone
    "no_adversarial": without("adversarial"),
    "no_self": without("self_consistency"),
    "no_triple": without("triple"),
    "no_perceptual": without("perceptual"),
    "no_identity": without("identity"),
}


def _build(settings: CganSettings, *, size: int, features: Any, clips: int) -> "Cgan":
    from reenact.systems.cgan.system import Cgan

    return Cgan(settings, size=size, features=features)


CARD = SystemCard(
    name="cgan",
    seed="000",
    title="Conditional GAN with a U-Net, landmark heatmaps and a six-term loss",
    labels=("landmarks",),
    variants=VARIANTS,
    settings=CganSettings,
    build=_build,
    notes=("one source picture", "a third frame of the same clip for triple consistency"),
)
