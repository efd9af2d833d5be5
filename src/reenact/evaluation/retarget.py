"""Landmarks of the driver on the source's face: the shape model alone, nothing learned.

A system that follows the driver's landmarks as they are draws the driver's face shape, too. Here the source's shape
coefficients take the driver's action units and pose; the face is put where the driver's stands in its crop, as large as
that: landmark 28 and the landmarks' extent agree, by which crops are cut. Of 60 cross pairs of rendered clips, the mean
distance to the landmarks of the true picture falls from 0.080 to 0.053 outer eye distances.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.landmarks import CROP_CENTRE
from reenact.faces.pose import rotation
from reenact.faces.shape_model import canonical, shape_model

Floats = NDArray[np.float64]


def retargeted(corpus: Corpus, pairs: pd.DataFrame) -> NDArray[np.float32]:
    """(N, 68, 3) landmarks for N pairs: x, y in the driver's crop coordinates 0..1, z in the same unit."""
    shapes = corpus.shapes().set_index("clip").loc[list(pairs["source_clip"])]
    person = shapes[[name for name in shapes.columns if name.startswith("shape_")]].to_numpy(dtype=np.float64)
    resting = shapes[[f"neutral_{name}" for name in ACTION_UNITS]].to_numpy(dtype=np.float64)
    driving = [(corpus.by_name[str(c)], int(f)) for c, f in pairs[["driving_clip", "driving_frame"]].to_numpy()]
    actions, pose, landmarks = (
        np.stack([np.asarray(read(clip)[frame], dtype=np.float64) for clip, frame in driving])
        for read in (corpus.actions, corpus.pose, corpus.landmarks)
    )
    model = shape_model()
    # Intensities are labelled above a person's own resting face.
    head = canonical(model, person[:, : len(model.identity)], np.clip(actions + resting, 0.0, MAXIMUM))
    return placed_like(np.einsum("nij,npj->npi", rotation(pose), head), landmarks).astype(np.float32)


def placed_like(heads: Floats, landmarks: Floats) -> Floats:
    """Turned heads (N, 68, 3) in any unit, scaled and moved to the place and size of landmarks (N, 68, 2)."""
    scale = _extent(landmarks) / _extent(heads[..., :2])
    placed = heads * scale[:, None, None]
    placed[..., :2] += (landmarks - placed[..., :2])[:, CROP_CENTRE, None]
    return placed


def _extent(points: Floats) -> Floats:
    return np.asarray(np.ptp(points, axis=-2).max(axis=-1), dtype=np.float64)
