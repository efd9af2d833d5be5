"""A small network that reads a face: landmarks, action units, pose and who it is, differentiably."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import POINTS

ACTION_SCALE = 5.0  # intensities 0..5 are learned as 0..1
POSE_SCALE = 30.0  # degrees per unit of the pose output
LANDMARK_SCALE = 10.0  # landmarks lie within a tenth or two of the crop's side of their mean: bring them to about one
GRID = 4  # the last stage's map is pooled to this side for pose and action units
HIDDEN = 256


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the reader says about a batch of faces."""

    landmarks: Tensor  # (B, 68, 2) crop coordinates
    actions: Tensor  # (B, 17) 0..5, not clipped
    pose: Tensor  # (B, 3) degrees
    embedding: Tensor  # (B, E), not normalised


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, out, H / stride, W / stride), not negative."""
        return self.norm(self.conv(x)).relu()

    def fuse(self) -> None:
        """Fold the normalisation into the convolution: the same function for a network that won't be trained."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Trunk(nn.Module):
    """Four stages at full, half, quarter and eighth resolution, of width, 2, 4 and 8 times width channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            [
                nn.Sequential(ConvUnit(3, width)),  # at full resolution a second layer would cost as much as the rest
                nn.Sequential(ConvUnit(width, 2 * width, 2), ConvUnit(2 * width, 2 * width)),
                nn.Sequential(ConvUnit(2 * width, 4 * width, 2), ConvUnit(4 * width, 4 * width)),
                nn.Sequential(ConvUnit(4 * width, 8 * width, 2), ConvUnit(8 * width, 8 * width)),
            ]
        )

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """(B, 3, S, S) in [-1, 1] -> what every layer of every stage gives."""
        x, result = image, []
        for stage in self.stages:
            layers = []
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x)
                layers.append(x)
            result.append(layers)
        return result


class Reader(nn.Module):
    """Trunk and heads.

    Landmarks are the centres of mass of 68 maps made of the last two stages: finding a point in a map is learned in
    far fewer samples than its coordinates as free numbers. Pose and action units are read from the landmarks as well
    as from what the trunk sees, since both are mostly a matter of where the landmarks lie.
    """

    def __init__(self, *, width: int, embedding: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk(width)
        self.fine = nn.Conv2d(4 * width, 8 * width, 1)
        self.coarse = nn.Conv2d(8 * width, 8 * width, 1)
        self.maps = nn.Conv2d(8 * width, POINTS, 1)
        self.shape = nn.Sequential(nn.Linear(2 * POINTS + 8 * width * GRID**2, HIDDEN), nn.ReLU())
        self.actions = nn.Linear(HIDDEN, len(ACTION_UNITS))
        self.pose = nn.Linear(HIDDEN, 3)
        self.embedding = nn.Linear(8 * width, embedding)

    def forward(self, image: Tensor) -> Reading:
        """(B, 3, S, S) in [-1, 1] -> everything."""
        *_, third, fourth = (layers[-1] for layers in self.trunk(image))
        upper = F.interpolate(self.coarse(fourth), size=third.shape[-2:], mode="nearest")
        landmarks = centres(self.maps((self.fine(third) + upper).relu()))
        seen = F.adaptive_avg_pool2d(fourth, GRID).flatten(1)  # coarse places stay apart: a wink is not a smile
        relative = (landmarks - landmarks.mean(dim=1, keepdim=True)) * LANDMARK_SCALE
        shape = self.shape(torch.cat([relative.flatten(1), seen], dim=1))
        return Reading(
            landmarks=landmarks,
            actions=self.actions(shape) * ACTION_SCALE,
            pose=self.pose(shape) * POSE_SCALE,
            embedding=self.embedding(fourth.mean(dim=(2, 3))),
        )

    @torch.no_grad()
    def fuse(self) -> "Reader":
        """Ready for use only: evaluation mode, no gradients for weights, normalisation folded away."""
        self.eval().requires_grad_(False)
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fuse()
        return self


def centres(maps: Tensor) -> Tensor:
    """Centre of mass of exp(maps): (B, P, h, w) -> (B, P, 2) crop coordinates x, y (Nibali et al. 2018)."""
    h, w = maps.shape[-2:]
    mass = maps.float().flatten(2).softmax(dim=-1).unflatten(2, (h, w))
    y = (torch.arange(h, device=maps.device) + 0.5) / h
    x = (torch.arange(w, device=maps.device) + 0.5) / w
    return torch.stack([(mass.sum(dim=2) * x).sum(dim=-1), (mass.sum(dim=3) * y).sum(dim=-1)], dim=-1)
