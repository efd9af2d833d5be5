"""Frechet distance of face descriptors.

It is not called `fid`: that name belongs to the 2048-d pool of the Inception network that the papers used (`fid.py`),
whose weights are not part of this project, and figures of the two must never stand in one column. The reader here is
the judge's recognition network (by default dlib's, 128-d): fixed, the same for every corpus. Below 129 pictures the
covariances are singular and the distance is biased upwards: compare at equal N only, which is why N stands beside it.
"""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.frechet import frechet
from reenact.evaluation.metrics.metric import Metric, Views


def _features(views: Views) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    return views.generated.descriptor, views.driving.descriptor


FID_READER = Metric(
    id="fid_reader",
    title="FID (reader)",
    definition="Frechet distance of the judge's recognition descriptors of the generated and of the driving pictures",
    citation="Heusel et al. 2017 with another network: not comparable with any published FID",
    direction="lower",
    unit="1",
    pair="set of generated - set of driving pictures",
    protocols=("self", "cross"),
    backbone="recognition",
    range=(0.0, float("inf")),
    features=_features,
    of_sets=frechet,
)
