"""Learn the table that reads action units and pose from cues, by ridge regression on clips whose truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.labelling.action_reader import CueTable, Reading
from reenact.labelling.cues import ACTION_BLOCKS, PITCH_BLOCKS, TURN_BLOCKS, ClipCues
from reenact.labelling.shape_fit import resting_level

Array = NDArray[np.float64]

# How much each block may speak: penalties relative to its cues' own variance.
ACTION_PENALTIES: Mapping[str, float] = {"fitted": 0.1, "points": 0.1, "picture": 0.1, "pose": 1.0}
POSE_PENALTIES: Mapping[str, float] = {"pose": 1.0, "points": 0.1, "picture": 0.1}
RIDGE = 0.01


@dataclass(frozen=True)
class Lesson:
    """One clip to learn from: frames with landmarks only."""

    cues: ClipCues
    actions: Array  # (N, 17) true intensities
    error: Array  # (N, 3) true pose minus the fit's, degrees


def learn(lessons: Sequence[Lesson]) -> CueTable:
    """From clips of as many people as can be had; of true intensities the resting level is removed as of readings."""
    actions = np.concatenate([one.actions - resting_level(one.actions) for one in lessons])
    error = np.concatenate([one.error for one in lessons])
    return CueTable(
        actions=ridge([one.cues.actions for one in lessons], actions, ACTION_BLOCKS, ACTION_PENALTIES),
        pitch=ridge([one.cues.pitch for one in lessons], error[:, :1], PITCH_BLOCKS, POSE_PENALTIES),
        turn=ridge([one.cues.turn for one in lessons], error[:, 1:], TURN_BLOCKS, POSE_PENALTIES, odd=True),
    )


def ridge(
    cues: Sequence[Array],
    wanted: Array,
    blocks: Mapping[str, int],
    penalties: Mapping[str, float],
    *,
    odd: bool = False,
) -> Reading:
    """Ridge regression with one penalty per block; an `odd` reading has no constant: mirrored cues, mirrored answer."""
    rows = np.concatenate(cues)
    start, scales = 0, []
    for name, size in blocks.items():
        spread = rows[:, start : start + size].std(axis=0).mean() + 1e-3
        scales.append(np.full(size, 1.0 / (spread * np.sqrt(size * penalties[name]))))
        start += size
    scale = np.concatenate(scales)
    centre = np.zeros(rows.shape[1]) if odd else rows.mean(axis=0)
    middle = np.zeros(wanted.shape[1]) if odd else wanted.mean(axis=0)
    scaled = (rows - centre) * scale
    normal = scaled.T @ scaled / len(rows) + RIDGE * np.eye(len(scale))
    weights = np.linalg.solve(normal, scaled.T @ (wanted - middle) / len(rows)) * scale[:, None]
    return Reading(weights=weights, constant=middle - centre @ weights)
