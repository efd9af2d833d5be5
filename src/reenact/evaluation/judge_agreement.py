"""How far two judges agree on a branch's generated pictures, beside how far they agree on real ones.

A figure that rests on one judge's blind spot shows here: where two of different build and training agree on real
pictures and not on generated ones, at least one of them is misled by what the system draws. Neither has to be right.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation import judges
from reenact.evaluation.judge import Judge, Reading
from reenact.evaluation.judges import Making
from reenact.evaluation.scoring import Scored
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import outer_eye_distance
from reenact.labelling.truth import correlation, mean

DRAWN = ("reader", "synthetic")  # who learned from drawn people: beside either of them stands who did not
_ANGLES = ("pitch", "yaw", "roll")


def other_judge(default: str, making: Making) -> Judge | None:
    """A second opinion; None where there is nobody else."""
    others = ("tools",) if default in DRAWN else DRAWN
    name = next((name for name in others if name in judges.JUDGES), None)
    return judges.JUDGES[name](making) if name else None


def agreement(groups: Sequence[Scored], other: Judge, *, most: int) -> dict[str, Any] | None:
    """On at most `most` test pictures of one row, as many of each group: `judges`, then `generated` and `real` records.

    None where there are no such pictures. The real ones are what drove them.
    """
    chosen = [g for g in groups if g.pairs["split"].iloc[0] == "test" and g.pairs["protocol"].iloc[0] in _PROTOCOLS]
    share = most // max(len(chosen), 1)
    parts = [(group, _spread(group, share)) for group in chosen if share]
    if not parts:
        return None
    first = parts[0][0].judges.default
    records = {
        name: _agree([_some(getattr(group, role), rows) for group, rows in parts], first, other)
        for name, role in (("generated", "generated"), ("real", "driving"))
    }
    return {"judges": [first.card["name"], other.card["name"]], **records}


_PROTOCOLS = ("self", "cross")


def _spread(group: Scored, count: int) -> NDArray[np.intp]:
    """Rows of the first pair of every person, then of the second, ..."""
    turn = group.pairs.groupby("source_identity").cumcount().to_numpy()
    return np.sort(np.argsort(turn, kind="stable")[:count])


def _some(reading: Reading, rows: NDArray[np.intp]) -> Reading:
    return Reading(reading.judge, reading.pictures[rows], reading.usable[rows], reading.people[rows])


def _agree(readings: Sequence[Reading], first: Judge, other: Judge) -> dict[str, Any]:
    """`pictures`, found by `both`, by the first `alone`, by the `other_alone`; `landmarks`: mean distance in outer eye
    distances; `pose` and `actions`: correlations, `actions_mean`; `angles`: mean absolute differences in degrees."""
    ours, theirs = ([reading.by(judge) for reading in readings] for judge in (first, other))
    seen, found = (np.concatenate([reading.found for reading in one]) for one in (ours, theirs))
    both = seen & found
    points, poses, units = (
        [np.concatenate([getattr(reading, name) for reading in one])[both] for one in (ours, theirs)]
        for name in ("landmarks", "pose", "actions")
    )
    apart = np.linalg.norm(np.asarray(points[0], dtype=np.float64) - points[1], axis=-1).mean(axis=-1)
    turned = (poses[0] - poses[1] + 180.0) % 360.0 - 180.0
    actions = {name: correlation(units[0][:, i], units[1][:, i]) for i, name in enumerate(ACTION_UNITS)}
    # None where neither judge sees the unit change; where one of them does, they don't agree on it at all.
    changing = (np.ptp(np.stack(units), axis=1) > 0).any(axis=0) if both.any() else np.zeros(len(actions), dtype=bool)
    known = [value or 0.0 for value, changes in zip(actions.values(), changing, strict=True) if changes]
    return {
        "pictures": int(sum(reading.usable.sum() for reading in readings)),
        "both": int(both.sum()),
        "alone": int((seen & ~found).sum()),
        "other_alone": int((found & ~seen).sum()),
        "landmarks": mean(apart / np.maximum(outer_eye_distance(points[0]), 1e-9)),
        "pose": {name: correlation(poses[0][:, i], poses[1][:, i]) for i, name in enumerate(_ANGLES)},
        "angles": {name: mean(np.abs(turned[:, i])) for i, name in enumerate(_ANGLES)},
        "actions": actions,
        "actions_mean": mean(np.array(known)),
    }
