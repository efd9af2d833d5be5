"""VGG-19 and VGG-16 (Simonyan & Zisserman 2014) from the user's own file of published weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch.nn.functional as F
from torch import Tensor

from reenact.backbones.weights import read_weights, tensor

if TYPE_CHECKING:
    from reenact.backbones.features import FeatureMaps

# ImageNet statistics the published weights were trained with, for RGB in 0..1
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Layout(NamedTuple):
    """A network's layers up to relu5_1, by their index in torchvision's `features`."""

    title: str
    convolutions: Mapping[int, int]  # index -> output channels
    pool_before: tuple[int, ...]  # convolutions with a max pooling before them
    stages: tuple[int, ...]  # relu1_2, relu2_2, relu3_3, relu4_3
    firsts: tuple[int, ...]  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
    identity: int = 13  # relu3_2


LAYOUTS: Mapping[str, Layout] = {
    "vgg19": Layout(
        title="VGG-19",
        convolutions={0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256, 19: 512, 21: 512, 23: 512,
                      25: 512, 28: 512},
        pool_before=(5, 10, 19, 28),
        stages=(3, 8, 15, 24),
        firsts=(1, 6, 11, 20, 29),
    ),
    "vgg16": Layout(
        title="VGG-16",
        convolutions={0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512},
        pool_before=(5, 10, 17, 24),
        stages=(3, 8, 15, 22),
        firsts=(1, 6, 11, 18, 25),
    ),
}  # fmt: skip


class Vgg:
    """The convolutions up to relu5_1; satisfies backbones.features.Features."""

    def __init__(self, name: str, weights: dict[int, tuple[Tensor, Tensor]], *, sha256: str) -> None:
        self.name = name
        self.sha256 = sha256
        self.layout = LAYOUTS[name]
        self.weights = weights

    @classmethod
    def load(cls, name: str, path: Path, *, sha256: str) -> "Vgg":
        """Read a checked .pth or .safetensors file with keys features.N.weight, features.N.bias; others are ignored.

        `name` is one of LAYOUTS. Raises BadInput where the file can't be read or lacks a layer.
        """
        layout = LAYOUTS[name]
        state, weights, channels = read_weights(path), {}, 3
        for index, out in layout.convolutions.items():
            shapes = {"weight": (out, channels, 3, 3), "bias": (out,)}
            weight, bias = (
                tensor(state, f"features.{index}.{part}", shape, path=path, network=layout.title)
                for part, shape in shapes.items()
            )
            weights[index] = (weight, bias)
            channels = out
        return cls(name, weights, sha256=sha256)

    def maps(self, image: Tensor) -> "FeatureMaps":
        """(B, 3, S, S) RGB in [-1, 1] -> the maps of the layers that seed 000 names."""
        from reenact.backbones.features import FeatureMaps

        after = self._layers(image, last=max(self.layout.stages))
        return FeatureMaps(tuple(after[index] for index in self.layout.stages), after[self.layout.identity])

    def firsts(self, image: Tensor) -> tuple[Tensor, ...]:
        """relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""
        after = self._layers(image, last=max(self.layout.firsts))
        return tuple(after[index] for index in self.layout.firsts)

    def _layers(self, image: Tensor, *, last: int) -> dict[int, Tensor]:
        """What each ReLU gives, by its index, up to `last`."""
        if next(iter(self.weights.values()))[0].device != image.device:
            self.weights = {n: (w.to(image.device), b.to(image.device)) for n, (w, b) in self.weights.items()}
        mean, deviation = (image.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
        x = ((image + 1) / 2 - mean) / deviation
        after = {}
        for index, (weight, bias) in self.weights.items():
            if index >= last:
                break
            if index in self.layout.pool_before:
                x = F.max_pool2d(x, 2)
            x = F.conv2d(x, weight, bias, padding=1).relu()
            after[index + 1] = x
        return after

    def stages(self, image: Tensor) -> tuple[Tensor, ...]:
        """relu1_2, relu2_2, relu3_3, relu4_3."""
        return self.maps(image).stages

    def identity(self, image: Tensor) -> Tensor:
        """relu3_2."""
        return self.maps(image).identity
