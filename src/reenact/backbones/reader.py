"""A small network that reads a face: landmarks, action units, pose and who it is, differentiably."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import POINTS

ACTION_SCALE = 5.0  # intensities 0..5 are learned as 0..1
POSE_SCALE = 30.0  # degrees per unit of the pose output
GRID = 8  # the last stage's map is pooled to this side, so that the heads fit every picture size


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
    """Trunk and heads."""

    def __init__(self, *, width: int, embedding: int = 64) -> None:
        super().__init__()
        self.trunk = Trunk(width)
        self.neck = nn.Sequential(
            nn.AdaptiveAvgPool2d(GRID), ConvUnit(8 * width, 8 * width, 2), nn.Flatten(),
            nn.Linear(8 * width * (GRID // 2) ** 2, 256), nn.ReLU(),
        )  # fmt: skip
        self.landmarks = nn.Linear(256, POINTS * 2)
        self.actions = nn.Linear(256, len(ACTION_UNITS))
        self.pose = nn.Linear(256, 3)
        self.embedding = nn.Linear(256, embedding)

    def forward(self, image: Tensor) -> Reading:
        """(B, 3, S, S) in [-1, 1] -> everything."""
        x = self.neck(self.trunk(image)[-1][-1])
        return Reading(
            landmarks=self.landmarks(x).unflatten(1, (POINTS, 2)) + 0.5,
            actions=self.actions(x) * ACTION_SCALE,
            pose=self.pose(x) * POSE_SCALE,
            embedding=self.embedding(x),
        )

    @torch.no_grad()
    def fuse(self) -> "Reader":
        """Ready for use only: evaluation mode, no gradients for weights, normalisation folded away."""
        self.eval().requires_grad_(False)
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fuse()
        return self
