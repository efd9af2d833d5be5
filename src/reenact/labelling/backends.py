"""Backends by name, loaded once per process: a model of 100 MB is not read again for every clip."""

from functools import cache

from reenact.config import nearest
from reenact.errors import SettingsError
from reenact.labelling.backend import Detector, LandmarkPredictor, Recogniser

LANDMARK_BACKENDS = ("dlib",)


@cache
def detector(name: str = "dlib", threshold: float = 0.0) -> Detector:
    """The face detector of a backend."""
    _known(name)
    from reenact.labelling.dlib_backend import DlibDetector

    return DlibDetector(threshold)


@cache
def landmark_predictor(name: str = "dlib") -> LandmarkPredictor:
    """The 68-point predictor of a backend."""
    _known(name)
    from reenact.labelling.dlib_backend import DlibLandmarks

    return DlibLandmarks()


@cache
def recogniser() -> Recogniser:
    """The network that tells people apart."""
    from reenact.labelling.dlib_backend import DlibRecognition

    return DlibRecognition()


def backend_facts(name: str = "dlib") -> dict[str, str]:
    """Versions and hashes that labels of a backend depend on."""
    _known(name)
    import cv2
    import dlib

    from reenact.labelling.dlib_backend import LANDMARKS_FILE, model_sha256

    return {
        "backend": name,
        "dlib": dlib.__version__,
        "opencv": cv2.__version__,
        "sha256": model_sha256(LANDMARKS_FILE),
    }


def _known(name: str) -> None:
    if name not in LANDMARK_BACKENDS:
        raise SettingsError(f'label_landmarks.backend: no backend "{name}"{nearest(name, LANDMARK_BACKENDS)}')
