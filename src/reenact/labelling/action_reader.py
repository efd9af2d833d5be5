"""Action units and pose of a clip: the shape model's fit, blended with what a table reads from `cues.py`.

    intensities = SHARE * table(cues) + (1 - SHARE) * fitted, steadied over neighbours, resting level removed
    pose        = fitted + POSE_SHARE * (table . cues), the correction limited to LARGEST_TURN

A table is learned from rendered clips (`cue_learning.py`, command: benchmarks/learn_cues.py): one hidden layer for
intensities, linear readings for the pose. It serves the landmark backend on whose landmarks it was learned; landmarks
of other backends are read by the fit alone. A blend, since on rendered people the table alone reads better, but on the
real clip that could be compared the blend does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.hashing import hash_file
from reenact.labelling.cues import ACTION_BLOCKS, PITCH_BLOCKS, TURN_BLOCKS, ClipCues, clip_cues
from reenact.labelling.shape_fit import FEWEST, FaceFit, fit_clip, resting_level

Array = NDArray[np.float64]

SHARE, POSE_SHARE = 0.7, 0.65
LARGEST_TURN = 8.0  # degrees
NEIGHBOUR = 0.04  # s: a frame so far away counts half as much
# By landmark backend: file and sha256, so that the hash of the code is also that of the tables.
TABLES: dict[str, tuple[str, str]] = {
    "dlib": ("cues_dlib.npz", "ac2475f003b30b813891ce57e8ea0efe40f3578bff003efa62fc97a601c46c0e"),
}
HIDDEN = 96  # rectified sums of cues, from which intensities are read
_READINGS = {
    "hidden": (sum(ACTION_BLOCKS.values()), HIDDEN),
    "actions": (HIDDEN, len(ACTION_UNITS)),
    "pitch": (sum(PITCH_BLOCKS.values()), 1),
    "turn": (sum(TURN_BLOCKS.values()), 2),
}


@dataclass(frozen=True)
class Reading:
    """A linear reading of cues."""

    weights: Array  # (cues, answers)
    constant: Array  # (answers,)

    def __call__(self, cues: Array) -> Array:
        """(N, cues) -> (N, answers), not limited."""
        return np.asarray(cues @ self.weights + self.constant)


@dataclass(frozen=True)
class CueTable:
    """Intensities, and what to add to the fit's pose in degrees."""

    hidden: Reading
    actions: Reading  # from the hidden sums, negative ones as 0
    pitch: Reading
    turn: Reading  # yaw, roll

    def read(self, cues: ClipCues) -> tuple[Array, Array]:
        """(N, 17) intensities and (N, 3) corrections of the pose."""
        correction = np.concatenate([self.pitch(cues.pitch), self.turn(cues.turn)], axis=1)
        return self.actions(np.maximum(self.hidden(cues.actions), 0.0)), np.clip(
            correction, -LARGEST_TURN, LARGEST_TURN
        )

    def save(self, path: Path) -> None:
        """Write the file that `cue_table` reads."""
        arrays = {
            f"{name}_{part}": getattr(getattr(self, name), part).astype(np.float32)
            for name in _READINGS
            for part in ("weights", "constant")
        }
        np.savez_compressed(path, **arrays)


@cache
def cue_table(backend: str) -> CueTable | None:
    """The table for landmarks of a backend; None where there is none."""
    if backend not in TABLES:
        return None
    name, sha256 = TABLES[backend]
    path = Path(__file__).parent / name
    if not path.is_file() or hash_file(path) != sha256:
        raise BadInput(f"{path}: missing, or not the file this version was made with. Install reenact again.")
    return read_table_file(path)


def read_table_file(path: Path) -> CueTable:
    """A table as `CueTable.save` wrote it; raises BadInput where it was made for other cues than this version's."""
    readings = {}
    with np.load(path) as stored:
        for name, shape in _READINGS.items():
            weights, constant = (stored[f"{name}_{part}"].astype(np.float64) for part in ("weights", "constant"))
            if weights.shape != shape:
                raise BadInput(f"{path}: made for {len(weights)} cues to {name}, this version has {shape[0]}.")
            readings[name] = Reading(weights=weights, constant=constant)
    return CueTable(**readings)


def read_clip(
    landmarks: NDArray[np.floating],
    *,
    found: NDArray[np.bool_],
    pictures: Iterable[Image],
    times: NDArray[np.floating],
    backend: str,
) -> FaceFit:
    """The fit of one person's clip, intensities and pose blended with those read from the cues.

    Landmarks (N, 68, 2) in crop coordinates, `found` (N,), N square RGB pictures, `times` (N,) in seconds. `raw` and
    `neutral` stay those of the fit, which single pictures of that person are read by; so do the 3D landmarks.
    """
    fit = fit_clip(landmarks, found=found)
    usable, table = np.flatnonzero(found), cue_table(backend)
    if table is None or not len(usable):
        return fit
    read, correction = table.read(clip_cues(fit, landmarks, pictures, usable))
    correction[~found] = 0.0
    fit = replace(fit, pose=fit.pose + POSE_SHARE * correction)
    if len(usable) < FEWEST:  # their median need not be the resting face that the table's cues are counted from
        return fit
    actions = steadied(SHARE * read + (1.0 - SHARE) * fit.actions, times)
    return replace(fit, actions=np.clip(actions - resting_level(actions[usable]), 0.0, MAXIMUM))


def steadied(values: NDArray[np.floating], times: NDArray[np.floating]) -> Array:
    """(N, C) averaged with the two neighbours in time: those `NEIGHBOUR` seconds away count half, farther ones less."""
    total, weight = np.array(values, dtype=np.float64), np.ones((len(values), 1))
    share = 0.5 ** np.square(np.diff(times) / NEIGHBOUR)[:, None]
    total[1:] += share * values[:-1]
    total[:-1] += share * values[1:]
    weight[1:] += share
    weight[:-1] += share
    return np.asarray(total / weight)
