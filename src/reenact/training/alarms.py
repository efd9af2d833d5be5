"""When a training is sick and should stop: each alarm raises TrainingFailed with what it saw."""

import math
from collections.abc import Mapping

from reenact.errors import TrainingFailed


def not_finite(step: int, values: Mapping[str, float]) -> None:
    """A loss term that is infinite or not a number."""
    sick = [name for name, value in values.items() if not math.isfinite(value)]
    if sick:
        which = "term " + sick[0] if len(sick) == 1 else "terms " + ", ".join(sick)
        raise TrainingFailed(f"step {step}: loss {which} is not finite. Lower the learning rate or that term's weight.")


STEP_ALARMS = (not_finite,)  # called with every step's loss terms, in order


def check_step(step: int, values: Mapping[str, float]) -> None:
    """Ask every alarm about one step's loss terms."""
    for alarm in STEP_ALARMS:
        alarm(step, values)
