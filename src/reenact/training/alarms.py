"""When a training is sick and should stop: each alarm raises TrainingFailed with what it saw."""

import math
from collections.abc import Mapping

from reenact.errors import TrainingFailed


def not_finite(step: int, values: Mapping[str, float]) -> None:
    """A loss term that is infinite or not a number."""
    sick = [name for name, value in values.items() if not math.isfinite(value)]
    terms = [name for name in sick if name != "total"] or sick
    if terms:
        which = f"term {terms[0]} is" if len(terms) == 1 else f"terms {', '.join(terms)} are"
        raise TrainingFailed(f"step {step}: loss {which} not finite. Lower the learning rate or the terms' weights.")


STEP_ALARMS = (not_finite,)  # called with every step's loss terms, in order


def check_step(step: int, values: Mapping[str, float]) -> None:
    """Ask every alarm about one step's loss terms."""
    for alarm in STEP_ALARMS:
        alarm(step, values)
