"""Settings, variants and the card of `caingan`; numbers are those of seed 003's authors' code, the seed gives none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.systems.card import SystemCard, without

if TYPE_CHECKING:
    from reenact.systems.caingan.system import Caingan


class CainganWeights(Settings):
    """The lambdas of eq. 2 and 5; a term of weight 0 is not computed."""

    adversarial: float = Field(default=1.0, ge=0)  # of eq. 2 as a whole; no lambda of the seed's
    identity: float = Field(default=1.0, ge=0)  # lambda_I at the end of its ramp
    pose: float = Field(default=1.0, ge=0)  # lambda_P
    feature_matching: float = Field(default=10.0, ge=0)  # lambda_FM, of both critics: times lambda_I, lambda_P
    perceptual: float = Field(default=10.0, ge=0)  # lambda_VGG


class CainganSettings(Settings):
    """The block `systems.caingan` of params.yaml. A width of 0 follows the picture's size (systems/width.py)."""

    sources: int = Field(default=8, ge=1)  # K
    fewest_sources: int = Field(default=0, ge=0)  # K is drawn anew for each batch, from here up to `sources`; 0: fixed
    width: int = Field(default=0, ge=0)  # channels after the first layer of generator and embedder; 64 at 224 px
    embedding: int = Field(default=0, ge=0)  # channels of the spatial embedding; 0: twice the width
    discriminator_width: int = Field(default=0, ge=0)
    targeted: bool = True  # the embedder sees the target's landmarks, too
    combination: Literal["responsibility", "mean"] = "responsibility"  # eq. 1 or eq. 7
    weights: CainganWeights = CainganWeights()
    identity_ramp: float = Field(default=1 / 3, ge=0, le=1)  # share of the training over which lambda_I rises from 0
    learning_rate: float = Field(default=4e-4, gt=0)  # of embedder and generator
    discriminator_learning_rate: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.0, 0.9)
    discriminator_steps: int = Field(default=2, ge=1)  # for one of the generator

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.fewest_sources > self.sources:
            raise ValueError(f"fewest_sources: {self.fewest_sources} are more than sources: {self.sources}")
        return self

    @model_validator(mode="after")
    def _something(self) -> Self:
        w, critics = self.weights, self.weights.adversarial or self.weights.feature_matching
        if not (w.perceptual or (critics and (w.pose or w.identity))):
            raise ValueError("weights: all are 0, so that nothing would be trained: leave one above 0")
        if self.identity_ramp and not (w.perceptual or (critics and w.pose)):
            raise ValueError(
                "weights: only the identity critic's are left, which rise from 0, so that nothing would be trained at "
                "first: set identity_ramp: 0"
            )
        return self


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    # table 2 of the seed; each also with `sources: 1`
    "no_targeting": {"targeted": False},
    "no_importance": {"identity_ramp": 0.0},
    "no_responsibility": {"combination": "mean"},
    "k1": {"sources": 1, "fewest_sources": 0},
    # each term of eq. 5 alone
    "no_identity": without("identity"),
    "no_pose": without("pose"),
    "no_adversarial": without("adversarial"),
    "no_feature_matching": without("feature_matching"),
    "no_perceptual": without("perceptual"),
}


def _build(settings: CainganSettings, *, size: int, features: Any, clips: int) -> "Caingan":
    from reenact.systems.caingan.system import Caingan

    return Caingan(settings, size=size, features=features)


CARD = SystemCard(
    name="caingan",
    seed="003",
    title="CainGAN: responsibility-weighted spatial embeddings of K sources, SPADE, critics of identity and pose",
    labels=("landmarks",),
    variants=VARIANTS,
    settings=CainganSettings,
    build=_build,
    notes=("any number of source pictures in use, trained with `sources`",),
)
