"""Identity by ArcFace (Deng et al. 2019), from the user's ONNX file; run by OpenCV on this machine's CPU.

Published models of this form (InsightFace's buffalo and antelope packs) are for research only.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.errors import BadInput
from reenact.faces.landmarks import GROUPS

Image = NDArray[np.uint8]
SIDE = 112
# Where eyes, nose tip and mouth corners of an aligned face lie, in pixels of 112 x 112 (pixel centres at integers)
PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
RECIPE = "five points of 68, similarity to 112 px, (RGB - 127.5) / 127.5"


class ArcFace:
    """Aligned faces -> embeddings; only their angles mean anything."""

    name = "ArcFace"

    def __init__(self, path: Path, *, sha256: str) -> None:
        """Load a checked ONNX file, (1, 3, 112, 112) -> (1, D), and try it; raises BadInput where it isn't that."""
        self.path, self.sha256 = path, sha256
        try:
            self._network: Any = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise BadInput(f"{path}: OpenCV can't load this network ({_first(error)}).") from None
        self.width = len(self._one(np.zeros((SIDE, SIDE, 3), dtype=np.uint8)))

    def embeddings(self, pictures: list[Image], landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
        """N RGB (S, S, 3) and (N, 68, 2) in crop coordinates 0..1 -> (N, D); one by one, as many files demand."""
        rows = [self._one(aligned(picture, points)) for picture, points in zip(pictures, landmarks, strict=True)]
        return np.stack(rows).astype(np.float32)

    def _one(self, face: Image) -> NDArray[np.float32]:
        values = (face.astype(np.float32) - 127.5) / 127.5
        try:
            self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
            found = np.asarray(self._network.forward())
        except cv2.error as error:
            raise BadInput(f"{self.path}: does not run on an aligned face of 112 px ({_first(error)}).") from None
        if found.ndim != 2 or found.shape[0] != 1:
            raise BadInput(f"{self.path}: gives {found.shape} for one face, expected (1, features).")
        return found[0]


def aligned(picture: Image, landmarks: NDArray[np.floating]) -> Image:
    """(112, 112, 3) with the five points of (68, 2) landmarks as near to their places as turning and scaling allows."""
    points = five_points(np.asarray(landmarks, dtype=np.float64)) * picture.shape[0] - 0.5
    moved = cv2.warpAffine(picture, similarity(points, PLACES), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(moved, dtype=np.uint8)


def five_points(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(68, 2) -> (5, 2): the eyes' centres (the picture's left one first), nose tip, mouth corners."""
    eyes = [landmarks[list(GROUPS[eye])].mean(axis=0) for eye in ("right_eye", "left_eye")]
    return np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]])


def similarity(points: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) of the turn, scale and shift that takes points (K, 2) nearest to places, in squared distance.

    With points as complex numbers this is a linear fit w = s z + t with two complex unknowns; it never mirrors.
    """
    z, w = (part[:, 0] + 1j * part[:, 1] for part in (points, places))
    centred = z - z.mean()
    s = (centred.conj() @ (w - w.mean())) / (centred.conj() @ centred)
    t = w.mean() - s * z.mean()
    return np.array([[s.real, -s.imag, t.real], [s.imag, s.real, t.imag]])


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
