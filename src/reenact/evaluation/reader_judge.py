"""The reader judge: one network, trained on drawn people nobody else has seen; see backbones/judge_reader.

It reads what the tools can't, turned heads and pictures in which dlib finds nobody. It has never seen a photograph: on
real faces its pitch and most of its action units are not to be trusted (docs/evaluation.md has the figures).
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.backbones.judge_reader.reading import JudgeFaceReader, judge_face_reader
from reenact.corpus.shards import Image
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import ACTIONS, POINTS, People, in_chunks
from reenact.evaluation.metrics.metric import Floats
from reenact.hashing import hash_code, hash_json

SURE = 0.5  # from which a face counts as found
_ENDS = np.cumsum([POINTS * 2, 3, ACTIONS])  # of landmarks, pose, action units in a row; the rest is the descriptor


class ReaderJudge:
    """See judge.Judge. Pictures are read as they are, whatever their size."""

    def __init__(self, *, reader: JudgeFaceReader | None = None, cache: FeatureCache | None = None) -> None:
        self.reader = reader or judge_face_reader()
        self._cache = cache or FeatureCache()
        code = hash_code("backbones/judge_reader", "evaluation/reader_judge.py")
        self._backbone = f"reader-{hash_json([self.card, cv2.__version__, code])[:16]}"

    @property
    def card(self) -> dict[str, Any]:
        """Name, side of the views that the network looks at, hash of its file."""
        return {"name": "reader", "size": self.reader.size, "sha256": {"network": self.reader.sha256}}

    def landmarks(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, 68, 2) in crop coordinates 0..1."""
        return self._rows(pictures)[0].reshape(len(pictures), POINTS, 2)

    def descriptors(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """(N, D) embeddings of length 1."""
        return self._rows(pictures)[3]

    def pose_and_actions(self, pictures: Sequence[Image], people: People) -> tuple[Floats, Floats]:
        """(N, 3) degrees and (N, 17) intensities, as the network reads them; `people` is not looked at."""
        _, pose, actions, _ = self._rows(pictures)
        return pose.astype(np.float64), actions.astype(np.float64)

    def _rows(self, pictures: Sequence[Image]) -> list[NDArray[np.float32]]:
        if not len(pictures):
            return np.split(self._read([]), _ENDS, axis=1)
        rows = self._cache.rows(self._backbone, pictures, lambda some: in_chunks(some, self._read))
        return np.split(rows, _ENDS, axis=1)

    def _read(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        read = self.reader.read(pictures)
        parts = (read.landmarks.reshape(len(pictures), POINTS * 2), read.pose, read.actions, read.embedding)
        rows = np.concatenate(parts, axis=1).astype(np.float32)
        rows[read.face < SURE] = np.nan
        return rows
