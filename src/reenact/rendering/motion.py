"""How a person moves: pose, action units, gaze and drift of one clip, smooth in time."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS, MAXIMUM

Array = NDArray[np.float64]

# Bursts of activity; together they cover all 17 action units. Each holds weights relative to the burst's height.
EXPRESSIONS: tuple[Mapping[str, float], ...] = (
    {"AU06": 0.9, "AU12": 1.0, "AU25": 0.5},
    {"AU12": 0.9, "AU14": 0.4, "AU06": 0.4},
    {"AU01": 1.0, "AU02": 1.0, "AU05": 0.9, "AU26": 0.9, "AU25": 0.6},
    {"AU04": 1.0, "AU07": 0.8, "AU23": 0.9},
    {"AU01": 1.0, "AU04": 0.5, "AU15": 1.0},
    {"AU09": 1.0, "AU10": 0.8, "AU04": 0.4},
    {"AU14": 1.0},
    {"AU15": 0.7, "AU17": 1.0},
    {"AU20": 1.0, "AU25": 0.8, "AU05": 0.6},
    {"AU10": 1.0, "AU25": 0.7},
    {"AU25": 0.9, "AU26": 1.0},
    {"AU01": 0.4, "AU02": 1.0},
    {"AU23": 1.0},
    {"AU07": 1.0, "AU06": 0.7},
)


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One row per frame."""

    actions: Array  # (N, 17) intensities 0..5
    pose: Array  # (N, 3) pitch, yaw, roll in degrees
    gaze: Array  # (N, 2) degrees to the image's right and down, relative to the head
    drift: Array  # (N, 3) share of the picture's side to the right and down, and relative scale

    def __len__(self) -> int:
        return len(self.actions)

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Motion":
        """The motion that `plain` described."""
        return cls(**{name: np.asarray(value, dtype=np.float64) for name, value in values.items()})


def invent_motion(rng: np.random.Generator, *, frames: int, fps: float, yaw: float) -> Motion:
    """Draw a motion; `yaw` in degrees is the largest turn to either side."""
    seconds = np.arange(frames) / fps
    turn = _wander(rng, seconds, 0.55, 3)
    limits = np.array([15.0, yaw, 12.0])
    spread = np.array([0.75, 1.0, 0.7])  # full turns are common, full nods and tilts rare
    return Motion(
        actions=_actions(rng, seconds),
        pose=turn * limits * spread,
        gaze=_wander(rng, seconds, 0.4, 2) * np.array([16.0, 8.0]),
        drift=_wander(rng, seconds, 0.9, 3) * np.array([0.025, 0.02, 0.04]),
    )


def _wander(rng: np.random.Generator, seconds: Array, gap: float, channels: int) -> Array:
    """(N, channels) in [-1, 1]: uniform random values every `gap` seconds, eased into each other."""
    if len(seconds) == 0:
        return np.zeros((0, channels))
    knots = rng.uniform(-1, 1, (int(seconds[-1] / gap) + 3, channels))
    place = seconds / gap + rng.random()
    index = place.astype(int)
    share = place - index
    eased = (share * share * (3 - 2 * share))[:, None]
    return np.asarray(knots[index] * (1 - eased) + knots[index + 1] * eased)


def _actions(rng: np.random.Generator, seconds: Array) -> Array:
    """Bursts in shuffled order about half a second apart, blinks, and talking in some clips."""
    actions = np.zeros((len(seconds), len(ACTION_UNITS)))
    if len(seconds) == 0:
        return actions
    length = float(seconds[-1])
    start, queue = -0.25, list[int]()
    while start < length:
        queue = queue or [int(i) for i in rng.permutation(len(EXPRESSIONS))]
        burst = EXPRESSIONS[queue.pop()]
        height = MAXIMUM * rng.uniform(0.45, 1.05)
        shape = _bump(seconds, start, rng.uniform(0.12, 0.25), rng.uniform(0.05, 0.35), rng.uniform(0.15, 0.35))
        for name, weight in burst.items():
            column = ACTION_UNITS.index(name)
            actions[:, column] = np.maximum(actions[:, column], shape * min(height * weight, MAXIMUM))
        start += rng.uniform(0.3, 0.65)
    if rng.random() < 0.5:
        _talk(rng, seconds, actions)
    start = rng.uniform(0.1, max(0.15, min(1.0, length - 0.25)))
    while start < length:
        blink = _bump(seconds, start, 0.1, 0.06, 0.13) * MAXIMUM
        column = ACTION_UNITS.index("AU45")
        actions[:, column] = np.maximum(actions[:, column], blink)
        start += rng.uniform(0.9, 2.5)
    return np.clip(actions, 0, MAXIMUM)


def _talk(rng: np.random.Generator, seconds: Array, actions: Array) -> None:
    start = rng.uniform(0, max(0.01, seconds[-1] * 0.6))
    window = _bump(seconds, start, 0.2, rng.uniform(0.5, 1.5), 0.2)
    for name, height, rate in (("AU25", 3.5, 3.6), ("AU26", 2.8, 2.4), ("AU20", 1.8, 1.3)):
        wave = 0.5 - 0.5 * np.cos(2 * np.pi * (rate * rng.uniform(0.8, 1.2) * seconds + rng.random()))
        column = ACTION_UNITS.index(name)
        actions[:, column] = np.maximum(actions[:, column], window * wave * height)


def _bump(seconds: Array, start: float, rise: float, hold: float, fall: float) -> Array:
    """0 before `start`, eased up to 1, held, eased down; all in seconds."""
    up = np.clip((seconds - start) / rise, 0, 1)
    down = np.clip((seconds - start - rise - hold) / fall, 0, 1)
    return np.asarray(0.5 * (np.cos(np.pi * down) - np.cos(np.pi * up)))
