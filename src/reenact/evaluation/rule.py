"""The rule by which a branch is chosen: settings alone, so that reading them costs nothing."""

from typing import Literal

from reenact.config import Settings


class ChooseSettings(Settings):
    """The rule; the metric's own direction says whether less or more is better."""

    split: Literal["val"] = "val"  # the test split is for the table alone
    protocol: Literal["self", "cross", "lsim"] = "self"
    metric: str = "pose_angle"
    judged: float = 0.5  # least share of pairs with a face found, or a branch can't win
