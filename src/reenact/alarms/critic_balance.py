"""Generator and critic (discriminator) learn from each other only while neither has won."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reenact.alarms.verdict import Alarm

CRITIC_BALANCE = Alarm(
    name="critic_balance",
    sick="far",
    measures="how far the critic is ahead by the adversarial losses: 1 is even, above it the critic is ahead",
    advice="Who is ahead has won and teaches the other nothing: lower its learning rate",
)
# A critic's loss while it can't tell real from drawn: scores of 0 by the hinge, of 0.5 by least squares.
EVEN = {"hinge": 2.0, "least_squares": 0.25}
_LEAST = 1e-7  # a loss of nothing at all


def critic_balance(
    generator: Sequence[float],
    critic: Sequence[float],
    loss: Literal["cross_entropy", "hinge", "least_squares"] = "cross_entropy",
) -> float:
    """Mean adversarial loss of the generator over the critic's, for cross-entropy: equal where the critic can't tell.

    A hinge's generator loss is a mere score, of either sign, and least squares ask the two for different things: there
    it is the critic's loss while it can't tell (`EVEN`) over its mean loss. Negative losses have no ratio; NaN for them
    and where there are none.
    """
    if not len(generator) or not len(critic):
        return float("nan")
    b = float(np.mean(critic))
    a = float(np.mean(generator)) if loss == "cross_entropy" else EVEN[loss]
    if not (a >= 0 and b >= 0):
        return float("nan")
    return max(a, _LEAST) / max(b, _LEAST)
