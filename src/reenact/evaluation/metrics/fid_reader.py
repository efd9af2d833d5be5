"""Frechet distance of face descriptors.

It is not called `fid`: that name belongs to the 2048-d pool of the Inception network that the papers used, whose
weights are not part of this project, and figures of the two must never stand in one column. The reader here is the
judge's recognition network (128-d): fixed, the same for every corpus. Below 129 pictures the covariances are singular
and the distance is biased upwards: compare at equal N only, which is why N stands beside it.
"""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric, Views


def frechet(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """|m_a - m_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of two sets of rows, (N, D) and (M, D).

    Tr (S_a S_b)^(1/2) is taken as Tr (S_a^(1/2) S_b S_a^(1/2))^(1/2): symmetric, so that two real eigenvalue
    decompositions do, also for singular covariances. NaN below two rows.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(a) < 2 or len(b) < 2:
        return float("nan")
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0.0, None)).sum()
    mean = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    # Never negative but for rounding: the square roots of eigenvalues near 0 lose half of the digits.
    return max(float(mean + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross), 0.0)


def _features(views: Views) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    return views.generated.descriptor, views.driving.descriptor


FID_READER = Metric(
    id="fid_reader",
    title="FID (reader)",
    definition="Frechet distance of the 128-d recognition descriptors of the generated and of the driving pictures",
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
