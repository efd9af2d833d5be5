"""A face's motion as FACEGAN takes it: 17 action units and 3 angles."""

import torch
from torch import Tensor

from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.batch import Faces
from reenact.faces.pose import ANGLES

MOTION = len(ACTION_UNITS) + len(ANGLES)  # numbers that stand for a face's motion
QUARTER = 90.0  # degrees: an angle's unit inside the system


def motion(faces: Faces) -> Tensor:
    """(..., 20): action units / 5 in 0..1, then pitch, yaw, roll in quarter turns: rad / (pi / 2). Raises BadInput."""
    if faces.actions is None or faces.pose is None:
        missing = " and ".join(name for name in ("actions", "pose") if getattr(faces, name) is None)
        raise BadInput(f"faces without {missing} can't say how to move: label them first (label_actions makes both).")
    return torch.cat([faces.actions / MAXIMUM, faces.pose / QUARTER], dim=-1)
