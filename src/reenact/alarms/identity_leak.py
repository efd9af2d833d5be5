"""The output shows the driver's person: whose face it is came along with the motion."""

import numpy as np

from reenact.alarms.verdict import Alarm
from reenact.alarms.way import Rows, share_of_way

IDENTITY_LEAK = Alarm(
    name="identity_leak",
    sick="high",
    measures="share of the way from the source's to the driver's identity that the output has gone, beyond what a real "
    "picture of the source's person with the driver's pose goes",
    advice="The output shows the driver's person: retarget the driver's landmarks, or weigh identity more",
)


def identity_leak(source: Rows, driver: Rows, output: Rows, real: Rows | None = None) -> float:
    """0: whom the source shows, 1: whom the driver shows; (N, E) descriptors of N cross pairs.

    A reading of identity moves with the pose, too. `real` are those of real pictures of the source's person with
    about the driver's pose: what they go is taken off, so that they score 0. NaN in either leaves the pair out.
    """
    if real is None:
        return share_of_way(source, driver, output)
    known = np.isfinite(output).all(axis=1, keepdims=True) & np.isfinite(real).all(axis=1, keepdims=True)
    source = np.where(known, source, np.nan)
    gone, floor = share_of_way(source, driver, output), share_of_way(source, driver, real)
    return (gone - floor) / (1 - floor) if floor < 1 else float("nan")
