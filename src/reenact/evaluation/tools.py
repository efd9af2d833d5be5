"""The tools judge: dlib's HOG detector, 68 landmarks and recognition network, and our fit of the shape model.

On pictures enlarged to 256 px. None of them was trained on the corpus or is used inside a loss.
(dlib's 68-point model was trained on data for research only; see the README.)
"""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import ACTIONS, POINTS, People, enlarged
from reenact.evaluation.metrics.metric import Floats
from reenact.hashing import hash_code, hash_json

if TYPE_CHECKING:
    from reenact.backbones.dlib_recognition import DlibNetwork

DESCRIPTOR = 128
RECOGNITION = "backbones/dlib_recognition.py"  # part of the key of what was read
_NOBODY = np.full((POINTS, 2), np.nan)


def recognition() -> "DlibNetwork":
    """The recognition network of all judges whose descriptors are dlib's."""
    from reenact.backbones.dlib_recognition import DlibNetwork
    from reenact.labelling import dlib_backend

    return DlibNetwork(dlib_backend.model_file(dlib_backend.RECOGNITION_FILE))


def described(
    pictures: Sequence[Image], points: Floats, size: int, describe: Callable[[Image, Floats], Floats]
) -> NDArray[np.float32]:
    """(N, 128) of N pictures at a size, by the (N, 68, 2) landmarks found there in pixels; NaN where there are none."""
    result = np.full((len(pictures), DESCRIPTOR), np.nan, dtype=np.float32)
    for row in np.flatnonzero(np.isfinite(points).all(axis=(1, 2))):
        result[row] = describe(enlarged(pictures[int(row)], size), points[row])
    return result


class Tools(Protocol):
    """What the judge is made of. Pictures are RGB uint8 (S, S, 3), landmarks in their pixels (centres at +0.5)."""

    name: str
    sha256: dict[str, str]  # of the model files

    def landmarks(self, picture: Image) -> Floats | None:
        """(68, 2) of the surest face; None where the detector finds none."""

    def descriptor(self, picture: Image, landmarks: Floats) -> Floats:
        """(128,) of the face with these landmarks."""

    def fit(self, landmarks: Floats, people: People) -> tuple[Floats, Floats]:
        """(N, 68, 2) in crop coordinates of N people -> pose (N, 3) in degrees, intensities (N, 17)."""


class ToolsJudge:
    """See judge.Judge."""

    def __init__(self, tools: Tools, *, size: int = 256, cache: FeatureCache | None = None) -> None:
        self.tools, self.size = tools, size
        self._cache = cache or FeatureCache()
        self._key = hash_json(
            [
                self.card,
                cv2.__version__,
                version("torch"),
                hash_code("evaluation/tools.py", "evaluation/judge.py", "labelling/dlib_backend.py", RECOGNITION),
            ]
        )[:16]

    @property
    def card(self) -> dict[str, Any]:
        """Name, picture size and hashes of the model files."""
        return {"name": self.tools.name, "size": self.size, "sha256": dict(self.tools.sha256)}

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1; NaN rows where no face was found."""
        return (self._points(pictures) / self.size).astype(np.float32)

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 128); NaN rows where no face was found."""
        if not len(pictures):
            return np.zeros((0, DESCRIPTOR), dtype=np.float32)
        return self._cache.rows(f"tools-recognition-{self._key}", pictures, self._describe)

    def pose_and_actions(self, pictures: Sequence[Image], people: People) -> tuple[Floats, Floats]:
        """Pose (N, 3) and intensities (N, 17) that the fit gives the landmarks."""
        return fitted(self.landmarks(pictures), people, self.tools.fit)

    def _points(self, pictures: Sequence[Image]) -> Floats:
        """(N, 68, 2) in pixels of the enlarged picture."""
        if not len(pictures):
            return np.zeros((0, POINTS, 2))
        return self._cache.rows(f"tools-landmarks-{self._key}", pictures, self._find)

    def _find(self, pictures: Sequence[Image]) -> Floats:
        found = (self.tools.landmarks(enlarged(picture, self.size)) for picture in pictures)
        return np.stack([_NOBODY if points is None else points for points in found])

    def _describe(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        return described(pictures, self._points(pictures), self.size, self.tools.descriptor)


class DlibTools:
    """See `Tools`."""

    name = "tools: dlib and shape fit"

    def __init__(self) -> None:
        from reenact.labelling import dlib_backend

        self._detect = dlib_backend.DlibDetector()
        self._predict = dlib_backend.DlibLandmarks()
        self._recognise = recognition()
        self.sha256 = {
            "landmarks": dlib_backend.model_sha256(dlib_backend.LANDMARKS_FILE),
            "recognition": dlib_backend.model_sha256(dlib_backend.RECOGNITION_FILE),
            "fit": fit_sha256(),
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
        return shape_fit(landmarks, people)


def shape_fit(landmarks: Floats, people: People) -> tuple[Floats, Floats]:
    """Pose (N, 3) in degrees and intensities (N, 17) that the shape model needs to look like (N, 68, 2) landmarks."""
    from reenact.labelling.shape_fit import fit_faces

    found = fit_faces(landmarks, people.shape, neutral=people.neutral)
    return found.pose, found.actions


def fitted(
    landmarks: Floats, people: People, fit: Callable[[Floats, People], tuple[Floats, Floats]] = shape_fit
) -> tuple[Floats, Floats]:
    """Pose and intensities of those (N, 68, 2) landmarks that are not NaN; the other rows stay NaN."""
    pose, actions = np.full((len(landmarks), 3), np.nan), np.full((len(landmarks), ACTIONS), np.nan)
    found: NDArray[np.bool_] = np.asarray(np.isfinite(landmarks).all(axis=(1, 2)))
    if found.any():
        pose[found], actions[found] = fit(landmarks[found], people[found])
    return pose, actions


def fit_sha256() -> str:
    """The fit has no weights file: its code and the shape model's are what it is."""
    from reenact.labelling import dlib_backend

    root = Path(dlib_backend.__file__).parents[1]
    files = [root / "labelling" / "shape_fit.py", root / "faces" / "shape_model.py", root / "faces" / "pose.py"]
    return hash_json([file.read_text() for file in files if file.exists()])
