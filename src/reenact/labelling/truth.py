"""How far labels are from the truth, where it is known: on rendered clips."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import GROUPS, outer_eye_distance
from reenact.labelling.running import Correlation, Mean

TURN = 25.0  # degrees of yaw from which a head counts as turned: landmarks get worse there
_SEEN = 0.5  # visibility from which a point counts as seen
_ANGLES = ("pitch", "yaw", "roll")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What is known of N frames, by a labeller or by the renderer; NaN where a label was not made."""

    landmarks: NDArray[np.float64]  # (N, 68, 2) in video pixels
    actions: NDArray[np.float64]  # (N, 17) 0..5
    pose: NDArray[np.float64]  # (N, 3) degrees
    visibility: NDArray[np.float64]  # (N, 68) 0..1

    def __len__(self) -> int:
        return len(self.landmarks)

    def at(self, rows: NDArray[Any]) -> "Labels":
        """These frames only, by number or by mask."""
        return Labels(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Comparison:
    """Errors of labels, added up clip by clip."""

    def __init__(self) -> None:
        self.frames = 0
        self.error, self.within, self.over = Mean(), Mean(), Mean()
        self.groups = {name: Mean() for name in GROUPS}
        self.pose = {name: Mean() for name in _ANGLES}
        self.actions = {name: _Unit() for name in ACTION_UNITS}
        self.agreement, self.hidden, self.hidden_found = Mean(), Mean(), Mean()

    def add(self, labels: Labels, truth: Labels, clip: NDArray[Any]) -> None:
        """Labels of the same N frames; `clip` (N,) says which belong together: all of a clip come at once."""
        self.frames += len(labels)
        error = np.linalg.norm(labels.landmarks - truth.landmarks, axis=-1)
        error = error / np.maximum(outer_eye_distance(truth.landmarks), 1e-9)[:, None]
        turned = np.abs(truth.pose[:, 1]) > TURN
        self.error.add(error)
        self.within.add(error[~turned])
        self.over.add(error[turned])
        for name, points in GROUPS.items():
            self.groups[name].add(error[:, list(points)])
        off = np.abs((labels.pose - truth.pose + 180.0) % 360.0 - 180.0)
        for i, angle in enumerate(_ANGLES):
            self.pose[angle].add(off[:, i])
        for i, unit in enumerate(ACTION_UNITS):
            self.actions[unit].add(labels.actions[:, i], truth.actions[:, i], clip)
        known = np.isfinite(labels.visibility) & np.isfinite(truth.visibility)
        said, true = labels.visibility[known] >= _SEEN, truth.visibility[known] >= _SEEN
        self.agreement.add(said == true)
        self.hidden.add(~true)
        self.hidden_found.add(~said[~true])

    def record(self) -> dict[str, Any]:
        """Plain JSON types. None stands where nothing can be said: no label was made, or an action unit never moved."""
        return {
            "landmarks": {
                "error": self.error.value,  # outer eye distances, mean over points and frames
                "groups": {name: one.value for name, one in self.groups.items()},
                "within": self.within.value,
                "over": self.over.value,
            },
            "pose": {name: one.value for name, one in self.pose.items()},  # mean absolute error, degrees
            "actions": {name: unit.record() for name, unit in self.actions.items()},
            # Shares of points: alike, truly hidden (agreement says little where few are), hidden ones labelled hidden.
            "visibility": {
                "agreement": self.agreement.value,
                "hidden": self.hidden.value,
                "hidden_found": self.hidden_found.value,
            },
        }


def compare(labels: Labels, truth: Labels, clip: NDArray[Any]) -> dict[str, Any]:
    """`Comparison` of labels that are all there."""
    comparison = Comparison()
    comparison.add(labels, truth, clip)
    return comparison.record()


class FoundByTurn:
    """Of all frames of the videos, by the side of TURN their true yaw is on: how many, and the share that is found."""

    def __init__(self) -> None:
        self.sides = {"within": Mean(), "over": Mean()}

    def add(self, yaw: NDArray[np.floating], found: NDArray[np.bool_]) -> None:
        """(N,) true yaw, (N,) whether landmarks were found."""
        self.sides["within"].add(found[np.abs(yaw) <= TURN])
        self.sides["over"].add(found[np.abs(yaw) > TURN])

    def record(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {name: {"frames": side.count, "found": side.value} for name, side in self.sides.items()}


def found_by_turn(yaw: NDArray[np.floating], found: NDArray[np.bool_]) -> dict[str, Any]:
    """`FoundByTurn` of frames that are all there."""
    turned = FoundByTurn()
    turned.add(yaw, found)
    return turned.record()


def mean(values: NDArray[Any]) -> float | None:
    """Of the finite values; None where there is none."""
    running = Mean()
    running.add(values)
    return running.value


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Pearson's, over values that both have; None where either is constant."""
    running = Correlation()
    running.add(first, second)
    return running.value


class _Unit:
    """Over all frames at once, and the mean of what single clips have: who a person is can make up the first alone."""

    def __init__(self) -> None:
        self.all, self.clips = Correlation(), Mean()

    def add(self, labels: NDArray[np.floating], truth: NDArray[np.floating], clip: NDArray[Any]) -> None:
        self.all.add(labels, truth)
        known = [correlation(labels[clip == name], truth[clip == name]) for name in np.unique(clip)]
        self.clips.add(np.array([value for value in known if value is not None]))

    def record(self) -> dict[str, Any]:
        return {"all": self.all.value, "clip": self.clips.value, "clips": self.clips.count}
