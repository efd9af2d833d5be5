"""Values that are infinite or not numbers."""

import math
from collections.abc import Mapping

from reenact.alarms.verdict import Alarm

NOT_FINITE = Alarm(
    name="not_finite",
    sick="high",
    measures="share of pairs whose picture holds values that are not finite",
    advice="Lower the learning rate or the terms' weights",
)


def not_finite(values: Mapping[str, float]) -> list[str]:
    """Names of the loss terms that are infinite or not a number; their sum `total` only where it is alone."""
    sick = [name for name, value in values.items() if not math.isfinite(value)]
    return [name for name in sick if name != "total"] or sick
