"""The default judge's tools: dlib's detector, landmarks and recognition network, and our fit of the shape model."""

from pathlib import Path

import cv2
import numpy as np

from reenact.corpus.shards import Image
from reenact.evaluation.judge import People
from reenact.evaluation.metrics.metric import Floats
from reenact.hashing import hash_json


class DlibTools:
    """See judge.Tools."""

    name = "tools: dlib and shape fit"

    def __init__(self) -> None:
        from reenact.labelling import dlib_backend

        self._detect = dlib_backend.DlibDetector()
        self._predict = dlib_backend.DlibLandmarks()
        self._recognise = dlib_backend.DlibRecognition()
        self.sha256 = {
            "landmarks": dlib_backend.model_sha256(dlib_backend.LANDMARKS_FILE),
            "recognition": dlib_backend.model_sha256(dlib_backend.RECOGNITION_FILE),
            "fit": _fit_sha256(),
        }

    def landmarks(self, picture: Image) -> Floats | None:
        """(68, 2) in pixels of the surest face of an RGB picture; None where the detector finds none."""
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        faces = self._detect(gray)
        return self._predict(gray, faces[0].box) if faces else None

    def descriptor(self, picture: Image, landmarks: Floats) -> Floats:
        """(128,) recognition descriptor of the face with these landmarks."""
        return self._recognise(picture, np.asarray(landmarks, dtype=np.float64))

    def fit(self, landmarks: Floats, people: People) -> tuple[Floats, Floats]:
        """Pose (N, 3) and intensities (N, 17) of (N, 68, 2) landmarks of known people."""
        from reenact.labelling.shape_fit import fit_faces

        fitted = fit_faces(landmarks, people.shape, neutral=people.neutral)
        return fitted.pose, fitted.actions


def _fit_sha256() -> str:
    """The fit has no weights file: its code and the shape model's are what it is."""
    from reenact.labelling import dlib_backend

    root = Path(dlib_backend.__file__).parents[1]
    files = [root / "labelling" / "shape_fit.py", root / "faces" / "shape_model.py", root / "faces" / "pose.py"]
    return hash_json([file.read_text() for file in files if file.exists()])
