"""A face's motion as FACEGAN takes it, 17 action units and 3 angles, and faces with some of them changed."""

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.batch import Faces

ANGLES = ("pitch", "yaw", "roll")  # in the order of Faces.pose
MOTION = len(ACTION_UNITS) + len(ANGLES)  # numbers that stand for a face's motion
TURN = 90.0  # degrees: an angle's unit inside the system, and the furthest that it can be set to


def motion(faces: Faces) -> Tensor:
    """(..., 20): action units / 5 in 0..1, then pitch, yaw, roll in quarter turns: rad / (pi / 2). Raises BadInput."""
    actions, pose = _labelled(faces)
    return torch.cat([actions / MAXIMUM, pose / TURN], dim=-1)


def edited(faces: Faces, *, actions: Mapping[str, float] = {}, pose: Mapping[str, float] = {}) -> Faces:
    """The same faces with some action units (0..5) and angles (degrees) set; picture and landmarks stay.

    `edited(faces, actions={"AU12": 3}, pose={"yaw": 20})`; names of ACTION_UNITS and ANGLES. Raises BadInput for a name
    that is none of those, a value out of range and faces that aren't labelled.
    """
    old_actions, old_pose = _labelled(faces)
    return replace(
        faces,
        actions=_set(old_actions, actions, ACTION_UNITS, "action unit", low=0.0, high=MAXIMUM),
        pose=_set(old_pose, pose, ANGLES, "angle", low=-TURN, high=TURN),
    )


def _labelled(faces: Faces) -> tuple[Tensor, Tensor]:
    if faces.actions is None or faces.pose is None:
        missing = " and ".join(name for name in ("actions", "pose") if getattr(faces, name) is None)
        raise BadInput(f"faces without {missing} can't say how to move: label them first (label_actions makes both).")
    return faces.actions, faces.pose


def _set(
    values: Tensor, changes: Mapping[str, float], names: tuple[str, ...], what: str, *, low: float, high: float
) -> Tensor:
    """A copy of (..., len(names)) with the columns of some names at new values."""
    changed = values.clone()
    for name, value in changes.items():
        if name not in names:
            raise BadInput(f'"{name}" is no {what} that can be set: there are {", ".join(names)}.')
        if not (math.isfinite(value) and low <= value <= high):
            raise BadInput(f"{name}: {value:g} is out of range; set this {what} to {low:g} .. {high:g}.")
        changed[..., names.index(name)] = value
    return changed
