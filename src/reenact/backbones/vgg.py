"""VGG-19 (Simonyan & Zisserman 2014) from the user's own file of published weights; nothing is ever downloaded."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from reenact.errors import BadInput
from reenact.hashing import hash_file

if TYPE_CHECKING:
    from reenact.backbones.features import FeatureMaps

# index in torchvision's `features` -> output channels; a max pooling stands before the keys of POOL_BEFORE
CONVOLUTIONS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256, 19: 512, 21: 512, 23: 512}
POOL_BEFORE = (5, 10, 19)
STAGES = (3, 8, 15, 24)  # relu1_2, relu2_2, relu3_3, relu4_3
IDENTITY = 13  # relu3_2

# ImageNet statistics the published weights were trained with, for RGB in 0..1
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Vgg19:
    """The first eleven convolutions, up to relu4_3; satisfies backbones.features.Features."""

    name = "vgg19"

    def __init__(self, weights: dict[int, tuple[Tensor, Tensor]], *, sha256: str) -> None:
        self.sha256 = sha256
        self.weights = weights

    @classmethod
    def load(cls, path: Path, *, sha256: str) -> "Vgg19":
        """Read a .pth or .safetensors file with keys features.N.weight, features.N.bias; further keys are ignored.

        Raises BadInput where the file is missing, has another checksum, or lacks a layer.
        """
        if not path.is_file():
            raise BadInput(f"{path}: no such file of VGG-19 weights. Name your own, or set features.network: guide.")
        found = hash_file(path)
        if found != sha256:
            raise BadInput(f"{path}: its sha256 is {found}, the settings say {sha256}. It is not the file you mean.")
        return cls(_convolutions(path, _read(path)), sha256=sha256)

    def maps(self, image: Tensor) -> "FeatureMaps":
        """(B, 3, S, S) RGB in [-1, 1] -> the maps of the layers that seed 000 names."""
        from reenact.backbones.features import FeatureMaps

        if next(iter(self.weights.values()))[0].device != image.device:
            self.weights = {n: (w.to(image.device), b.to(image.device)) for n, (w, b) in self.weights.items()}
        mean, deviation = (image.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
        x = ((image + 1) / 2 - mean) / deviation
        after = {}
        for index, (weight, bias) in self.weights.items():
            if index in POOL_BEFORE:
                x = F.max_pool2d(x, 2)
            x = F.conv2d(x, weight, bias, padding=1).relu()
            after[index + 1] = x
        return FeatureMaps(tuple(after[index] for index in STAGES), after[IDENTITY])

    def stages(self, image: Tensor) -> tuple[Tensor, ...]:
        """relu1_2, relu2_2, relu3_3, relu4_3."""
        return self.maps(image).stages

    def identity(self, image: Tensor) -> Tensor:
        """relu3_2."""
        return self.maps(image).identity


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise whatever a foreign file leads them to
        raise BadInput(f"{path}: no readable file of weights ({type(error).__name__}: {error}).") from None
    if not isinstance(state, dict):
        raise BadInput(f"{path}: expected a table of weights by name, found {type(state).__name__}.")
    return state


def _convolutions(path: Path, state: dict[str, Tensor]) -> dict[int, tuple[Tensor, Tensor]]:
    weights, channels = {}, 3
    for index, out in CONVOLUTIONS.items():
        pair = []
        for part, shape in (("weight", (out, channels, 3, 3)), ("bias", (out,))):
            key = f"features.{index}.{part}"
            value = state.get(key)
            if value is None or tuple(value.shape) != shape:
                found = "missing" if value is None else f"of shape {tuple(value.shape)}"
                raise BadInput(f"{path}: {key} of VGG-19 should be of shape {shape}, it is {found}.")
            pair.append(value.detach().float())
        weights[index] = (pair[0], pair[1])
        channels = out
    return weights
