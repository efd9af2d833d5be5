"""How far two labellers agree on the same frames; neither has to be right."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import GROUPS
from reenact.labelling.label_sets import ClipLabels, LabelSet
from reenact.labelling.segments.measure import CLASSES
from reenact.labelling.truth import correlation, mean

BANDS = (0, 15, 30, 45, 60, 90)  # degrees of yaw to either side
PARTS = {
    "jaw": ("jaw",),
    "brows": ("right_brow", "left_brow"),
    "nose": ("nose_bridge", "nose_base"),
    "eyes": ("right_eye", "left_eye"),
    "mouth": ("outer_lip", "inner_lip"),
}
ANGLES = ("pitch", "yaw", "roll")

Array = NDArray[np.float64]
Rows = NDArray[np.intp]


def agreement(labels: LabelSet, reference: LabelSet) -> dict[str, Any]:
    """Over the frames that both have, as plain JSON types; None where nothing can be said.

    Landmark distances are in % of the reference's outer eye distance, taken in depth so that turned heads count alike;
    bands of yaw go by the reference's pose. Pose: correlation, mean absolute difference and mean difference in degrees.
    Segments: intersection over union, over the frames that both cropped alike.
    """
    shared = [name for name in labels.names if name in set(reference.names)]
    parts = [part for name in shared if (part := _clip(labels.labels(name), reference.labels(name))) is not None]
    if not parts:
        raise BadInput(
            "These labels have no frame in common. Compare labels of the same videos, with the same names of clips."
        )
    clip = np.concatenate([np.full(len(part["found"]), index) for index, part in enumerate(parts)])
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {
        "clips": len(parts),
        "frames": len(clip),
        "found": _found(whole["found"], whole["found_reference"]),
        "landmarks": _landmarks(whole["distance"], whole["pose_reference"][:, 1]),
        "pose": _pose(whole["pose"], whole["pose_reference"]),
        "actions": {
            unit: _unit(whole["actions"][:, index], whole["actions_reference"][:, index], clip)
            for index, unit in enumerate(ACTION_UNITS)
        },
        "segments": _segments(whole["overlap"]),
    }


def _clip(labels: ClipLabels, reference: ClipLabels) -> dict[str, NDArray[Any]] | None:
    """Side by side, a row per frame that both have; `distance` (N, parts) in % where both found the face, else NaN."""
    _, ours, theirs = np.intersect1d(labels.frames, reference.frames, return_indices=True)
    if not len(ours):
        return None
    apart = np.linalg.norm(labels.landmarks[ours] - reference.landmarks[theirs], axis=-1)
    apart *= 100.0 / np.maximum(reference.eyes[theirs], 1e-9)[:, None]
    apart[~(labels.found[ours] & reference.found[theirs])] = np.nan
    groups = [np.concatenate([GROUPS[name] for name in names]) for names in PARTS.values()]
    return {
        "found": labels.found[ours],
        "found_reference": reference.found[theirs],
        "distance": np.stack([apart.mean(axis=1), *(apart[:, points].mean(axis=1) for points in groups)], axis=1),
        "pose": labels.pose[ours],
        "pose_reference": reference.pose[theirs],
        "actions": labels.actions[ours],
        "actions_reference": reference.actions[theirs],
        "overlap": _overlap(labels, reference, ours, theirs),
    }


def _overlap(labels: ClipLabels, reference: ClipLabels, ours: Rows, theirs: Rows) -> Array:
    """(N, classes, 2) pixels in both and in either; NaN where there are none to compare."""
    counts = np.full((len(ours), len(CLASSES), 2), np.nan)
    if labels.segments is None or reference.segments is None:
        return counts
    for row, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        if np.array_equal(labels.crops[mine], reference.crops[other]):
            for index, number in enumerate(CLASSES.values()):
                one, two = labels.segments[mine] == number, reference.segments[other] == number
                counts[row, index] = (one & two).sum(), (one | two).sum()
    return counts


def _segments(overlap: Array) -> dict[str, Any] | None:
    known = overlap[np.isfinite(overlap[:, 0, 0])]
    if not len(known):
        return None
    both, either = known.sum(axis=0).T
    shares = {name: float(both[i] / either[i]) if either[i] else None for i, name in enumerate(CLASSES)}
    return {**shares, "frames": len(known)}


def _found(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> dict[str, Any]:
    counts = {"both": ours & theirs, "alone": ours & ~theirs, "reference_alone": ~ours & theirs,
              "neither": ~ours & ~theirs}  # fmt: skip
    return {**{name: int(rows.sum()) for name, rows in counts.items()}, "agreement": mean(ours == theirs)}


def _landmarks(distance: Array, yaw: Array) -> dict[str, Any]:
    turned = np.abs(yaw)
    bands = {f"{low}-{high}": (turned >= low) & (turned < high) for low, high in pairwise(BANDS)}
    everything = np.ones(len(distance), dtype=bool)
    return {"all": _distances(distance, everything), "bands": {n: _distances(distance, r) for n, r in bands.items()}}


def _distances(distance: Array, rows: NDArray[np.bool_]) -> dict[str, Any]:
    chosen = distance[rows & np.isfinite(distance[:, 0])]
    return {"frames": len(chosen), **{name: mean(chosen[:, i]) for i, name in enumerate(("all", *PARTS))}}


def _pose(ours: Array, theirs: Array) -> dict[str, Any]:
    off = (ours - theirs + 180.0) % 360.0 - 180.0
    return {
        name: {
            "correlation": correlation(ours[:, i], theirs[:, i]),
            "difference": mean(np.abs(off[:, i])),
            "offset": mean(off[:, i]),
        }
        for i, name in enumerate(ANGLES)
    }


def _unit(ours: Array, theirs: Array, clip: NDArray[np.int64]) -> dict[str, Any]:
    """Over all frames at once, and the mean of what single clips have: who a person is can make up the first alone."""
    within = [correlation(ours[clip == index], theirs[clip == index]) for index in np.unique(clip)]
    known = [value for value in within if value is not None]
    return {"all": correlation(ours, theirs), "clip": mean(np.array(known)), "clips": len(known)}


def as_text(record: dict[str, Any]) -> str:
    """One comparison as a table for people; `label` and `reference` are its names."""
    found = record["found"]
    label, reference = record["label"], record["reference"]
    clips = "1 clip" if record["clips"] == 1 else f"{record['clips']} clips"
    lines = [
        f"{label} against {reference}: {record['frames']} frames of {clips}; face found by both in "
        f"{found['both']}, by {label} alone in {found['alone']}, by {reference} alone in {found['reference_alone']}",
        "",
        "landmarks, % of the outer eye distance",
        _row("yaw", ("frames", "all", *PARTS)),
    ]
    listed = {"all": record["landmarks"]["all"], **record["landmarks"]["bands"]}
    lines += [
        _row(band, (str(one["frames"]), *(_number(one[name], 2) for name in ("all", *PARTS))))
        for band, one in listed.items()
        if one["frames"] or band == "all"
    ]
    lines += ["", "pose, degrees", _row("", ("correl.", "differ.", "offset"))]
    lines += [
        _row(name, (_number(one["correlation"], 2), _number(one["difference"], 1), _number(one["offset"], 1)))
        for name, one in record["pose"].items()
    ]
    lines += ["", "action units, correlation", _row("", ("frames", "clips"))]
    lines += [_row(name, (_number(one["all"], 2), _number(one["clip"], 2))) for name, one in record["actions"].items()]
    middle = mean(np.array([one["all"] for one in record["actions"].values() if one["all"] is not None]))
    lines.append(_row("mean", (_number(middle, 2),)))
    if record["segments"]:
        shares = ", ".join(f"{name} {_number(record['segments'][name], 2)}" for name in CLASSES)
        lines += ["", f"segments, intersection over union in {record['segments']['frames']} frames: {shares}"]
    return "\n".join(lines)


def _row(name: str, cells: Iterable[str]) -> str:
    return f"  {name:6}" + "".join(f"{cell:>9}" for cell in cells)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
