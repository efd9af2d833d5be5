"""Frozen feature networks for losses: the guide by default, or the user's own VGG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from reenact.backbones.reader import Reader
from reenact.backbones.settings import CACHE, FeatureSettings, NetworkSettings
from reenact.backbones.vgg import LAYOUTS, Vgg
from reenact.backbones.weights import weights_file
from reenact.corpus.shards import read_stage
from reenact.errors import BadInput
from reenact.hashing import hash_file


class FeatureMaps(NamedTuple):
    """What a network sees in a batch of pictures, each map (B, C, H, W)."""

    stages: tuple[Tensor, ...]  # in the places of VGG-19's relu1_2, relu2_2, relu3_3, relu4_3
    identity: Tensor  # in the place of relu3_2


class Features(Protocol):
    """A frozen network. Gradients flow to the pictures, never to the weights. It follows the pictures' device."""

    name: str
    sha256: str  # of the weights' file

    def maps(self, image: Tensor) -> FeatureMaps:
        """All maps of (B, 3, S, S) in [-1, 1] in one pass."""

    def stages(self, image: Tensor) -> tuple[Tensor, ...]:
        """The four stages alone."""

    def identity(self, image: Tensor) -> Tensor:
        """The identity map alone."""

    def firsts(self, image: Tensor) -> tuple[Tensor, ...]:
        """Five maps in the places of VGG-19's relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""


class GuideFeatures:
    """The guide's trunk; every map is divided by its mean activation on training pictures.

    `scales`: those of four stages and identity, then of the first layers of the second and fourth stage.
    """

    def __init__(self, reader: Reader, *, sha256: str, scales: tuple[float, ...]) -> None:
        self.name = "guide"
        self.sha256 = sha256
        self.reader = reader.fuse()
        self.scales = scales

    def maps(self, image: Tensor) -> FeatureMaps:
        """See `Features.maps`."""
        self.reader.to(image.device)
        *stages, identity = raw_maps(self.reader.trunk(image))[:5]
        scaled = [each / scale for each, scale in zip(stages, self.scales[:4], strict=True)]
        return FeatureMaps(tuple(scaled), identity / self.scales[4])

    def stages(self, image: Tensor) -> tuple[Tensor, ...]:
        """See `Features.stages`."""
        return self.maps(image).stages

    def identity(self, image: Tensor) -> Tensor:
        """See `Features.identity`."""
        return self.maps(image).identity

    def firsts(self, image: Tensor) -> tuple[Tensor, ...]:
        """The first layer of each of the four stages, and the last layer of all: the guide has no fifth stage."""
        if len(self.scales) < 7:
            raise BadInput("this guide was trained before its first layers had scales. Run train_guide again.")
        self.reader.to(image.device)
        last, third, second, fourth = (3, 4, 5, 6)
        found = raw_maps(self.reader.trunk(image))
        return tuple(found[place] / self.scales[place] for place in (0, second, third, fourth, last))


def raw_maps(layers: Sequence[Sequence[Tensor]]) -> tuple[Tensor, ...]:
    """Of a trunk's layers: the last of each of the four stages, the identity map, the first of second and fourth.

    VGG's relu3_2 is a layer inside the block whose later layer relu3_3 is the perceptual loss' third map; in the
    guide's two-layer stages that is the first layer of the third stage. The first stage has one layer only.
    """
    return (*(stage[-1] for stage in layers), layers[2][0], layers[1][0], layers[3][0])


@torch.no_grad()
def mean_activations(reader: Reader, batches: list[Tensor]) -> tuple[float, ...]:
    """Mean of each map of `raw_maps` over batches of pictures."""
    reader.eval()
    sums = torch.zeros(7, dtype=torch.float64)
    for images in batches:
        sums += torch.stack([each.double().mean().cpu() for each in raw_maps(reader.trunk(images))])
    return tuple((sums / len(batches)).tolist())


def load_features(guide: Path, settings: FeatureSettings) -> Features:
    """The network that settings ask for; `guide` is the folder of the stage `train_guide`.

    Raises BadInput where the file is missing, damaged or not the one whose checksum is known.
    """
    if settings.network != "guide":
        path = weights_file(settings.weights, where="train.features", cache=Path(CACHE))
        return Vgg.load(settings.network, path, sha256=settings.sha256)
    reader, facts = load_reader(guide)
    return GuideFeatures(reader, sha256=facts["sha256"], scales=tuple(facts["scales"]))


def features_again(guide: Path, known: Mapping[str, str] | None, networks: NetworkSettings) -> Features | None:
    """The network behind a training's losses, by what the trained system's card says of it (name, sha256).

    Raises BadInput where the guide is another one by now, or the file of the VGG is not given.
    """
    if known is None:
        return None
    name = known["name"]
    if name in LAYOUTS:
        own = {"vgg19": networks.vgg19, "vgg16": networks.vgg16}[name]
        where = f"evaluate.networks.{name}"
        if not own.given:
            raise BadInput(f"fine-tuning needs the {LAYOUTS[name].title} of the training: name its file in {where}.")
        path = weights_file(own, where=where, cache=Path(networks.cache))
        found: Features = Vgg.load(name, path, sha256=own.sha256)
    else:
        found = load_features(guide, FeatureSettings())
    if found.sha256 != known["sha256"]:
        raise BadInput(
            f"fine-tuning needs the network of the training, {name} {known['sha256'][:12]}; this is "
            f"{found.sha256[:12]}. Run train again."
        )
    return found


def load_reader(guide: Path) -> tuple[Reader, dict[str, Any]]:
    """The guide's network and the facts its stage wrote."""
    facts = read_stage(guide, kind="guide")
    path = guide / "reader.safetensors"
    if not path.exists() or hash_file(path) != facts["sha256"]:
        raise BadInput(f"{path}: not the weights that {guide / 'stage.json'} tells of. Run train_guide again.")
    reader = Reader(width=facts["width"], embedding=facts["embedding"])
    try:
        reader.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(f"{path}: no weights of this reader ({error}). Run train_guide again.") from None
    return reader, facts
