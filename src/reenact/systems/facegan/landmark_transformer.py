"""The landmark transformer of seed 001: the source's landmarks, moved as action units and pose of the driver say."""

import torch
from torch import Tensor, nn

from reenact.faces.batch import Faces
from reenact.faces.landmarks import CROP_CENTRE, POINTS
from reenact.losses.landmarks import action_distance, connectivity, reconstruction
from reenact.losses.terms import Listed
from reenact.nn.mlp import mlp
from reenact.nn.modes import frozen
from reenact.systems.facegan.action_reader import ActionReader
from reenact.systems.facegan.motion import MOTION, motion
from reenact.systems.facegan.settings import TransformerWeights

HIDDEN = (256, 512, 512, 256)  # ours: the seed says no more than "fully connected"
SMALLEST = 1e-3  # extent of a face, in crop sides


class LandmarkTransformer(nn.Module):
    """l_t = l_s + delta(l_s, AU_d). Untrained it moves nothing: the last layer is zero."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp((2 * POINTS + MOTION, *HIDDEN, 2 * POINTS))
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, landmarks: Tensor, motion: Tensor) -> Tensor:
        """(B, 68, 2) source landmarks in crop coordinates 0..1 and (B, 20) `motion` of the driver -> (B, 68, 2)."""
        seen = torch.cat([(2 * landmarks - 1).flatten(-2), motion], dim=-1)
        delta = self.layers(seen).unflatten(-1, (POINTS, 2))
        # the layers count in [-1, 1], where the crop is 2 wide; in mixed precision the sum is kept as fine as l_s
        return landmarks + delta.to(landmarks.dtype) / 2


def transformer_terms(
    w: TransformerWeights, moved: Tensor, source: Faces, target: Faces, reader: ActionReader | None
) -> Listed:
    """L_LT = L_rec + L_AU + L_con, where the driver shows the same person."""
    return {
        "landmarks": (
            w.reconstruction,
            lambda: reconstruction(moved, target.landmarks, source.landmarks, regular=w.regular),
        ),
        "actions": (w.actions, lambda: _read_again(reader, moved, target)),
        "connectivity": (w.connectivity, lambda: connectivity(moved, source.landmarks)),
    }


def _read_again(reader: ActionReader | None, moved: Tensor, target: Faces) -> Tensor:
    assert reader is not None
    with frozen(reader):
        return action_distance(reader(moved), motion(target))


def placed(moved: Tensor, driving: Tensor, source: Tensor) -> Tensor:
    """Moved landmarks where the driver's lie in the crop, and as large: (B, 68, 2) each, in crop coordinates 0..1.

    Crops are cut by a smoothed centre and extent of a clip's landmarks, so where a face stands in one is nothing that
    action units could say, though a driver's landmarks say it. A face whose own motion was edited stays where it is:
    there `driving` is `source`. So does one whose driver's landmarks aren't all known (not a number).
    """
    scale = _extent(driving) / _extent(moved).clamp(min=SMALLEST)
    there = (moved - moved[:, CROP_CENTRE, None]) * scale[:, None, None] + driving[:, CROP_CENTRE, None]
    away = (driving != source).flatten(1).any(dim=1) & torch.isfinite(driving).flatten(1).all(dim=1)
    return torch.where(away[:, None, None], there, moved)


def _extent(points: Tensor) -> Tensor:
    return (points.amax(dim=-2) - points.amin(dim=-2)).amax(dim=-1)
