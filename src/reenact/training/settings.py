"""Settings of the training loop and of its checkpoints; free of torch."""

from typing import Literal

from pydantic import Field

from reenact.alarms.settings import TrainAlarms
from reenact.config import Settings


class ChooseSettings(Settings):
    """Which weights a training hands on: the best by a figure on validation pairs.

    `last_third` is the rule of CainGAN's authors: the best of the training's last third. `last`: whatever came last.
    """

    metric: Literal["val_l1", "val_mse"] = "val_l1"
    among: Literal["all", "last_third", "last"] = "all"


class LoopSettings(Settings):
    """How long, in which portions and how closely watched a system trains."""

    samples: int = Field(default=57_200, ge=1)  # all phases together
    minutes: float = Field(default=0.0, ge=0)  # wall clock after which it ends all the same, 0: none
    batch: int = Field(default=10, ge=1)
    log_every: int = Field(default=200, ge=1)  # samples; losses are means over these
    validate_every: int = Field(default=2_000, ge=1)  # samples
    validate_pairs: int = Field(default=64, ge=0)  # 0: no validation, the last weights are handed on
    probes: int = Field(default=6, ge=0)  # pairs drawn again and again, to be looked at
    choose: ChooseSettings = ChooseSettings()
    alarms: TrainAlarms = TrainAlarms()


class CheckpointSettings(Settings):
    """Where and how often the state of a training is kept; it lies outside every stage's output."""

    uri: str = "out/checkpoints"  # a folder, or s3://bucket/prefix
    every_seconds: float = Field(default=60.0, ge=0)  # 0: not by time
    every_samples: int = Field(default=0, ge=0)  # 0: not by samples
    keep: int = Field(default=2, ge=1)  # the newest, and those to fall back to when it is damaged
