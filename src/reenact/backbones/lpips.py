"""LPIPS v0.1 on AlexNet (Zhang et al. 2018): how unlike two pictures look to a network trained on ImageNet.

AlexNet is the user's file in torchvision's layout (BSD; trained on ImageNet, which is for research only). The linear
heads, 5 kB (BSD), come with torchmetrics.
"""

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.backbones.weights import read_weights, tensor

# What LPIPS takes off RGB in [-1, 1] and divides by: ImageNet's statistics, as its authors rounded them
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)


class Convolution(NamedTuple):
    """One of AlexNet's; a maximum pooling (3, stride 2) stands before it where `pooled`."""

    number: int  # in torchvision's `features`
    out: int
    kernel: int
    stride: int = 1
    padding: int = 1
    pooled: bool = False


CONVOLUTIONS = (
    Convolution(0, 64, 11, stride=4, padding=2),
    Convolution(3, 192, 5, padding=2, pooled=True),
    Convolution(6, 384, 3, pooled=True),
    Convolution(8, 256, 3),
    Convolution(10, 256, 3),
)


class Lpips:
    """Distances of picture pairs; 0 for equal ones."""

    name = "LPIPS v0.1 (AlexNet)"

    def __init__(self, weights: list[tuple[Tensor, Tensor]], heads: list[Tensor], *, sha256: dict[str, str]) -> None:
        self.weights, self.heads, self.sha256 = weights, heads, sha256

    @classmethod
    def load(cls, alexnet: Path, heads: Path, *, sha256: dict[str, str]) -> "Lpips":
        """Read checked files with keys features.N.weight, features.N.bias and linK.model.1.weight; others are ignored.

        Raises BadInput where a file can't be read, or a key is missing or of another shape.
        """
        state, linear, weights, channels = read_weights(alexnet), read_weights(heads), [], 3
        for layer in CONVOLUTIONS:
            shapes = {"weight": (layer.out, channels, layer.kernel, layer.kernel), "bias": (layer.out,)}
            weight, bias = (
                tensor(state, f"features.{layer.number}.{part}", shape, path=alexnet, network="AlexNet")
                for part, shape in shapes.items()
            )
            weights.append((weight, bias))
            channels = layer.out
        rows = [
            tensor(linear, f"lin{k}.model.1.weight", (1, layer.out, 1, 1), path=heads, network="LPIPS")
            for k, layer in enumerate(CONVOLUTIONS)
        ]
        return cls(weights, rows, sha256=sha256)

    @torch.no_grad()
    def distances(self, a: Tensor, b: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB, twice -> (B,) float32. Pictures below 31 px leave a layer without a pixel.

        d = sum_k mean_xy w_k . (f_k(a) - f_k(b))^2, f_k the k-th ReLU's maps, of unit length at every place
        """
        total = torch.zeros(len(a), device=a.device)
        both = self._maps(torch.cat([a, b]))
        for maps, head in zip(both, self.heads, strict=True):
            one, other = maps.chunk(2)
            total += F.conv2d((one - other).square(), head.to(a.device)).mean(dim=(1, 2, 3))
        return total

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        if self.weights[0][0].device != x.device:
            self.weights = [(w.to(x.device), b.to(x.device)) for w, b in self.weights]
        shift, scale = (x.new_tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
        x, maps = (x - shift) / scale, []
        for layer, (weight, bias) in zip(CONVOLUTIONS, self.weights, strict=True):
            if layer.pooled:
                x = F.max_pool2d(x, 3, 2)
            x = F.conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding).relu()
            maps.append(x / (x.square().sum(dim=1, keepdim=True) + 1e-8).sqrt())
        return maps


def packaged_heads() -> Path:
    """The linear heads of LPIPS v0.1 that torchmetrics brings."""
    import torchmetrics.functional.image

    return Path(torchmetrics.functional.image.__file__).parent / "lpips_models" / "alex.pth"
