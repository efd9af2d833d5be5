"""What a set of 68 landmarks says about its face box, and whether it can be a face at all."""

import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import outer_eye_distance
from reenact.labelling.backend import Box, Points

# Relation of dlib's detector boxes to the landmarks found in them, measured over frames of real talking heads, in
# units of the landmarks' spread (root mean square distance from their centroid): side 2.88 (deviation 0.19), centre
# 0.15 higher.
_BOX_SIDE, _BOX_RISE = 2.88, 0.15


def spread(landmarks: NDArray[np.floating]) -> NDArray[np.floating]:
    """Root mean square distance of the points from their centroid, (..., 68, 2) -> (...): the face's size."""
    centred = landmarks - landmarks.mean(axis=-2, keepdims=True)
    return np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1))


def detector_like_box(landmarks: Points) -> Box:
    """The box that the detector would draw around a face with these (68, 2) landmarks."""
    x, y = landmarks.mean(axis=0)
    size = float(spread(landmarks))
    half, y = _BOX_SIDE * size / 2, y - _BOX_RISE * size
    return Box(x - half, y - half, x + half, y + half)


def plausible(landmarks: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether landmarks (N, 68, 2) in crop coordinates can be a face: (N,) bool.

    All of: 95 % of the points inside the crop; outer eye distance between 0.35 and 2 of the spread; along the face's
    own vertical (from between the eyes to the chin) brows, eyes, nose tip, mouth and chin in this order; the face not
    upside down.
    """
    inside = ((landmarks >= 0) & (landmarks <= 1)).all(axis=-1).mean(axis=-1) >= 0.95
    size = np.maximum(spread(landmarks), 1e-6)
    ratio = outer_eye_distance(landmarks) / size
    eyes = landmarks[:, 36:48].mean(axis=1)
    down = landmarks[:, 8] - eyes
    length = np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-6)
    along = np.einsum("npc,nc->np", landmarks - eyes[:, None], down / length)
    brows, tip = along[:, 17:27].mean(axis=1), along[:, 30]
    mouth, chin = along[:, 48:68].mean(axis=1), along[:, 8]
    margin = 0.05 * size
    ordered = (brows < -margin) & (tip > margin) & (mouth > tip + margin) & (chin > mouth + margin)
    finite = np.isfinite(landmarks).all(axis=(-1, -2))
    return finite & inside & (ratio > 0.35) & (ratio < 2.0) & ordered & (down[:, 1] > 0)
