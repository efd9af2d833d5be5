"""Limits on what a frame's picture is worth, by its quality columns and its pose."""

from collections.abc import Iterator

from pydantic import Field

from reenact.config import Settings


class FrameLimits(Settings):
    """Each limit is off where it is null; columns as in labelling/quality.py, pose in degrees to either side."""

    max_blur: float | None = Field(default=None, ge=0, le=1)
    min_exposure: float | None = Field(default=None, ge=0, le=1)
    max_exposure: float | None = Field(default=None, ge=0, le=1)
    max_clipped: float | None = Field(default=None, ge=0, le=1)
    min_face_size: float | None = Field(default=None, ge=0)  # px of the video
    min_score: float | None = None  # of the detector, where it looked
    max_occlusion: float | None = Field(default=None, ge=0, le=1)
    max_pitch: float | None = Field(default=None, ge=0, le=180)
    max_yaw: float | None = Field(default=None, ge=0, le=180)
    max_roll: float | None = Field(default=None, ge=0, le=180)

    def ranges(self) -> Iterator[tuple[str, float | None, float | None]]:
        """(column, lowest, highest) of every column that has a limit; a missing value breaks none."""
        for column in ("blur", "exposure", "clipped", "face_size", "score", "occlusion"):
            low, high = getattr(self, f"min_{column}", None), getattr(self, f"max_{column}", None)
            if low is not None or high is not None:
                yield column, low, high
        for column in ("pitch", "yaw", "roll"):
            most = getattr(self, f"max_{column}")
            if most is not None:
                yield column, -most, most
