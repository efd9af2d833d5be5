"""Settings of the extraction: size and storage of the crops, and how faces are found."""

from typing import Literal

from pydantic import Field, field_validator

from reenact.config import Settings
from reenact.labelling.backends import LANDMARK_BACKENDS, known_backend
from reenact.labelling.finding import DetectSettings
from reenact.labelling.synthetic.models import SyntheticModel
from reenact.labelling.tracking import TrackSettings

STAGE = "extract_frames"  # as quarantine and results name it


class ExtractFramesSettings(Settings):
    """Size and storage of the crops, and how faces are found."""

    size: int = Field(default=128, ge=16, le=4096)  # side of the stored crops in pixels
    codec: Literal["raw", "jpeg"] = "raw"
    quality: int = Field(default=95, ge=1, le=100)  # of jpeg
    every: int = Field(default=1, ge=1)  # take every n-th frame
    max_frames: int = Field(default=0, ge=0)  # per clip, 0: all
    min_frames: int = Field(default=3, ge=1)  # a clip with fewer goes to quarantine; a triplet needs three
    shard_clips: int = Field(default=8, ge=1)  # at most so many videos are stored and processed together
    shard_stills: int = Field(default=512, ge=1)  # and so many single pictures
    crop_scale: float = Field(
        default=2.5, ge=1, le=10
    )  # side of the crop in sizes of the landmarks' box, as in seed 000
    patience: float = Field(default=25.0, gt=0)  # s without a new frame after which a video is given up
    backend: str = "dlib"  # or synthetic: dlib's detector finds a face, the network follows it at any turn
    synthetic: SyntheticModel = SyntheticModel()
    detect: DetectSettings = DetectSettings()
    tracks: TrackSettings = TrackSettings()

    @field_validator("backend")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_backend(name, LANDMARK_BACKENDS)
