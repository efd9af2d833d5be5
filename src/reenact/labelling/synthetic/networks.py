"""Two small networks that read a gray view of a face: 68 3D points, visibility, the head's turn, and if it is one.

They differ on purpose, so that one can judge what was made with the other's help: `PointMaps` finds each point in a map
of its own, `ShapeCodes` never looks for single points but says which combination of whole-face shapes it sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reenact.faces.landmarks import POINTS

TURN = 6  # numbers from which a rotation is made


@dataclass(frozen=True)
class Answer:
    """What a network says of B views."""

    points: Tensor  # (B, 68, 3) in sides of the view: x, y from its corner, z away from the camera with mean 0
    visibility: Tensor  # (B, 68) logits
    turn: Tensor  # (B, 3, 3) rotation matrices, see `faces.pose`
    face: Tensor  # (B,) logits


class ConvUnit(nn.Sequential):
    """3 x 3 convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        )


class Residual(nn.Module):
    """x + two convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            ConvUnit(channels, channels), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return F.relu(x + self.inner(x))


class PointMaps(nn.Module):
    """Points are centres of mass of 68 maps at a quarter of the resolution; depth, turn and visibility follow from
    where they lie and from the whole view."""

    def __init__(self, *, width: int = 24, hidden: int = 192) -> None:
        super().__init__()
        w = width
        self.stem = ConvUnit(1, w, 2)
        self.quarter = nn.Sequential(ConvUnit(w, 2 * w, 2), Residual(2 * w))
        self.eighth = nn.Sequential(ConvUnit(2 * w, 4 * w, 2), Residual(4 * w))
        self.sixteenth = nn.Sequential(ConvUnit(4 * w, 4 * w, 2), Residual(4 * w))
        self.fine = nn.Conv2d(2 * w, 3 * w, 1)
        self.middle = nn.Conv2d(4 * w, 3 * w, 1)
        self.coarse = nn.Conv2d(4 * w, 3 * w, 1)
        self.mixed = ConvUnit(3 * w, 3 * w)
        self.maps = nn.Conv2d(3 * w, POINTS, 1)
        self.rest = nn.Sequential(nn.Linear(2 * POINTS + 4 * w * 16, hidden), nn.ReLU())
        self.out = nn.Linear(hidden, POINTS + POINTS + TURN + 1)

    def forward(self, gray: Tensor) -> Answer:
        """(B, 1, S, S) 0..255, S a multiple of 16."""
        quarter = self.quarter(self.stem(standardised(gray)))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        size = [int(side) for side in quarter.shape[-2:]]
        below = F.interpolate(self.coarse(sixteenth), size=[int(s) for s in eighth.shape[-2:]], mode="nearest")
        below = F.interpolate((self.middle(eighth) + below).relu(), size=size, mode="nearest")
        flat = centres(self.maps(self.mixed((self.fine(quarter) + below).relu())))
        # The chin may lie outside the view: maps reach a tenth further than they are.
        flat = (flat - 0.5) * 1.2 + 0.5
        seen = F.adaptive_avg_pool2d(sixteenth, 4).flatten(1)
        relative = (flat - flat.mean(dim=1, keepdim=True)) * 10.0
        rest = self.out(self.rest(torch.cat([relative.flatten(1), seen], dim=1))).float()
        depth, visible, turn, face = rest.split([POINTS, POINTS, TURN, 1], dim=1)
        depth = (depth - depth.mean(dim=1, keepdim=True)) * 0.1
        return Answer(torch.cat([flat, depth[..., None]], dim=-1), visible, rotations(turn), face[:, 0])


class ShapeCodes(nn.Module):
    """Points are a mean face plus a weighted sum of principal components of drawn faces in their views."""

    mean: Tensor
    basis: Tensor

    def __init__(self, *, width: int = 16, hidden: int = 256, codes: int = 48) -> None:
        super().__init__()
        w = width
        stages: list[nn.Module] = [ConvUnit(1, w)]
        for channels, out in ((w, 2 * w), (2 * w, 4 * w), (4 * w, 6 * w), (6 * w, 8 * w)):
            stages += [nn.MaxPool2d(2), ConvUnit(channels, out), ConvUnit(out, out)]
        self.trunk = nn.Sequential(*stages)
        self.rest = nn.Sequential(nn.Linear(8 * w * 16, hidden), nn.ReLU())
        self.out = nn.Linear(hidden, codes + POINTS + TURN + 1)
        self.codes = codes
        self.register_buffer("mean", torch.zeros(POINTS, 3))
        self.register_buffer("basis", torch.zeros(codes, POINTS, 3))  # one standard deviation each

    def forward(self, gray: Tensor) -> Answer:
        """(B, 1, S, S) 0..255, S a multiple of 16."""
        seen = F.adaptive_avg_pool2d(self.trunk(standardised(gray)), 4).flatten(1)
        codes, visible, turn, face = self.out(self.rest(seen)).float().split([self.codes, POINTS, TURN, 1], dim=1)
        points = self.mean + torch.einsum("bk,kpc->bpc", codes, self.basis)
        return Answer(points, visible, rotations(turn), face[:, 0])

    @torch.no_grad()
    def learn_basis(self, points: Tensor) -> None:
        """Take mean and principal components of the points (N, 68, 3) of faces in their views."""
        mean = points.mean(dim=0)
        flat = (points - mean).flatten(1)
        _, deviations, directions = torch.linalg.svd(flat, full_matrices=False)
        scaled = directions[: self.codes] * (deviations[: self.codes, None] / len(points) ** 0.5)
        self.mean.copy_(mean)
        self.basis.copy_(scaled.unflatten(1, (POINTS, 3)))


ARCHITECTURES: Mapping[str, type[nn.Module]] = {"point_maps": PointMaps, "shape_codes": ShapeCodes}


def build(architecture: str, settings: Mapping[str, Any]) -> nn.Module:
    """A network by name, with fresh weights."""
    return ARCHITECTURES[architecture](**settings)


def fused(network: nn.Module) -> nn.Module:
    """Ready for use only: evaluation mode, no gradients, each normalisation folded into the convolution before it."""
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            for at in range(len(module) - 1):
                conv, norm = module[at], module[at + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[at], module[at + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return network


def standardised(gray: Tensor) -> Tensor:
    """Each view with mean 0 and deviation 1: how light it is and how much contrast it has says nothing."""
    mean = gray.mean(dim=(1, 2, 3), keepdim=True)
    return (gray - mean) / gray.std(dim=(1, 2, 3), keepdim=True).clamp_min(4.0)


def centres(maps: Tensor) -> Tensor:
    """Centre of mass of exp(maps): (B, P, h, w) -> (B, P, 2) x, y in 0..1 (Nibali et al. 2018)."""
    h, w = maps.shape[-2:]
    mass = maps.float().flatten(2).softmax(dim=-1).unflatten(2, (h, w))
    y = (torch.arange(h, device=maps.device) + 0.5) / h
    x = (torch.arange(w, device=maps.device) + 0.5) / w
    return torch.stack([(mass.sum(dim=2) * x).sum(dim=-1), (mass.sum(dim=3) * y).sum(dim=-1)], dim=-1)


def rotations(numbers: Tensor) -> Tensor:
    """(B, 6) -> (B, 3, 3): two columns made orthonormal, the third follows (Zhou et al. 2019). Zero: no turn."""
    first = F.normalize(numbers[:, :3] + numbers.new_tensor([1.0, 0.0, 0.0]), dim=1)
    second = numbers[:, 3:] + numbers.new_tensor([0.0, 1.0, 0.0])
    second = F.normalize(second - (first * second).sum(dim=1, keepdim=True) * first, dim=1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)
