"""Structural similarity."""

import numpy as np
from numpy.typing import NDArray

from reenact.evaluation.metrics.metric import Metric, Views

WINDOW, SIGMA = 11, 1.5


def ssim(a: NDArray[np.floating], b: NDArray[np.floating], *, batch: int = 64) -> NDArray[np.float64]:
    """SSIM per channel, then the mean over channels and window positions: (N, H, W, 3) x 2 in 0..1 -> (N,).

    Gaussian window of 11 pixels with sigma 1.5, population covariance, L = 1, only positions where the window lies
    inside the picture. In double precision, since the variances are differences of nearly equal numbers.
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    if min(a.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {WINDOW} pixels, got {a.shape[1]} x {a.shape[2]}")
    values = np.full(len(a), np.nan)
    usable = np.isfinite(a).all(axis=(1, 2, 3)) & np.isfinite(b).all(axis=(1, 2, 3))
    rows = np.flatnonzero(usable)
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        ours, theirs = (torch.from_numpy(np.asarray(x[some], dtype=np.float64)).permute(0, 3, 1, 2) for x in (a, b))
        result = structural_similarity_index_measure(
            ours, theirs, gaussian_kernel=True, sigma=SIGMA, kernel_size=WINDOW, data_range=1.0, reduction="none"
        )
        values[some] = torch.as_tensor(result).reshape(-1).numpy()
    return values


def _of_views(views: Views) -> NDArray[np.float64]:
    return ssim(views.generated.pixels, views.truth.pixels)


SSIM = Metric(
    id="ssim",
    title="SSIM",
    definition="Gaussian window 11 x 11, sigma 1.5, population covariance, per channel then mean, L = 1",
    citation="Wang et al. 2004; used by DG and CainGAN, which leave the window open: this one is ours",
    direction="higher",
    unit="1",
    pair="generated - truth",
    protocols=("self",),
    backbone="pixels",
    range=(-1.0, 1.0),
    per_pair=_of_views,
)
