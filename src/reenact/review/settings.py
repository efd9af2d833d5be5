"""What a challenger has to show before anybody should promote it: settings alone, which cost nothing to read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings
from reenact.evaluation.rule import MetricName, ProtocolName

Alarm = Literal["identity_collapse", "mode_collapse", "identity_leak", "mask_saturation", "no_face", "not_finite"]


class MetricRule(Settings):
    """What is asked of one metric, in its unit; its own direction says whether less or more is better."""

    protocol: ProtocolName = "self"
    effect: float = Field(gt=0)  # the smallest improvement that counts
    bound: float | None = Field(default=None, ge=0)  # worsening that the interval must not reach beyond; null: no bound
    limit: float | None = None  # a worse figure than this fails, whatever the champion's is; null: no limit


_RULES: Mapping[MetricName, MetricRule] = MappingProxyType(
    {
        "ssim": MetricRule(protocol="self", effect=0.01, bound=0.03),
        "nme": MetricRule(protocol="self", effect=0.005, bound=0.01),
        "csim_truth": MetricRule(protocol="self", effect=0.005, bound=0.01),
        "csim_source": MetricRule(protocol="cross", effect=0.005, bound=0.015),
        "pose_angle": MetricRule(protocol="cross", effect=0.5, bound=1.0),
        "ed": MetricRule(protocol="cross", effect=0.1, bound=0.3),
    }
)


class GateSettings(Settings):
    """Block `gate`: test pairs alone count, and the champion is scored again on the same ones."""

    metrics: dict[MetricName, MetricRule] = Field(default_factory=lambda: dict(_RULES))
    needs: int = Field(default=1, ge=0)  # how many of them must be better by what counts
    level: float = Field(default=0.05, gt=0, lt=1)  # of the tests that say so, corrected for their number
    alarms: tuple[Alarm, ...] = ("identity_collapse", "mode_collapse", "identity_leak", "mask_saturation")
    judged: float = Field(default=0.5, ge=0, le=1)  # least share of pictures that show a face
    lost: float = Field(default=0.05, ge=0, le=1)  # by how much that share may be below the champion's

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if not self.metrics:
            raise ValueError("metrics: none is named, so nothing would be compared")
        if self.needs > len(self.metrics):
            raise ValueError(f"needs: {self.needs} metrics have to be better, but metrics names {len(self.metrics)}")
        return self


class DropRule(Settings):
    """From when a figure of the champion counts as worse than it was, in the metric's unit."""

    protocol: ProtocolName = "self"
    effect: float = Field(gt=0)


_DROPS: Mapping[MetricName, DropRule] = MappingProxyType(
    {
        "ssim": DropRule(protocol="self", effect=0.03),
        "nme": DropRule(protocol="self", effect=0.01),
        "csim_truth": DropRule(protocol="self", effect=0.01),
        "csim_source": DropRule(protocol="cross", effect=0.015),
        "pose_angle": DropRule(protocol="cross", effect=1.0),
        "ed": DropRule(protocol="cross", effect=0.3),
    }
)


class RescoreSettings(Settings):
    """Block `rescore`: when a champion that is scored again has become too bad for today's data."""

    metrics: dict[MetricName, DropRule] = Field(default_factory=lambda: dict(_DROPS))
    alarms: tuple[Alarm, ...] = ("identity_collapse", "mode_collapse", "identity_leak", "mask_saturation")
    lost: float = Field(default=0.1, gt=0, le=1)  # from when fewer pictures that show a face count
