"""From where each alarm warns and where it is sick; docs/evaluation.md says what healthy systems measure."""

from typing import Literal

from pydantic import Field

from reenact.alarms.verdict import Limits
from reenact.config import Settings

Sick = Literal["identity_collapse", "mode_collapse", "identity_leak", "mask_saturation", "critic_balance"]


class PictureLimits(Settings):
    """Limits of what can be seen in pictures, in training and evaluation alike."""

    identity_collapse: Limits = Limits(warning=0.2, alarm=0.1)
    mode_collapse: Limits = Limits(warning=0.4, alarm=0.2)
    identity_leak: Limits = Limits(warning=0.5, alarm=0.75)
    mask_saturation: Limits = Limits(warning=0.05, alarm=0.02)


class EvaluateAlarms(PictureLimits):
    """What a scored row is asked beside that."""

    no_face: Limits = Limits(warning=0.1, alarm=0.5)


class TrainAlarms(PictureLimits):
    """What a training is watched for. None of it changes the weights: it only ends a training, or says something."""

    critic_balance: Limits = Limits(warning=20.0, alarm=100.0)
    warm_up: float = Field(default=0.2, ge=0, lt=1)  # share of the training after which pictures are judged
    warm_up_samples: int = Field(default=2000, ge=0)  # and not before so many samples
    patience: int = Field(default=2, ge=1)  # looks in a row, all within an epoch
    stop: tuple[Sick, ...] = ("identity_collapse", "mode_collapse", "mask_saturation", "critic_balance")
    stop_ablations: bool = False  # variants other than full, too: what an ablation breaks is its result
