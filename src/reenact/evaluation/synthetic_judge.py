"""The `synthetic` judge: reads turned heads, which the tools' detector loses from about 35 degrees of yaw.

A network of the kind that labels turned heads, but another architecture, trained on other drawn people: landmarks and
pose of faces to about 80 degrees of yaw. Intensities come from our fit of the shape model to its landmarks, identity
from dlib's recognition network on the face that they mark. No detector looks for the face: it is where a corpus' crops
have it, in the middle. The network was trained on drawn faces alone; how it reads others is in docs/evaluation.md.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import POINTS, People, in_chunks
from reenact.evaluation.metrics.metric import Floats
from reenact.evaluation.tools import DESCRIPTOR, RECOGNITION, described, fit_sha256, fitted, recognition
from reenact.hashing import hash_code, hash_json

START = 0.5  # side of the box where the face is looked for first, of the picture's: crops hold faces of 0.4 to 0.7
PASSES = 3  # each looks where the last one's points are
SURE = 0.5  # confidence from which there is a face
_CODE = ("evaluation/synthetic_judge.py", "evaluation/tools.py", "evaluation/judge.py", "labelling/synthetic",
         "labelling/geometry.py", RECOGNITION)  # fmt: skip


class SyntheticJudge:
    """See judge.Judge."""

    def __init__(self, *, size: int = 256, cache: FeatureCache | None = None) -> None:
        import torch

        from reenact.labelling import dlib_backend
        from reenact.labelling.synthetic.reading import face_reader

        self.size = size
        self._reader = face_reader(role="judge")
        self._recognise = recognition()
        self._sha256 = {
            "landmarks": self._reader.sha256,
            "recognition": dlib_backend.model_sha256(dlib_backend.RECOGNITION_FILE),
            "fit": fit_sha256(),
        }
        self._cache = cache or FeatureCache()
        self._key = hash_json([self.card, cv2.__version__, str(torch.__version__), hash_code(*_CODE)])[:16]

    @property
    def card(self) -> dict[str, Any]:
        """Name, size at which faces are recognised, hashes of the model files."""
        return {"name": "synthetic: network for turned heads", "size": self.size, "sha256": dict(self._sha256)}

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1; NaN rows where the network is not sure of a face."""
        return self._said(pictures)[:, :-3].reshape(-1, POINTS, 2).astype(np.float32)

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 128) of dlib's recognition network."""
        if not len(pictures):
            return np.zeros((0, DESCRIPTOR), dtype=np.float32)
        return self._cache.rows(f"synthetic-recognition-{self._key}", pictures, self._describe)

    def pose_and_actions(self, pictures: Sequence[Image], people: People) -> tuple[Floats, Floats]:
        """The network's pose (N, 3); intensities (N, 17) of the fit to its landmarks."""
        return self._said(pictures)[:, -3:], fitted(self.landmarks(pictures), people)[1]

    def _said(self, pictures: Sequence[Image]) -> Floats:
        """(N, 68 * 2 + 3): landmarks, then the pose."""
        if not len(pictures):
            return np.zeros((0, POINTS * 2 + 3))
        return self._cache.rows(f"synthetic-faces-{self._key}", pictures, lambda some: in_chunks(some, self._read))

    def _read(self, pictures: Sequence[Image]) -> Floats:
        edges = 0.5 + np.array([-START, -START, START, START]) / 2
        said = self._reader.read(pictures, np.tile(edges, (len(pictures), 1)), passes=PASSES)
        points = said.landmarks3d[..., :2].reshape(len(pictures), -1)
        rows = np.concatenate([points, said.pose], axis=1)
        rows[said.confidence < SURE] = np.nan
        return rows

    def _describe(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        points = self.landmarks(pictures).astype(np.float64) * self.size
        return described(pictures, points, self.size, self._recognise)
