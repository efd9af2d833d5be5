"""Which frozen network perceptual and identity losses use; free of torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from reenact.config import Settings


class FeatureSettings(Settings):
    """`guide`: the reader trained on this corpus. `vgg19`: the user's own file of published weights, never fetched."""

    network: Literal["guide", "vgg19"] = "guide"
    file: str = ""  # vgg19: a .pth or .safetensors file with keys features.N.weight and features.N.bias
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")  # of that file

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.network == "vgg19" and not (self.file and self.sha256):
            raise ValueError("network vgg19 needs the file of its weights and the file's sha256")
        if self.network == "guide" and (self.file or self.sha256):
            raise ValueError("file and sha256 belong to network vgg19; the guide comes from the stage train_guide")
        return self
