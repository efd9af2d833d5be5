"""How far labels are from the truth, where it is known: on rendered clips."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import GROUPS, outer_eye_distance

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


def joined(parts: Iterable[Labels]) -> Labels:
    """Several clips' labels one after another; at least one."""
    listed = list(parts)
    return Labels(**{field.name: np.concatenate([getattr(p, field.name) for p in listed]) for field in fields(Labels)})


def compare(labels: Labels, truth: Labels, clip: NDArray[Any]) -> dict[str, Any]:
    """Errors of labels of the same N frames, as plain JSON types; `clip` (N,) says which frames belong together.

    None stands where nothing can be said: a label was not made, or an action unit never moved.
    """
    error = np.linalg.norm(labels.landmarks - truth.landmarks, axis=-1)
    error = error / np.maximum(outer_eye_distance(truth.landmarks), 1e-9)[:, None]
    turned = np.abs(truth.pose[:, 1]) > TURN
    off = np.abs((labels.pose - truth.pose + 180.0) % 360.0 - 180.0)
    return {
        "landmarks": {
            "error": mean(error),  # outer eye distances, mean over points and frames
            "groups": {name: mean(error[:, list(points)]) for name, points in GROUPS.items()},
            "within": mean(error[~turned]),
            "over": mean(error[turned]),
        },
        "pose": {name: mean(off[:, i]) for i, name in enumerate(_ANGLES)},  # mean absolute error, degrees
        "actions": {
            name: _correlations(labels.actions[:, i], truth.actions[:, i], clip) for i, name in enumerate(ACTION_UNITS)
        },
        "visibility": _visibility(labels.visibility, truth.visibility),
    }


def found_by_turn(yaw: NDArray[np.floating], found: NDArray[np.bool_]) -> dict[str, Any]:
    """Of all frames of the videos, (N,) true yaw and (N,) whether landmarks were found: shares on each side of TURN."""
    sides = {"within": np.abs(yaw) <= TURN, "over": np.abs(yaw) > TURN}
    return {name: {"frames": int(side.sum()), "found": mean(found[side])} for name, side in sides.items()}


def mean(values: NDArray[Any]) -> float | None:
    """Of the finite values; None where there is none."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    return float(finite.mean()) if finite.size else None


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Pearson's, over values that both have; None where either is constant."""
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both].astype(np.float64), second[both].astype(np.float64)
    if len(first) < 2 or not np.ptp(first) or not np.ptp(second):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _correlations(labels: NDArray[np.floating], truth: NDArray[np.floating], clip: NDArray[Any]) -> dict[str, Any]:
    """Over all frames at once, and the mean of what single clips have: who a person is can make up the first alone."""
    clips = [correlation(labels[clip == name], truth[clip == name]) for name in np.unique(clip)]
    known = [value for value in clips if value is not None]
    return {"all": correlation(labels, truth), "clip": mean(np.array(known)), "clips": len(known)}


def _visibility(labels: NDArray[np.floating], truth: NDArray[np.floating]) -> dict[str, Any]:
    """Shares of points: alike, truly hidden (agreement says little where few are), and hidden ones labelled hidden."""
    known = np.isfinite(labels) & np.isfinite(truth)
    said, true = labels[known] >= _SEEN, truth[known] >= _SEEN
    return {"agreement": mean(said == true), "hidden": mean(~true), "hidden_found": mean(~said[~true])}
