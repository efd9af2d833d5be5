"""The output is the source: the driver is ignored, and figures that reward likeness still look good (seed 000)."""

from reenact.alarms.verdict import Alarm
from reenact.alarms.way import Rows, share_of_way

IDENTITY_COLLAPSE = Alarm(
    name="identity_collapse",
    sick="low",
    measures="share of the way from source to driver that the output's face has gone: 0 is a copy of the source",
    advice="The system hands back its source: give the terms that compare with the target more weight, "
    "self-consistency less",
)


def identity_collapse(source: Rows, target: Rows, output: Rows) -> float:
    """Share of the way from source to target, over N pairs of landmarks or other readings of motion, (N, ...) each.

    Not of pictures: where light or background change, a face that follows moves few of the pixels that differ, and a
    blurred copy of the source seems to have gone part of the way.
    """
    return share_of_way(source, target, output)
