"""What judges are told: settings alone, so that reading them costs nothing."""

from pydantic import Field

from reenact.config import Settings


class OpenFaceSettings(Settings):
    """OpenFace as a judge; see evaluation/openface_judge.py."""

    folder: str = ""  # of KEY.csv, where the pictures without one are put as KEY.png
    command: tuple[str, ...] = ()  # OpenFace's FaceLandmarkImg, to be run by us; {folder} is the folder of the pictures
    timeout_seconds: float = Field(default=3600.0, gt=0)
    least_confidence: float = Field(default=0.8, ge=0, le=1)  # faces below count as not found
    version: str = ""  # which OpenFace: stands in the judge's name, so that tables tell versions apart
