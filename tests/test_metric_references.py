"""Every metric against an implementation that is not ours, on random and natural pictures, to 1e-5 or better."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.spatial import distance
from skimage import data
from skimage.metrics import mean_squared_error, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.fid import _compute_fid

from evaluation_corpus import head
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.ed import ed
from reenact.evaluation.metrics.frechet import frechet
from reenact.evaluation.metrics.lsim import lsim
from reenact.evaluation.metrics.metric import cosine
from reenact.evaluation.metrics.mse import mse
from reenact.evaluation.metrics.pose import pose_angle
from reenact.evaluation.metrics.ssim import ssim
from test_metrics import scored

REAL = os.environ.get("REENACT_REAL_DATA")
real = [pytest.mark.real, pytest.mark.skipif(not REAL, reason="REENACT_REAL_DATA names no folder of real videos")]


def photographs():
    """(3, 64, 64, 3) in 0..1: photographs that come with scikit-image."""
    pictures = [getattr(data, name)()[:400, :400, :3] for name in ("astronaut", "coffee", "immunohistochemistry")]
    return np.stack([cv2.resize(one, (64, 64), interpolation=cv2.INTER_AREA) for one in pictures]) / np.float32(255)


def frames():
    """(3, 96, 96, 3) in 0..1 of a real video."""
    video = cv2.VideoCapture(str(Path(REAL or "") / "openface" / "00116.mp4"))
    found = []
    for number in (1, 30, 60):
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        found.append(cv2.resize(cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB), (96, 96)))
    return np.stack(found) / np.float32(255)


def noise():
    """Random pictures of no structure at all, where variances are largest."""
    return np.random.default_rng(0).uniform(size=(3, 48, 48, 3)).astype(np.float32)


def worsened(pictures):
    """Blurred, noisy, and in two levels."""
    rng = np.random.default_rng(1)
    noisy = np.clip(pictures[1] + rng.normal(0, 0.05, pictures[1].shape), 0, 1)
    return np.stack([cv2.GaussianBlur(pictures[0], (5, 5), 1.2), noisy, pictures[2].round()]).astype(np.float32)


each_kind = pytest.mark.parametrize("source", [noise, photographs, pytest.param(frames, marks=real)])


@each_kind
def test_ssim_is_that_of_scikit_image_and_of_torchmetrics_within_the_border(source):
    a = source()
    b = worsened(a)
    doubles = [(x.astype(np.float64), y.astype(np.float64)) for x, y in zip(a, b, strict=True)]
    options = {"channel_axis": 2, "data_range": 1.0, "gaussian_weights": True, "sigma": 1.5,
               "use_sample_covariance": False}  # fmt: skip
    expected = [structural_similarity(x, y, **options) for x, y in doubles]
    np.testing.assert_allclose(ssim(a, b), expected, atol=1e-9)
    tensors = (torch.from_numpy(one).permute(0, 3, 1, 2) for one in (a, b))
    _, places = structural_similarity_index_measure(
        *tensors, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )
    # In single precision, since in double it takes 200 times as long as ours.
    np.testing.assert_allclose(ssim(a, b), places[..., 5:-5, 5:-5].mean(dim=(1, 2, 3)), atol=1e-5)


@each_kind
def test_mse_is_that_of_scikit_image(source):
    a = source()
    b = worsened(a)
    np.testing.assert_allclose(mse(a, b), [mean_squared_error(x, y) for x, y in zip(a, b, strict=True)], rtol=1e-6)


def test_cosine_and_distances_are_those_of_scipy():
    a, b = np.random.default_rng(0).normal(size=(2, 20, 17))
    np.testing.assert_allclose(cosine(a, b), [1 - distance.cosine(x, y) for x, y in zip(a, b, strict=True)], rtol=1e-9)
    np.testing.assert_allclose(ed(a, b), [distance.euclidean(x, y) for x, y in zip(a, b, strict=True)], rtol=1e-9)


def test_lsim_and_pose_angle_are_their_definitions_written_out():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.2, 0.8, (2, 3, 68, 2))
    for row, found in enumerate(lsim(a, b)):
        eyes = distance.euclidean(b[row, 36], b[row, 45])
        terms = [((a[row, k, c] - b[row, k, c]) / eyes) ** 2 for k in range(68) for c in range(2)]
        assert found == pytest.approx(sum(terms) / 136, rel=1e-9)
    turned, other = rng.uniform(-80, 80, (2, 5, 3))
    expected = [sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 3 for p, q in zip(turned, other, strict=True)]
    np.testing.assert_allclose(pose_angle(turned, other), expected, rtol=1e-9)


def test_frechet_is_that_of_scipy_and_of_torchmetrics():
    rng = np.random.default_rng(0)
    for n, m in ((300, 250), (90, 400)):
        a, b = rng.normal(size=(n, 24)), rng.normal(size=(m, 24)) @ rng.normal(size=(24, 24)) + 0.5
        (mean_a, cov_a), (mean_b, cov_b) = ((one.mean(0), np.cov(one.T)) for one in (a, b))
        root = linalg.sqrtm(cov_a @ cov_b).real
        expected = np.square(mean_a - mean_b).sum() + np.trace(cov_a + cov_b - 2 * root)
        assert frechet(a, b) == pytest.approx(expected, rel=1e-9)
        theirs = _compute_fid(*map(torch.from_numpy, (mean_a, cov_a, mean_b, cov_b))).item()
        assert frechet(a, b) == pytest.approx(theirs, rel=1e-6)


def test_frechet_is_exact_where_covariances_are_singular():
    a = np.random.default_rng(0).gamma(0.5, size=(40, 300))
    # S_b = 4 S_a, so that the root of their product is 2 S_a.
    assert frechet(a, 2 * a) == pytest.approx(np.square(a.mean(0)).sum() + a.var(0, ddof=1).sum(), rel=1e-12)
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-10)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(300, 300)))[0]
    assert frechet(a @ turn, 2 * a @ turn) == pytest.approx(frechet(a, 2 * a), rel=1e-9)


def test_one_by_one_is_all_together_and_the_order_of_files_does_not_matter():
    real_ones = np.stack([head(i, 0.02 * i - 0.05, 32) for i in range(5)])
    drawn = np.stack([head(i, 0.03 * i - 0.07, 32) for i in range(5)])
    order = np.array([3, 0, 4, 1, 2])
    for metric in METRICS.values():
        if metric.network or set(metric.protocols) <= {"selfvideo", "crossvideo"}:
            continue  # test_network_metrics; frames of a video have an order
        together = scored(drawn, real_ones[:1].repeat(5, axis=0), real_ones, real_ones)
        moved = scored(drawn[order], real_ones[:1].repeat(5, axis=0), real_ones[order], real_ones[order])
        if metric.per_pair is None:
            values = [metric.of_sets(*metric.features(views)) for views in (together, moved)]
            assert values[0] == pytest.approx(values[1], rel=1e-9)
            continue
        values = metric.per_pair(together)
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(metric.per_pair(moved), values[order], err_msg=metric.id)
        for row in range(5):
            alone = scored(drawn[[row]], real_ones[:1], real_ones[[row]], real_ones[[row]])
            np.testing.assert_array_equal(metric.per_pair(alone), values[[row]], err_msg=metric.id)
