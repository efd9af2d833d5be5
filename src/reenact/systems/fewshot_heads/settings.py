"""Settings, variants and the card of `fewshot_heads`; numbers are those of the public port of the method."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.systems.card import SystemCard, without

if TYPE_CHECKING:
    from reenact.systems.fewshot_heads.system import FewshotHeads


class FewshotWeights(Settings):
    """Weights of the generator's loss; a term of weight 0 is not computed."""

    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=10.0, ge=0)
    content: float = Field(default=10.0, ge=0)  # ours: see docs/fidelity.md on the published ones
    match: float = Field(default=10.0, ge=0)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.adversarial or self.feature_matching or self.content):
            raise ValueError("adversarial, feature_matching, content are 0, so that no picture would be learned from")
        return self


class FinetuneSettings(Settings):
    """How a trained system is fitted to the few pictures of one person."""

    epochs: int = Field(default=40, ge=1)  # passes over the pictures
    batch: int = Field(default=2, ge=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    discriminator_learning_rate: float = Field(default=2e-4, gt=0)


class FewshotSettings(Settings):
    """The block `systems.fewshot_heads` of params.yaml."""

    sources: int = Field(default=8, ge=1)  # K
    width: int = Field(default=0, ge=0)  # channels after the embedder's first layer; 0: by the picture's size
    weights: FewshotWeights = FewshotWeights()
    learning_rate: float = Field(default=5e-5, gt=0)
    discriminator_learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)  # PyTorch's defaults, as the port
    discriminator_steps: int = Field(default=2, ge=1)  # for each of the generator
    finetune: FinetuneSettings = FinetuneSettings()


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "feed_forward": without("match"),  # the publication's FF: no row of it is fine-tuned
    "k1": {"sources": 1},
    "no_adversarial": without("adversarial"),
    "no_feature_matching": without("feature_matching"),
    "no_content": without("content"),
}


def _build(settings: FewshotSettings, *, size: int, features: Any, clips: int = 0) -> "FewshotHeads":
    from reenact.systems.fewshot_heads.system import FewshotHeads

    return FewshotHeads(settings, size=size, features=features, clips=clips)


CARD = SystemCard(
    name="fewshot_heads",
    seed="003",
    title="Few-shot head models: an embedding styles the generator by AdaIN, a projection critic knows every clip",
    labels=("landmarks",),
    variants=VARIANTS,
    settings=FewshotSettings,
    build=_build,
    notes=("any number of source pictures", "a vector per training clip", "can be fine-tuned on a person's pictures"),
)
