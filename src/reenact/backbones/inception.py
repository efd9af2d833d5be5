"""The Inception v3 that FID is defined by, from the user's file in pytorch-fid's key layout.

It is the network of TensorFlow's `inception-2015-12-05` graph, which differs from torchvision's Inception v3: average
poolings don't count the border, and the last block pools by maximum. Architecture: Szegedy et al. 2016. The weights
are published under Apache 2.0; the pictures that they were trained on, ImageNet, are for research only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.backbones.weights import read_weights, tensor

SIDE, FEATURES = 299, 2048
EPSILON = 0.001  # of the batch normalisations


class Layer(NamedTuple):
    """A convolution without bias, batch normalisation, ReLU; `pad` keeps the size."""

    name: str
    out: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    pad: bool = True


# A branch is a chain of layers; a tuple of layers, at its end, forks and is concatenated again.
Branch = tuple[Layer | tuple[Layer, ...], ...]


class Block(NamedTuple):
    """Branches side by side, concatenated in this order; the last one follows the pooling, if it has any layer."""

    name: str
    pool: str  # "average", "maximum", or "halve": maximum with stride 2
    branches: tuple[Branch, ...]


def _five(name: str, pooled: int) -> Block:
    return Block(name, "average", (
        (Layer("branch1x1", 64),),
        (Layer("branch5x5_1", 48), Layer("branch5x5_2", 64, (5, 5))),
        (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)), Layer("branch3x3dbl_3", 96, (3, 3))),
        (Layer("branch_pool", pooled),),
    ))  # fmt: skip


def _six(name: str, inner: int) -> Block:
    wide, high = (1, 7), (7, 1)
    return Block(name, "average", (
        (Layer("branch1x1", 192),),
        (Layer("branch7x7_1", inner), Layer("branch7x7_2", inner, wide), Layer("branch7x7_3", 192, high)),
        (Layer("branch7x7dbl_1", inner), Layer("branch7x7dbl_2", inner, high), Layer("branch7x7dbl_3", inner, wide),
         Layer("branch7x7dbl_4", inner, high), Layer("branch7x7dbl_5", 192, wide)),
        (Layer("branch_pool", 192),),
    ))  # fmt: skip


def _seven(name: str, pool: str) -> Block:
    wide, high = (1, 3), (3, 1)
    return Block(name, pool, (
        (Layer("branch1x1", 320),),
        (Layer("branch3x3_1", 384), (Layer("branch3x3_2a", 384, wide), Layer("branch3x3_2b", 384, high))),
        (Layer("branch3x3dbl_1", 448), Layer("branch3x3dbl_2", 384, (3, 3)),
         (Layer("branch3x3dbl_3a", 384, wide), Layer("branch3x3dbl_3b", 384, high))),
        (Layer("branch_pool", 192),),
    ))  # fmt: skip


STEM: tuple[Layer | None, ...] = (  # None: a maximum pooling that halves
    Layer("Conv2d_1a_3x3", 32, (3, 3), stride=2, pad=False),
    Layer("Conv2d_2a_3x3", 32, (3, 3), pad=False),
    Layer("Conv2d_2b_3x3", 64, (3, 3)),
    None,
    Layer("Conv2d_3b_1x1", 80),
    Layer("Conv2d_4a_3x3", 192, (3, 3), pad=False),
    None,
)

BLOCKS = (
    _five("Mixed_5b", 32), _five("Mixed_5c", 64), _five("Mixed_5d", 64),
    Block("Mixed_6a", "halve", (
        (Layer("branch3x3", 384, (3, 3), stride=2, pad=False),),
        (Layer("branch3x3dbl_1", 64), Layer("branch3x3dbl_2", 96, (3, 3)),
         Layer("branch3x3dbl_3", 96, (3, 3), stride=2, pad=False)),
        (),
    )),
    _six("Mixed_6b", 128), _six("Mixed_6c", 160), _six("Mixed_6d", 160), _six("Mixed_6e", 192),
    Block("Mixed_7a", "halve", (
        (Layer("branch3x3_1", 192), Layer("branch3x3_2", 320, (3, 3), stride=2, pad=False)),
        (Layer("branch7x7x3_1", 192), Layer("branch7x7x3_2", 192, (1, 7)), Layer("branch7x7x3_3", 192, (7, 1)),
         Layer("branch7x7x3_4", 192, (3, 3), stride=2, pad=False)),
        (),
    )),
    _seven("Mixed_7b", "average"), _seven("Mixed_7c", "maximum"),
)  # fmt: skip


class FidInception:
    """Pictures -> the 2048 features whose Frechet distance is FID."""

    name = "FID Inception (2015-12-05)"

    def __init__(self, weights: dict[str, tuple[Tensor, Tensor]], *, sha256: str) -> None:
        self.weights, self.sha256 = weights, sha256

    @classmethod
    def load(cls, path: Path, *, sha256: str) -> "FidInception":
        """Read a checked file of pytorch-fid's `pt_inception-2015-12-05` layout; further keys are ignored.

        Raises BadInput where it can't be read, or a key is missing or of another shape.
        """
        state, weights = read_weights(path), {}
        for name, channels, layer in layers():
            shape = (layer.out, channels, *layer.kernel)
            convolution = tensor(state, f"{name}.conv.weight", shape, path=path, network="Inception").double()
            scale, shift, mean, variance = (
                tensor(state, f"{name}.bn.{part}", (layer.out,), path=path, network="Inception").double()
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            # The normalisation is folded into the convolution.
            scale = scale / torch.sqrt(variance + EPSILON)
            weights[name] = ((convolution * scale[:, None, None, None]).float(), (shift - mean * scale).float())
        return cls(weights, sha256=sha256)

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """(B, H, W, 3) uint8 RGB -> (B, 2048) float32.

        Enlarged or reduced to 299 px as pytorch-fid does: bilinear between pixel centres, without antialiasing; values
        in [-1, 1].
        """
        self._follow(pictures.device)
        x = pictures.permute(0, 3, 1, 2).float() / 255
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        x = 2 * x - 1
        for layer in STEM:
            x = F.max_pool2d(x, 3, 2) if layer is None else self._apply(layer.name, layer, x)
        for block in BLOCKS:
            x = torch.cat(list(self._branches(block, x)), dim=1)
        return x.mean(dim=(2, 3))

    def _branches(self, block: Block, x: Tensor) -> Iterator[Tensor]:
        for number, branch in enumerate(block.branches):
            y = _pooled(block.pool, x) if number == len(block.branches) - 1 else x
            for step in branch:
                fork = step if not isinstance(step, Layer) else (step,)
                y = torch.cat([self._apply(f"{block.name}.{layer.name}", layer, y) for layer in fork], dim=1)
            yield y

    def _apply(self, name: str, layer: Layer, x: Tensor) -> Tensor:
        padding = (layer.kernel[0] // 2, layer.kernel[1] // 2) if layer.pad else 0
        weight, bias = self.weights[name]
        return F.conv2d(x, weight, bias, stride=layer.stride, padding=padding).relu_()

    def _follow(self, device: torch.device) -> None:
        if next(iter(self.weights.values()))[0].device != device:
            self.weights = {name: (w.to(device), b.to(device)) for name, (w, b) in self.weights.items()}


def _pooled(pool: str, x: Tensor) -> Tensor:
    if pool == "halve":
        return F.max_pool2d(x, 3, 2)
    if pool == "maximum":
        return F.max_pool2d(x, 3, 1, padding=1)
    return F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)


def layers() -> Iterator[tuple[str, int, Layer]]:
    """Every convolution: the name that its keys begin with, and its input channels."""
    channels = 3
    for layer in STEM:
        if layer is not None:
            yield layer.name, channels, layer
            channels = layer.out
    for block in BLOCKS:
        total = 0
        for branch in block.branches:
            inner = channels
            for step in branch:
                fork = step if not isinstance(step, Layer) else (step,)
                for layer in fork:
                    yield f"{block.name}.{layer.name}", inner, layer
                inner = sum(layer.out for layer in fork)
            total += inner
        channels = total
