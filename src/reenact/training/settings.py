"""Settings of the training loop and of its checkpoints; free of torch."""

from typing import Literal

from pydantic import Field

from reenact.alarms.settings import TrainAlarms
from reenact.config import Settings


class ChooseSettings(Settings):
    """Which weights a training hands on: the best by a figure on validation pairs."""

    metric: Literal["val_l1", "val_mse"] = "val_l1"
    last: float = Field(default=1.0, gt=0, le=1)  # only validations in this last share of the training are candidates


class LoopSettings(Settings):
    """How long, in which portions and how closely watched a system trains."""

    samples: int = Field(default=57_200, ge=1)  # all phases together
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
