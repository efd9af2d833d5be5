"""Which frozen networks losses and metrics use, and where their files come from; free of torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings

CACHE = "out/weights"  # where files fetched by address are kept


class WeightsSettings(Settings):
    """A file of published weights: on this disk, or at an address (http, https, s3, file). Nothing set: not there."""

    file: str = ""
    url: str = ""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")  # of the file; another one is refused unread

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.file and self.url:
            raise ValueError("file or url, not both")
        if self.sha256 and not (self.file or self.url):
            raise ValueError("a sha256 of which file? Name it by file or url")
        if self.url and not self.sha256:
            raise ValueError("a url needs the sha256 of the file that is meant")
        return self

    @property
    def given(self) -> bool:
        """Whether a file is named at all."""
        return bool(self.file or self.url)


class LpipsSettings(WeightsSettings):
    """AlexNet as torchvision publishes it; the linear heads of LPIPS v0.1 come with torchmetrics, or from `heads`."""

    heads: WeightsSettings = WeightsSettings()


class NetworkSettings(Settings):
    """Networks of the user's own that metrics and fine-tuning need; without its file a metric's column stays empty."""

    cache: str = CACHE
    inception: WeightsSettings = WeightsSettings()  # fid: pt_inception-2015-12-05-6726825d.pth
    arcface: WeightsSettings = WeightsSettings()  # csim_arcface_*: an ONNX file
    lpips: LpipsSettings = LpipsSettings()  # lpips: alexnet-owt-7be5be79.pth
    vgg19: WeightsSettings = WeightsSettings()  # the one of train.features, for rows of fine-tuned systems
    vgg16: WeightsSettings = WeightsSettings()  # or this one


class FeatureSettings(Settings):
    """`guide`: the reader trained on this corpus. `vgg19`, `vgg16`: published weights of the user's."""

    network: Literal["guide", "vgg19", "vgg16"] = "guide"
    file: str = ""  # of a VGG: a .pth or .safetensors with keys features.N.weight and features.N.bias
    url: str = ""  # or its address; kept in out/weights
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")  # of that file

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.network != "guide" and not (bool(self.file) != bool(self.url) and self.sha256):
            raise ValueError(
                f"network {self.network} needs the file of its weights (file or url) and the file's sha256"
            )
        if self.network == "guide" and (self.file or self.url or self.sha256):
            raise ValueError("file, url and sha256 belong to vgg19 and vgg16; the guide comes from stage train_guide")
        return self

    @property
    def weights(self) -> WeightsSettings:
        """The file of a VGG."""
        return WeightsSettings(file=self.file, url=self.url, sha256=self.sha256)
