"""La of seed 001: reads action units and pose out of landmarks, so that a loss can see small expressions."""

from torch import Tensor, nn

from reenact.faces.landmarks import POINTS
from reenact.nn.mlp import mlp
from reenact.systems.facegan.motion import MOTION

HIDDEN = (256, 128)


class ActionReader(nn.Module):
    """Landmarks to motion. The seed doesn't say what La puts out; here it is what `motion` makes of labels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = mlp((2 * POINTS, *HIDDEN, MOTION))

    def forward(self, landmarks: Tensor) -> Tensor:
        """(B, 68, 2) in crop coordinates 0..1 -> (B, 20), in `motion`'s units and not kept to their range."""
        motion: Tensor = self.layers((2 * landmarks - 1).flatten(-2))
        return motion
