"""Settings, variants and the card of `facegan`; the seed gives no weights, so those are ours (docs/fidelity.md)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.systems.card import SystemCard

if TYPE_CHECKING:
    from reenact.systems.facegan.system import Facegan


class TransformerWeights(Settings):
    """L_LT; a term of weight 0 is not computed."""

    reconstruction: float = Field(default=1.0, ge=0)
    actions: float = Field(default=1.0, ge=0)  # L_AU, by the action reader La
    connectivity: float = Field(default=0.1, ge=0)
    regular: float = Field(default=1e-3, ge=0)  # lambda_reg, of the shift's squares within the reconstruction loss


class ReenactorWeights(Settings):
    """L_FR."""

    reconstruction: float = Field(default=10.0, ge=0)
    perceptual: float = Field(default=10.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    segments: float = Field(default=1.0, ge=0)


class MixerWeights(Settings):
    """L_BM."""

    reconstruction: float = Field(default=10.0, ge=0)
    perceptual: float = Field(default=10.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    total_variation: float = Field(default=1e-5, ge=0)  # of the sum over the mask's neighbours
    mask: float = Field(default=0.1, ge=0)  # of the mask's mean square


class FaceganShares(Settings):
    """How a training is divided: each module alone, then all end to end."""

    action_reader: float = Field(default=0.04, gt=0)
    transformer: float = Field(default=0.11, gt=0)
    reenactor: float = Field(default=0.45, gt=0)
    mixer: float = Field(default=0.15, gt=0)
    together: float = Field(default=0.25, gt=0)


class FaceganSettings(Settings):
    """The block `systems.facegan` of params.yaml. A width of 0 follows the picture's size (systems/width.py)."""

    transformer: bool = True  # False: it follows the driver's landmarks as they are
    placed: bool = True  # moved landmarks stand where the driver's do in the crop; False: where they were moved to
    mixer: bool = True  # False: the reenactor's picture is the result, with the background it drew
    width: int = Field(default=0, ge=0)  # channels after the reenactor's first layer; 64 at 224 px
    halvings: int = Field(default=0, ge=0)  # 0: by the picture's size, 4 at 224 px
    blocks: int = Field(default=9, ge=0)
    mixer_width: int = Field(default=0, ge=0)
    mixer_blocks: int = Field(default=3, ge=0)
    discriminator_width: int = Field(default=0, ge=0)
    scales: int = Field(default=3, ge=1)  # of both critics
    swapped: float = Field(default=0.5, ge=0, le=1)  # share of the mixer's samples on another background than their own
    transformer_weights: TransformerWeights = TransformerWeights()
    reenactor_weights: ReenactorWeights = ReenactorWeights()
    mixer_weights: MixerWeights = MixerWeights()
    shares: FaceganShares = FaceganShares()
    landmark_batch: int = Field(default=32, ge=1)  # of the first two phases; train.batch is that of the others
    landmark_rate: float = Field(default=2e-4, gt=0)  # learning rate of the first two phases
    landmark_betas: tuple[float, float] = (0.9, 0.999)  # of the first two phases, which have no critic
    landmark_decay_from: float = Field(default=0.5, ge=0, le=1)  # share of each from which its rate falls, to 0
    together_rate: float = Field(default=0.05, ge=0, le=1)  # share of the rate at which the transformer learns at last
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)

    @model_validator(mode="after")
    def _something(self) -> Self:
        t, r, m = self.transformer_weights, self.reenactor_weights, self.mixer_weights
        if self.transformer and not (t.reconstruction or t.actions):
            raise ValueError("transformer_weights: without reconstruction and actions nothing says where landmarks go")
        if not (r.reconstruction or r.perceptual or r.adversarial):
            raise ValueError("reenactor_weights: reconstruction, perceptual, adversarial are 0: no picture is learned")
        if self.mixer and not (m.reconstruction or m.perceptual or m.adversarial):
            raise ValueError("mixer_weights: reconstruction, perceptual, adversarial are 0: no picture is learned")
        return self

    @property
    def reads_actions(self) -> bool:
        """Whether the action reader is needed at all."""
        return self.transformer and self.transformer_weights.actions > 0


def _without(module: str, term: str) -> Mapping[str, Any]:
    return {f"{module}_weights": {term: 0.0}}


VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "no_transformer": {"transformer": False},
    "no_mixer": {"mixer": False},
    "no_action_loss": _without("transformer", "actions"),
    "no_connectivity": _without("transformer", "connectivity"),
    "no_landmark_reconstruction": _without("transformer", "reconstruction"),
    "no_face_reconstruction": _without("reenactor", "reconstruction"),
    "no_face_perceptual": _without("reenactor", "perceptual"),
    "no_face_adversarial": _without("reenactor", "adversarial"),
    "no_segments": _without("reenactor", "segments"),
    "no_mixed_reconstruction": _without("mixer", "reconstruction"),
    "no_mixed_perceptual": _without("mixer", "perceptual"),
    "no_mixed_adversarial": _without("mixer", "adversarial"),
    "no_total_variation": _without("mixer", "total_variation"),
    "no_mask_penalty": _without("mixer", "mask"),
}


def _build(settings: FaceganSettings, *, size: int, features: Any, clips: int) -> "Facegan":
    from reenact.systems.facegan.system import Facegan

    return Facegan(settings, size=size, features=features)


CARD = SystemCard(
    name="facegan",
    seed="001",
    title="FACEGAN: action units move the source's landmarks, a face is drawn from them and mixed with a background",
    labels=("landmarks", "actions", "pose", "segments"),
    variants=VARIANTS,
    settings=FaceganSettings,
    build=_build,
    notes=("driven by action units and pose", "any background picture"),
)
