"""Learn the table that reads action units and pose from cues, on clips whose truth is known.

Pose by ridge regression. Intensities by one hidden layer, trained on cues to which noise of their own size is added:
without it the layer learns the drawing's fine detail, and reads drawn people better and real ones worse. Needs PyTorch;
reading needs NumPy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.labelling.action_reader import HIDDEN, CueTable, Reading
from reenact.labelling.cues import ACTION_BLOCKS, PITCH_BLOCKS, TURN_BLOCKS, ClipCues
from reenact.labelling.shape_fit import resting_level

Array = NDArray[np.float64]

# How much each block may speak: penalties relative to its cues' own variance.
ACTION_PENALTIES: Mapping[str, float] = {"fitted": 0.1, "points": 0.1, "picture": 0.1, "pose": 1.0}
POSE_PENALTIES: Mapping[str, float] = {"pose": 1.0, "points": 0.1, "picture": 0.1}
RIDGE = 0.01
# Of the hidden layer's training.
STEPS, BATCH, LEARNING_RATE, DECAY = 900, 256, 2e-3, 0.1
DROPPED = 0.3  # of the hidden sums in each step
NOISE = 0.8  # deviation of what is added to every cue, in the cue's own
GAIN = 8.0  # on the scale of the ridge's penalties, the length at which a layer's usual first weights learn well


@dataclass(frozen=True)
class Lesson:
    """One clip to learn from: frames with landmarks only."""

    cues: ClipCues
    actions: Array  # (N, 17) true intensities
    error: Array  # (N, 3) true pose minus the fit's, degrees


def learn(lessons: Sequence[Lesson], *, steps: int = STEPS) -> CueTable:
    """From clips of as many people as can be had; of true intensities the resting level is removed as of readings."""
    actions = np.concatenate([one.actions - resting_level(one.actions) for one in lessons])
    error = np.concatenate([one.error for one in lessons])
    hidden, read = hidden_layer([one.cues.actions for one in lessons], actions, steps=steps)
    return CueTable(
        hidden=hidden,
        actions=read,
        pitch=ridge([one.cues.pitch for one in lessons], error[:, :1], PITCH_BLOCKS, POSE_PENALTIES),
        turn=ridge([one.cues.turn for one in lessons], error[:, 1:], TURN_BLOCKS, POSE_PENALTIES, odd=True),
    )


def hidden_layer(cues: Sequence[Array], wanted: Array, *, steps: int = STEPS) -> tuple[Reading, Reading]:
    """(hidden sums from cues, answers from the sums that are above 0), by least squares; the same for the same cues."""
    import torch
    from torch import nn

    rows = np.concatenate(cues)
    centre, scale = rows.mean(axis=0), GAIN * _scales(rows, ACTION_BLOCKS, ACTION_PENALTIES)
    given, answers = (torch.from_numpy(part.astype(np.float32)) for part in ((rows - centre) * scale, wanted))
    spread = NOISE * given.std(dim=0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, last = nn.Linear(rows.shape[1], HIDDEN), nn.Linear(HIDDEN, wanted.shape[1])
        network = nn.Sequential(first, nn.ReLU(), nn.Dropout(DROPPED), last)
        optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
        for _ in range(steps):
            drawn = torch.randint(len(given), (BATCH,))
            seen = given[drawn] + spread * torch.randn(BATCH, given.shape[1])
            loss = (network(seen) - answers[drawn]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weights, constant, last_weights, last_constant = (
        part.detach().numpy().astype(np.float64) for part in (first.weight, first.bias, last.weight, last.bias)
    )
    sums = weights.T * scale[:, None]
    return Reading(sums, constant - centre @ sums), Reading(last_weights.T, last_constant)


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
    scale = _scales(rows, blocks, penalties)
    centre = np.zeros(rows.shape[1]) if odd else rows.mean(axis=0)
    middle = np.zeros(wanted.shape[1]) if odd else wanted.mean(axis=0)
    scaled = (rows - centre) * scale
    normal = scaled.T @ scaled / len(rows) + RIDGE * np.eye(len(scale))
    weights = np.linalg.solve(normal, scaled.T @ (wanted - middle) / len(rows)) * scale[:, None]
    return Reading(weights=weights, constant=middle - centre @ weights)


def _scales(rows: Array, blocks: Mapping[str, int], penalties: Mapping[str, float]) -> Array:
    """(cues,) what to multiply cues by so that a block's length over all its cues is 1 over its penalty's root."""
    start, scales = 0, []
    for name, size in blocks.items():
        spread = rows[:, start : start + size].std(axis=0).mean() + 1e-3
        scales.append(np.full(size, 1.0 / (spread * np.sqrt(size * penalties[name]))))
        start += size
    return np.concatenate(scales)
