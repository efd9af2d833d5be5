"""Backends by name, loaded once per process: a model of 100 MB is not read again for every clip."""

from collections.abc import Sequence
from functools import cache

from reenact.config import nearest
from reenact.errors import SettingsError
from reenact.labelling.backend import Confirmer, Detector, LandmarkPredictor, Recogniser
from reenact.labelling.synthetic.models import SyntheticModel, synthetic_facts

# Those that also follow faces through a video, and those that only label what was followed.
LANDMARK_BACKENDS = ("dlib", "synthetic")
FILE_BACKENDS = ("files", "openface_csv")
LANDMARK_LABELLERS = (*LANDMARK_BACKENDS, *FILE_BACKENDS, "face_alignment", "external")
ACTION_LABELLERS = ("fit", *FILE_BACKENDS, "openface", "py_feat", "external")

_LICENCES = {
    "dlib": "research only: the 68-point model was trained on iBUG 300-W",
    "synthetic": "of this project: the network was trained on drawn faces only",
    "files": "that of the data set's annotations",
    "openface_csv": "research only: OpenFace's licence excludes commercial use",
    "face_alignment": "code BSD; weights trained on 300W-LP, for research only",
    "external": "that of the program named by label_landmarks.external.command",
}
_ACTION_LICENCES = {
    "fit": "that of the landmarks",
    "files": _LICENCES["files"],
    "openface_csv": _LICENCES["openface_csv"],
    "openface": _LICENCES["openface_csv"],
    "py_feat": "code MIT; the terms of its models and of the data they were trained on differ and are for you to read",
    "external": "that of the program named by label_actions.external.command",
}


@cache
def detector(name: str = "dlib", threshold: float = 0.0) -> Detector:
    """The face detector of a backend: dlib's for all of them."""
    _known(name)
    from reenact.labelling.dlib_backend import DlibDetector

    return DlibDetector(threshold)


@cache
def confirmer(name: str = "dlib", threshold: float = 0.0, model: SyntheticModel | None = None) -> Detector | Confirmer:
    """What makes sure near a followed face: the detector at a threshold of its own, or the network that follows it."""
    if name == "synthetic":
        from reenact.labelling.synthetic.backend import SyntheticConfirmer

        return SyntheticConfirmer(model)
    return detector(name, threshold)


@cache
def landmark_predictor(name: str = "dlib", model: SyntheticModel | None = None) -> LandmarkPredictor:
    """The 68-point predictor of a backend; `model` is the file that `synthetic` reads, the released one without it."""
    _known(name)
    if name == "synthetic":
        from reenact.labelling.synthetic.backend import SyntheticLandmarks

        return SyntheticLandmarks(model)
    from reenact.labelling.dlib_backend import DlibLandmarks

    return DlibLandmarks()


@cache
def recogniser() -> Recogniser:
    """The network that tells people apart."""
    from reenact.labelling.dlib_backend import DlibRecognition

    return DlibRecognition()


def backend_facts(name: str = "dlib", model: SyntheticModel | None = None) -> dict[str, str]:
    """Versions and hashes that labels of a backend depend on, and under which licence they stand."""
    if name in LANDMARK_LABELLERS and name not in LANDMARK_BACKENDS:
        return {"backend": name}
    _known(name)
    import cv2
    import dlib

    from reenact.labelling.dlib_backend import LANDMARKS_FILE, model_sha256

    common = {"backend": name, "dlib": dlib.__version__, "opencv": cv2.__version__}
    if name == "synthetic":
        return common | synthetic_facts(model)
    return common | {"sha256": model_sha256(LANDMARKS_FILE)}


def landmark_licence(name: str) -> str:
    """What landmarks of a backend may be used for."""
    return _LICENCES.get(name, "")


def known_backend(name: str, names: Sequence[str]) -> str:
    """The name as it is; for a setting's validator, so that a slip is said before anything is run."""
    if name not in names:
        raise ValueError(f'no backend "{name}"{nearest(name, names)}')
    return name


def action_licence(name: str) -> str:
    """What action units of a backend may be used for."""
    return _ACTION_LICENCES.get(name, "")


def _known(name: str) -> None:
    if name not in LANDMARK_BACKENDS:
        raise SettingsError(f'label_landmarks.backend: no backend "{name}"{nearest(name, LANDMARK_BACKENDS)}')
