"""Holes are filled by what lies around them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from reenact.nn.filled import filled


def a_picture(height, width, seed=0):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def holes(height, width, share, seed=0):
    return torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 99))
def test_what_is_known_stays_and_what_is_filled_lies_between(height, width, share, seed):
    picture, hole = a_picture(height, width, seed), holes(height, width, share, seed)
    found = filled(torch.where(hole, 7.0, picture), hole)  # what stands in a hole says nothing
    assert torch.equal(found[~hole.expand_as(found)], picture[~hole.expand_as(found)])
    for one, known, where in zip(found, picture, hole, strict=True):
        if where.all():
            assert (one == 0).all()
            continue
        for colour, values in zip(one, known, strict=True):
            seen = values[~where[0]]
            assert seen.min() - 1e-5 <= colour.min()
            assert colour.max() <= seen.max() + 1e-5


@pytest.mark.parametrize("size", [(32, 32), (37, 53)])
def test_a_slope_goes_on_through_a_hole(size):
    height, width = size
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    picture = torch.stack([rows, columns, 0.5 * rows - columns / 2])[None]
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    hole[..., height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
    off = (filled(picture, hole) - picture).abs()[0]
    grey = picture.abs()[0][:, hole[0, 0]].mean()
    assert off[:, hole[0, 0]].mean() < 0.5 * grey


def test_the_nearer_side_counts_more():
    picture = torch.full((1, 1, 16, 32), -1.0)
    picture[..., 16:] = 1.0
    hole = torch.zeros(1, 1, 16, 32, dtype=torch.bool)
    hole[..., 4:12, 10:22] = True
    found = filled(picture, hole)[0, 0].numpy()
    nearest = distance_transform_edt(hole[0, 0].numpy(), return_distances=False, return_indices=True)
    truth = picture[0, 0].numpy()[tuple(nearest)]
    inside = hole[0, 0].numpy()
    assert np.corrcoef(found[inside], truth[inside])[0, 1] > 0.7
