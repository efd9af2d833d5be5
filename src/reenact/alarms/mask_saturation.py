"""A mask that mixes two pictures lets one of them through everywhere: the other half of the system does nothing."""

from collections.abc import Mapping

import numpy as np

from reenact.alarms.verdict import Alarm
from reenact.alarms.way import Rows

MASK_SATURATION = Alarm(
    name="mask_saturation",
    sick="low",
    measures="how far a mask's mean is from 0 and from 1, whichever is nearer",
    advice="The mask is the same everywhere: weigh the mask's penalty less, or start it nearer to the middle",
)


def mask_saturation(masks: Mapping[str, Rows]) -> tuple[float, str]:
    """min(mean, 1 - mean) of the worst of the named masks (values 0..1), and its name."""
    distances = {name: float(min(mask.mean(), 1 - mask.mean())) for name, mask in masks.items() if np.size(mask)}
    worst = min(distances, key=lambda name: distances[name], default="")
    return (distances[worst], worst) if worst else (float("nan"), "")
