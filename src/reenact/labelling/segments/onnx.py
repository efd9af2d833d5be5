"""Segments by a face-parsing network of the user's, an ONNX file run by OpenCV: the backend `onnx`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reenact.config import Settings
from reenact.corpus.shards import FrameReader, Image
from reenact.errors import SettingsError
from reenact.hashing import hash_file
from reenact.labelling.segments.classes import CELEBA_MASK, ClassSettings
from reenact.labelling.segments.place import SIDE

_WHERE = "label_segments.onnx"


class OnnxSettings(Settings):
    """The network and what it wants: RGB of `size` x `size`, 0..1, less `mean`, divided by `deviation`."""

    file: str = ""
    sha256: str = ""  # of the file; another file under this name is refused
    size: int = Field(default=512, ge=16, le=4096)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    classes: ClassSettings = CELEBA_MASK


class OnnxSegments:
    """A network (1, 3, S, S) -> (1, classes, s, s); its licence is the user's to know."""

    def __init__(self, settings: OnnxSettings) -> None:
        self._settings = settings
        path = checked_file(settings)
        try:
            self._network: Any = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise SettingsError(f"{_WHERE}.file: {path}: OpenCV can't load this network ({_first(error)}).") from None

    def __call__(self, images: FrameReader | Sequence[Image]) -> NDArray[np.uint8]:
        """(N, 128, 128) of N RGB uint8 (S, S, 3) pictures."""
        segments = np.zeros((len(images), SIDE, SIDE), dtype=np.uint8)
        for row in range(len(images)):
            segments[row] = self._one(np.asarray(images[row]))
        return segments

    def _one(self, image: Image) -> NDArray[np.uint8]:
        size = self._settings.size
        way = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR
        values = cv2.resize(image, (size, size), interpolation=way).astype(np.float64) / 255
        values = (values - np.array(self._settings.mean)) / np.array(self._settings.deviation)
        try:
            self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32))
            scores = np.asarray(self._network.forward())
        except cv2.error as error:
            raise SettingsError(
                f"{_WHERE}: {self._settings.file} does not run on a picture of {size} px ({_first(error)})."
            ) from None
        if scores.ndim != 4 or scores.shape[0] != 1 or not 2 <= scores.shape[1] <= 256:
            raise SettingsError(
                f"{_WHERE}: {self._settings.file} gives {scores.shape}, expected (1, classes, height, width)."
            )
        most = max((*self._settings.classes.face, *self._settings.classes.hair), default=0)
        if most >= scores.shape[1]:
            raise SettingsError(
                f"{_WHERE}.classes: the network has {scores.shape[1]} classes, from 0; there is no {most}."
            )
        classes = scores[0].argmax(axis=0).astype(np.uint8)
        return self._settings.classes.segments(
            np.asarray(cv2.resize(classes, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT))
        )


def checked_file(settings: OnnxSettings) -> Path:
    """The network's file, after its checksum was found right."""
    if not settings.file:
        raise SettingsError(f"{_WHERE}.file: name the ONNX file of a face-parsing network, and its sha256.")
    path = Path(settings.file)
    if not path.is_file():
        raise SettingsError(f"{_WHERE}.file: {path}: there is no such file.")
    found = hash_file(path)
    if not settings.sha256:
        raise SettingsError(f"{_WHERE}.sha256: missing; {path} has {found}. Set it, if this is the network you mean.")
    if found != settings.sha256.lower():
        raise SettingsError(f"{_WHERE}.sha256: {path} has {found}, the settings say {settings.sha256}.")
    return path


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
