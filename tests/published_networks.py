"""The networks that metrics need, written as ordinary modules with random weights: references in the published layout.

The attribute names make the keys, as in the files that pytorch-fid and torchvision publish. Normalisation stays a layer
of its own here, and every pooling is a module.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from onnx_files import onnx_bytes
from reenact.hashing import hash_file


class Basic(nn.Module):
    def __init__(
        self, channels: int, out: int, kernel: int | tuple[int, int], **options: int | tuple[int, int]
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, bias=False, **options)  # type: ignore[arg-type]
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()


class BlockA(nn.Module):
    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Basic(channels, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Basic(channels, 48, 1), Basic(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Basic(channels, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Basic(64, 96, 3, padding=1), Basic(96, 96, 3, padding=1)
        self.branch_pool = Basic(channels, pooled, 1)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat(
            [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), double, self.branch_pool(self.pool(x))], 1
        )


class BlockB(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = Basic(288, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Basic(288, 64, 1), Basic(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Basic(96, 96, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, self.pool(x)], 1)


class BlockC(nn.Module):
    def __init__(self, inner: int) -> None:
        super().__init__()
        row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = Basic(768, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Basic(768, inner, 1), Basic(inner, inner, **row)
        self.branch7x7_3 = Basic(inner, 192, **column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Basic(768, inner, 1), Basic(inner, inner, **column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Basic(inner, inner, **row), Basic(inner, inner, **column)
        self.branch7x7dbl_5 = Basic(inner, 192, **row)
        self.branch_pool = Basic(768, 192, 1)
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(self.pool(x))], 1)


class BlockD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Basic(768, 192, 1), Basic(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Basic(768, 192, 1), Basic(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3, self.branch7x7x3_4 = Basic(192, 192, (7, 1), padding=(3, 0)), Basic(192, 192, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, self.pool(x)], 1)


class BlockE(nn.Module):
    def __init__(self, channels: int, pool: nn.Module) -> None:
        super().__init__()
        row, column = {"kernel": (1, 3), "padding": (0, 1)}, {"kernel": (3, 1), "padding": (1, 0)}
        self.branch1x1, self.branch3x3_1 = Basic(channels, 320, 1), Basic(channels, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Basic(384, 384, **row), Basic(384, 384, **column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Basic(channels, 448, 1), Basic(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Basic(384, 384, **row), Basic(384, 384, **column)
        self.branch_pool, self.pool = Basic(channels, 192, 1), pool

    def forward(self, x: Tensor) -> Tensor:
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forks = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        forks += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(self.pool(x))], 1)


class Inception(nn.Module):
    """FID's network, (B, 3, 299, 299) in [-1, 1] -> (B, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Basic(3, 32, 3, stride=2), Basic(32, 32, 3)
        self.Conv2d_2b_3x3, self.pool_1 = Basic(32, 64, 3, padding=1), nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3, self.pool_2 = Basic(64, 80, 1), Basic(80, 192, 3), nn.MaxPool2d(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = BlockB(), BlockC(128), BlockC(160)
        self.Mixed_6d, self.Mixed_6e, self.Mixed_7a = BlockC(160), BlockC(192), BlockD()
        self.Mixed_7b = BlockE(1280, nn.AvgPool2d(3, 1, 1, count_include_pad=False))
        self.Mixed_7c = BlockE(2048, nn.MaxPool2d(3, 1, 1))
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        for name, layer in self.named_children():
            x = x if name == "fc" else layer(x)
        return x.mean(dim=(2, 3))


@cache
def an_inception() -> Inception:
    """Random weights whose maps neither fade nor grow, and statistics that are not those of a fresh layer."""
    torch.manual_seed(0)
    network = Inception()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return network.eval()


def an_alexnet() -> nn.Sequential:
    """The `features` of torchvision's AlexNet."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ).eval()  # fmt: skip


def write_networks(folder: Path) -> dict[str, Any]:
    """Files of all the networks in their published layouts, as `evaluate.networks` names them; ArcFace is one layer."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(an_inception().state_dict(), folder / "inception.pth")
    torch.save({f"features.{name}": value for name, value in an_alexnet().state_dict().items()}, folder / "alexnet.pth")
    arcface = np.random.default_rng(0).normal(size=(16, 3, 112, 112)).astype(np.float32)
    (folder / "arcface.onnx").write_bytes(onnx_bytes(arcface, 112, flat=True))
    files = {"inception": "inception.pth", "arcface": "arcface.onnx", "lpips": "alexnet.pth"}
    return {
        name: {"file": str(folder / file), "sha256": hash_file(folder / file)} for name, file in files.items()
    }  # fmt: skip
