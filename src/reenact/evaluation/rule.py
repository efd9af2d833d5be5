"""The rule by which a branch is chosen: settings alone, so that reading them costs nothing."""

from typing import Literal

from pydantic import Field

from reenact.config import Settings

ProtocolName = Literal["self", "cross", "cross_truth", "lsim", "selfvideo", "crossvideo"]
# The names in evaluation/metrics/catalogue.py, repeated so that a mistake is said before anything is run.
MetricName = Literal[
    "mse", "ssim", "lpips", "nme", "pose_angle", "psim", "ed", "csim_source", "csim_truth", "csim_arcface_source",
    "csim_arcface_truth", "lsim", "temporal_error", "jitter", "flicker", "fid", "fid_reader",
]  # fmt: skip


class ChooseSettings(Settings):
    """The rule; the metric's own direction says whether less or more is better."""

    split: Literal["val"] = "val"  # the test split is for the table alone
    protocol: ProtocolName = "self"
    metric: MetricName = "pose_angle"
    judged: float = Field(default=0.5, ge=0, le=1)  # least share of pairs with a face found, or a branch can't win
