"""Faces with single action units and angles set by hand; all else stays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reenact.config import nearest
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.batch import Faces
from reenact.faces.pose import ANGLES

TURN = 90.0  # degrees, the furthest that an angle can be set to


def edited(faces: Faces, edits: Mapping[str, float]) -> Faces:
    """The same (..., 17) action units and (..., 3) angles, but for those named: `{"AU12": 3.0, "yaw": 20.0}`.

    Picture and landmarks stay: the result drives a system that moves by action units. Raises BadInput for an unknown
    name, a value out of range (0..5, -90..90 degrees) and faces without these labels.
    """
    check_edits(edits)
    if faces.actions is None or faces.pose is None:
        missing = " and ".join(name for name in ("actions", "pose") if getattr(faces, name) is None)
        raise BadInput(f"a face without labels of its {missing} can't be edited. Run label-actions first.")
    return replace(faces, actions=_set(faces.actions, ACTION_UNITS, edits), pose=_set(faces.pose, ANGLES, edits))


def each_edited(face: Faces, edits: Sequence[Mapping[str, float]]) -> Faces:
    """(N, ...) faces: the one of (1, ...), edited in N ways; {} leaves it as it is. Raises BadInput as `edited`."""
    changed = [edited(face, edit) if edit else face for edit in edits]
    same = face[torch.zeros(len(edits), dtype=torch.long, device=face.landmarks.device)]
    return replace(
        same, actions=_stacked([one.actions for one in changed]), pose=_stacked([one.pose for one in changed])
    )


def check_edits(edits: Mapping[str, float]) -> None:
    """Known names and values within their range. Raises BadInput."""
    for name, value in edits.items():
        if name not in (*ACTION_UNITS, *ANGLES):
            raise BadInput(f'"{name}" is no action unit and no angle{nearest(name, (*ACTION_UNITS, *ANGLES))}')
        low, high = range_of(name)
        if not (math.isfinite(value) and low <= value <= high):
            unit = " degrees" if name in ANGLES else ""
            raise BadInput(f"{name}={value:g}: out of range, set it to {low:g} to {high:g}{unit}.")


def range_of(name: str) -> tuple[float, float]:
    """Least and greatest value that an action unit or an angle can be set to."""
    return (-TURN, TURN) if name in ANGLES else (0.0, MAXIMUM)


def _set(values: Tensor, names: tuple[str, ...], edits: Mapping[str, float]) -> Tensor:
    changed = values.clone()
    for column, name in enumerate(names):
        if name in edits:
            changed[..., column] = edits[name]
    return changed


def _stacked(values: Sequence[Tensor | None]) -> Tensor | None:
    known = [value for value in values if value is not None]
    return torch.cat(known) if len(known) == len(values) else None
