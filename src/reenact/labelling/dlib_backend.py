"""dlib's frontal face detector (HOG), 68-point predictor and face recognition network.

The model files come in the package `face_recognition_models`. It is located without being imported, since its
`__init__` needs `pkg_resources`, which current setuptools no longer has.

Licences: dlib is under the Boost licence and its recognition network under CC0. The 68-point model was trained on the
iBUG 300-W set, whose licence excludes commercial use: with this backend labels are for research only.
"""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.errors import ReenactError
from reenact.hashing import hash_file
from reenact.labelling.backend import Box, Detection, Gray, Points

_PACKAGE = "face_recognition_models"
LANDMARKS_FILE = "shape_predictor_68_face_landmarks.dat"
RECOGNITION_FILE = "dlib_face_recognition_resnet_model_v1.dat"


def model_file(name: str) -> Path:
    """A model file of the package `face_recognition_models`; raises ReenactError where it isn't installed."""
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise ReenactError(f"{name}: not found; the package {_PACKAGE} is missing. Install reenact with its extra `data`.")


@cache
def model_sha256(name: str) -> str:
    """Hash of a model file: part of what labels are cached by and of every metric that uses it."""
    return hash_file(model_file(name))


@cache
def _hog_detector() -> Any:
    """One per process, whatever the thresholds: building it takes a third of a second."""
    import dlib

    return dlib.get_frontal_face_detector()


class DlibDetector:
    """HOG and a linear classifier over a sliding window of 80 x 80 pixels; frontal faces to about 35 degrees of yaw."""

    name = "dlib-hog"
    smallest = 80.0

    def __init__(self, threshold: float = 0.0) -> None:
        self._detector, self._threshold = _hog_detector(), threshold

    def __call__(self, gray: Gray) -> list[Detection]:
        """Faces of a (H, W) uint8 picture, surest first."""
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(gray), 0, self._threshold)
        # dlib's right and bottom name the last pixel inside; coordinates here are those of pixel edges.
        found = [
            Detection(Box(float(b.left()), float(b.top()), b.right() + 1.0, b.bottom() + 1.0), float(s))
            for b, s in zip(boxes, scores, strict=True)
        ]
        return sorted(found, key=lambda detection: -detection.score)


class DlibLandmarks:
    """An ensemble of regression trees (Kazemi & Sullivan 2014), trained on boxes of the HOG detector."""

    name = "dlib-68"

    def __init__(self) -> None:
        import dlib

        self._rectangle: Any = dlib.rectangle
        self._predictor = dlib.shape_predictor(str(model_file(LANDMARKS_FILE)))

    def __call__(self, gray: Gray, box: Box) -> Points:
        """(68, 2) in pixels of `gray`; dlib rounds to whole pixels, so small faces are better enlarged first."""
        rectangle = self._rectangle(round(box.x0), round(box.y0), round(box.x1) - 1, round(box.y1) - 1)
        shape = self._predictor(np.ascontiguousarray(gray), rectangle)
        return np.array([[part.x + 0.5, part.y + 0.5] for part in shape.parts()], dtype=np.float64)


class DlibRecognition:
    """The 29-layer residual network of dlib's face recognition: 128 numbers a face, distance under 0.6: same person."""

    name = "dlib-resnet-v1"

    def __init__(self) -> None:
        import dlib

        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(model_file(RECOGNITION_FILE)))

    def __call__(self, image: Image, landmarks: Points) -> NDArray[np.float64]:
        """Embedding (128,) of the face in an RGB (H, W, 3) picture, aligned by its (68, 2) landmarks in pixels."""
        dlib = self._dlib
        parts = dlib.points([dlib.point(int(x), int(y)) for x, y in landmarks])
        low, high = landmarks.min(axis=0), landmarks.max(axis=0)
        box = dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        shape = dlib.full_object_detection(box, parts)
        return np.array(self._network.compute_face_descriptor(np.ascontiguousarray(image), shape))
