"""Generator and critic (discriminator) learn from each other only while neither has won."""

from collections.abc import Sequence

import numpy as np

from reenact.alarms.verdict import Alarm

CRITIC_BALANCE = Alarm(
    name="critic_balance",
    sick="far",
    measures="the generator's adversarial loss over the critic's: 1 is even, above it the critic is ahead",
    advice="Who is ahead has won and teaches the other nothing: lower its learning rate",
)
_LEAST = 1e-7  # a loss of nothing at all


def critic_balance(generator: Sequence[float], critic: Sequence[float]) -> float:
    """Mean adversarial loss of the generator over the critic's mean loss.

    Of losses that are equal where the critic can't tell real from drawn, as cross-entropy's are (ln 2 both).
    Negative losses have no ratio; NaN for them and where there are none.
    """
    if not len(generator) or not len(critic):
        return float("nan")
    a, b = float(np.mean(generator)), float(np.mean(critic))
    if not (a >= 0 and b >= 0):
        return float("nan")
    return max(a, _LEAST) / max(b, _LEAST)
