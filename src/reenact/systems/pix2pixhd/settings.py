"""Settings, variants and the card of `pix2pixhd`; numbers are the official code's unless a comment says otherwise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.systems.card import SystemCard, without

if TYPE_CHECKING:
    from reenact.systems.pix2pixhd.system import Pix2PixHD


class Pix2PixHDWeights(Settings):
    """The weights of the generator's loss; a term of weight 0 is not computed."""

    adversarial: float = Field(default=1.0, ge=0)  # of the sum over scales
    feature_matching: float = Field(default=10.0, ge=0)  # of the mean over scales
    perceptual: float = Field(default=10.0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.adversarial or self.feature_matching or self.perceptual):
            raise ValueError("all three weights are 0, so that nothing would be trained: leave one above 0")
        return self


class Shares(Settings):
    """How the training is divided with an enhancer: 200 epochs at half size, then 100, of which the first 10."""

    half_size: float = Field(default=2 / 3, gt=0)  # the global generator alone, on pictures of half the side
    enhancer: float = Field(default=1 / 30, gt=0)  # the enhancer alone, the global generator fixed
    together: float = Field(default=0.3, gt=0)


class Pix2PixHDSettings(Settings):
    """The block `systems.pix2pixhd` of params.yaml."""

    sources: int = Field(default=8, ge=1)  # K: how many pictures of a person the network takes, neither fewer nor more
    width: int = Field(default=0, ge=0)  # channels after the first layer; 0: by the picture's size, 64 at 224 px
    halvings: int = Field(default=0, ge=0)  # 0: by the picture's size, 4 at 224 px
    blocks: int = Field(default=9, ge=0)
    enhancer: bool = False
    enhancer_blocks: int = Field(default=3, ge=0)
    shares: Shares = Shares()
    discriminator_width: int = Field(default=0, ge=0)  # 0: by the picture's size, 64 at 224 px
    scales: int = Field(default=2, ge=1)
    layers: int = Field(default=3, ge=1)  # of each discriminator, those that halve
    weights: Pix2PixHDWeights = Pix2PixHDWeights()
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    decay_from: float = Field(default=0.5, ge=0, le=1)  # share of the training; from there the rate falls to 0


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "k1": {"sources": 1},  # the paper's other row
    "no_adversarial": without("adversarial"),
    "no_feature_matching": without("feature_matching"),
    "no_perceptual": without("perceptual"),
}


def _build(settings: Pix2PixHDSettings, *, size: int, features: Any, clips: int) -> "Pix2PixHD":
    from reenact.systems.pix2pixhd.system import Pix2PixHD

    return Pix2PixHD(settings, size=size, features=features)


CARD = SystemCard(
    name="pix2pixhd",
    seed="003",
    title="Baseline: pix2pixHD over all source pictures at once",
    labels=("landmarks",),
    variants=VARIANTS,
    settings=Pix2PixHDSettings,
    build=_build,
    notes=("a network takes exactly as many source pictures as it was trained with",),
)
