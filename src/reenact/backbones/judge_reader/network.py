"""The judge reader's network: depthwise-separable residual blocks, and a face's shape found in two steps.

The guide (`backbones/reader.py`) looks for single points in maps of dense convolutions; nothing here is built like it,
so that what pleases the one need not please the other. Blocks: Sandler et al. 2018 (MobileNetV2). A shape is a mean and
a weighted sum of principal components (Cootes et al. 1995), first of the whole view, then corrected by what is seen at
its points, as in cascaded shape regression (Cao et al. 2012).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reenact.backbones.judge_reader.views import EMBEDDING, SIZE
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import POINTS

POSE_SCALE = 30.0  # degrees per unit
ACTION_SCALE = 5.0  # intensities 0..5 are learned as 0..1
GRID = SIZE // 16  # side of the last map
LOCAL = 24  # numbers that are looked up at each point


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the network says of B views."""

    landmarks: Tensor  # (B, 68, 2) in sides of the view
    rough: Tensor  # (B, 68, 2) of the first step, for training
    pose: Tensor  # (B, 3) degrees
    actions: Tensor  # (B, 17) 0..5, not clipped
    embedding: Tensor  # (B, EMBEDDING), not normalised
    face: Tensor  # (B,) logits


class JudgeReader(nn.Module):
    """Trunk of inverted residuals; heads: rough shape, then shape, pose, action units and face, and identity."""

    def __init__(self, *, hidden: int = 256, codes: int = 48) -> None:
        super().__init__()
        self.quarter = nn.Sequential(
            _unit(3, 24, 3, stride=2), _unit(24, 32, 3, stride=2), *(InvertedResidual(32) for _ in range(2))
        )
        self.eighth = nn.Sequential(_unit(32, 64, 3, stride=2), *(InvertedResidual(64) for _ in range(3)))
        self.sixteenth = nn.Sequential(_unit(64, 128, 3, stride=2), *(InvertedResidual(128) for _ in range(3)))
        self.coarse = _unit(128, 48, 1)  # its places stay apart: a wink is not a smile
        self.whole = _mixed(48 * GRID**2, hidden)
        self.codes = nn.Linear(hidden, codes)
        self.points = nn.Linear(codes, POINTS * 2)
        self.near, self.around = _unit(32, LOCAL, 1, bends=False), _unit(64, LOCAL, 1, bends=False)
        self.closer = _mixed(hidden + POINTS * (LOCAL + 2), hidden)
        self.correction = nn.Linear(hidden, codes)
        self.rest = nn.Linear(hidden, 3 + len(ACTION_UNITS) + 1)
        self.wide = _unit(128, 256, 1)
        self.identity = nn.Linear(256, EMBEDDING)
        self.balance = nn.BatchNorm1d(EMBEDDING, affine=False)

    def forward(self, views: Tensor) -> Answer:
        """(B, 3, SIZE, SIZE) RGB in 0..255 -> everything."""
        quarter = self.quarter(views.div(64.0).sub(2.0))
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        whole = self.whole(self.coarse(sixteenth).flatten(1)).float()
        around = F.interpolate(self.around(eighth), size=quarter.shape[-2:], mode="nearest")
        local = (self.near(quarter) + around).relu().float()
        who = self.wide(sixteenth).mean(dim=(2, 3)).float()
        with torch.autocast(views.device.type, enabled=False):  # 16 bits can't tell a lid's height
            rough = self.points(self.codes(whole))
            places = rough.detach().unflatten(1, (POINTS, 2))
            seen = F.grid_sample(local, places[:, :, None] * 2 - 1, padding_mode="border", align_corners=False)
            closer = self.closer(torch.cat([whole, seen.flatten(1), _relative(places).flatten(1)], dim=1))
            pose, actions, face = self.rest(closer).split([3, len(ACTION_UNITS), 1], dim=1)
            return Answer(
                landmarks=(rough + F.linear(self.correction(closer), self.points.weight)).unflatten(1, (POINTS, 2)),
                rough=rough.unflatten(1, (POINTS, 2)),
                pose=pose * POSE_SCALE,
                actions=actions * ACTION_SCALE,
                embedding=self.balance(self.identity(who)),
                face=face[:, 0],
            )

    @torch.no_grad()
    def begin_with(self, landmarks: Tensor, actions: Tensor) -> None:
        """Start from what true answers look like: the mean and principal components of (N, 68, 2) landmarks of views,
        and the mean of (N, 17) action units. A shape is then learned as a few dozen numbers of unit size."""
        flat = landmarks.flatten(1)
        mean = flat.mean(dim=0)
        _, deviations, directions = torch.linalg.svd(flat - mean, full_matrices=False)
        count = min(self.points.in_features, len(deviations))
        self.points.weight.zero_()
        self.points.weight[:, :count] = (directions[:count] * (deviations[:count, None] / len(flat) ** 0.5)).T
        self.points.bias.copy_(mean)
        for layer in (self.correction, self.rest):
            layer.weight.zero_()
            layer.bias.zero_()
        self.rest.bias[3:-1] = actions.mean(dim=0) / ACTION_SCALE


class InvertedResidual(nn.Module):
    """x + narrow(depthwise(widen(x)))."""

    def __init__(self, channels: int, widen: int = 3) -> None:
        super().__init__()
        wide = widen * channels
        self.inner = nn.Sequential(
            _unit(channels, wide, 1), _unit(wide, wide, 3, groups=wide), _unit(wide, channels, 1, bends=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        return x + self.inner(x)


def _mixed(numbers: int, out: int) -> nn.Sequential:
    """All with all, normalised over the batch, ReLU: without the normalisation a whole layer can fall silent."""
    return nn.Sequential(nn.Linear(numbers, out, bias=False), nn.BatchNorm1d(out), nn.ReLU())


def _relative(points: Tensor) -> Tensor:
    """(B, P, 2) about their centroid, in units of their spread."""
    centred = points - points.mean(dim=1, keepdim=True)
    return centred / centred.square().sum(dim=-1).mean(dim=1).sqrt().clamp_min(1e-3)[:, None, None]


def _unit(channels: int, out: int, side: int, *, stride: int = 1, groups: int = 1, bends: bool = True) -> nn.Sequential:
    """Convolution, batch normalisation and, where it `bends`, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, side, stride=stride, padding=side // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if bends else []))


def fused(network: JudgeReader) -> JudgeReader:
    """Ready for use only: evaluation mode, no gradients, each normalisation folded into the convolution before it."""
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d):
            norm = module[1]
            assert isinstance(norm, nn.BatchNorm2d)
            module[0], module[1] = fuse_conv_bn_eval(module[0], norm), nn.Identity()
    return network
