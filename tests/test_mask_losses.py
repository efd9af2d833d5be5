"""The losses of masks and segments against NumPy, written from their formulas."""

import numpy as np
import pytest
import torch

from reenact.losses.masks import mask_penalty, total_variation
from reenact.losses.segments import segment_entropy


def some_masks():
    return np.random.default_rng(0).uniform(0, 1, (3, 1, 9, 7))


def test_total_variation_sums_squares_of_neighbours_and_averages_over_masks():
    masks, wanted = some_masks(), 0.0
    for mask in masks[:, 0]:
        for i in range(9):
            for j in range(7):
                wanted += (mask[i + 1, j] - mask[i, j]) ** 2 if i + 1 < 9 else 0
                wanted += (mask[i, j + 1] - mask[i, j]) ** 2 if j + 1 < 7 else 0
    assert total_variation(torch.from_numpy(masks)).item() == pytest.approx(wanted / 3, rel=1e-5)
    assert total_variation(torch.full((2, 1, 8, 8), 0.7)) == 0


def test_the_penalty_is_the_mean_square_and_does_not_grow_with_the_picture():
    masks = some_masks()
    assert mask_penalty(torch.from_numpy(masks)).item() == pytest.approx((masks**2).mean(), rel=1e-5)
    assert mask_penalty(torch.full((1, 1, 8, 8), 0.5)) == mask_penalty(torch.full((2, 1, 64, 64), 0.5)) == 0.25


def test_entropy_of_segments_follows_the_formula_and_resizes_the_truth_by_the_nearest():
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (2, 3, 4, 4))
    coarse = random.integers(0, 3, (2, 4, 4))
    fine = coarse.repeat(32, axis=1).repeat(32, axis=2).astype(np.uint8)  # 128 px
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    picked = np.take_along_axis(probability, coarse[:, None], axis=1)
    for truth in (fine, coarse.astype(np.uint8)):
        made = segment_entropy(torch.from_numpy(logits), torch.from_numpy(truth))
        assert made.item() == pytest.approx(-np.log(picked).mean(), rel=1e-5)


def test_entropy_of_segments_by_hand():
    # all scores equal costs ln 3 everywhere; a certain right answer nothing
    truth = torch.tensor([[[0, 1], [2, 0]]], dtype=torch.uint8)
    assert segment_entropy(torch.zeros(1, 3, 2, 2), truth).item() == pytest.approx(np.log(3))
    certain = 50.0 * torch.nn.functional.one_hot(truth.long(), 3).movedim(-1, 1)
    assert segment_entropy(certain, truth).item() == pytest.approx(0, abs=1e-6)
    assert segment_entropy(certain, (truth + 1) % 3).item() == pytest.approx(50, rel=1e-5)
