"""Landmarks as coloured lines: against lines measured pixel by pixel, and the laws of pictures."""

import numpy as np
import pytest
import torch

from reenact.faces.landmark_pictures import COLOURS, landmark_pictures, lines
from reenact.faces.landmarks import POINTS, flip_landmarks
from reenact.faces.shape_model import shape_model


def a_face(size=0.55, centre=0.5):
    """The mean face seen from the front, (68, 2)."""
    points = shape_model().mean[:, :2]
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return (points / np.ptp(points[:, 0]) * size + centre).astype(np.float32)


def drawn(points, size=64, **how):
    return landmark_pictures(torch.from_numpy(np.asarray(points, dtype=np.float32)), size, **how)


def by_distance(points, size):
    """White with lines of one part after another, each pixel by its distance to the nearest segment: the reference."""
    grid = np.stack(np.meshgrid(*[(np.arange(size) + 0.5)] * 2), axis=-1)  # x, y of pixel centres
    picture = np.ones((3, size, size))
    sigma = max(1.0, 2 * size / 224) / 2
    for colour, start, end in lines():
        nearest = np.full((size, size), np.inf)
        for a, b in zip(points[list(start)] * size, points[list(end)] * size, strict=True):
            along = np.clip(((grid - a) @ (b - a)) / max((b - a) @ (b - a), 1e-12), 0, 1)
            nearest = np.minimum(nearest, np.linalg.norm(grid - a - along[..., None] * (b - a), axis=-1))
        picture *= 1 - np.exp(-0.5 * (nearest / sigma) ** 2) * (1 - np.array(colour))[:, None, None]
    return picture * 2 - 1


@pytest.mark.parametrize("size", [64, 128, 224])
def test_lines_lie_where_the_segments_are(size):
    ours, wanted = drawn(a_face(), size).numpy(), by_distance(a_face(), size)
    assert np.abs(ours - wanted).mean() < 0.01  # line ends and corners differ
    assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] > 0.98


def test_each_part_has_its_colour_on_white():
    picture = drawn(a_face(), 224)
    jaw = a_face()[0:17].mean(axis=0)
    row, column = (a_face()[8] * 224).astype(int)[::-1]
    assert picture.max() <= 1
    assert picture.min() >= -1
    assert torch.equal(picture[:, 0, 0], torch.ones(3))
    assert torch.equal(picture[:, int(jaw[1] * 224), 2], torch.ones(3))
    green = torch.tensor(COLOURS["jaw"]) * 2 - 1
    assert (picture[:, row - 1 : row + 2, column] - green[:, None]).abs().amax(dim=0).min() < 0.15


def test_the_inner_lip_is_drawn_and_parts_left_open_when_asked():
    closed, inner, plain = drawn(a_face()), drawn(a_face(), inner_lip=True), drawn(a_face(), closed=False)
    assert (inner <= closed + 1e-6).all()
    assert (closed <= plain + 1e-6).all()
    assert inner.sum() < closed.sum()
    assert closed.sum() < plain.sum()


def test_mirrored_landmarks_give_the_mirrored_picture():
    points = a_face() + np.random.default_rng(0).normal(0, 0.01, (POINTS, 2)).astype(np.float32)
    torch.testing.assert_close(drawn(flip_landmarks(points)), drawn(points).flip(-1), rtol=0, atol=1e-4)


def test_a_pixel_further_is_the_same_picture_a_pixel_further():
    moved = drawn(a_face() + 1 / 64)
    torch.testing.assert_close(moved[:, 1:, 1:], drawn(a_face())[:, :-1, :-1], rtol=0, atol=1e-4)


def test_any_leading_shape_and_one_by_one_are_the_same():
    points = np.stack([a_face(centre=0.4), a_face(), a_face(size=0.3), a_face(centre=0.6)]).reshape(2, 2, POINTS, 2)
    together = drawn(points, 32)
    assert together.shape == (2, 2, 3, 32, 32)
    torch.testing.assert_close(together[1, 0], drawn(points[1, 0], 32), rtol=0, atol=1e-6)


def test_what_is_not_a_number_or_outside_leaves_no_line():
    nothing = np.full((POINTS, 2), np.nan, dtype=np.float32)
    assert torch.equal(drawn(nothing), torch.ones(3, 64, 64))
    assert torch.equal(drawn(a_face() + 3), torch.ones(3, 64, 64))
    one = a_face()
    one[30] = np.nan
    assert torch.isfinite(drawn(one)).all()
    assert drawn(one).sum() > drawn(a_face()).sum()


def test_no_gradient_and_no_change_of_the_landmarks():
    points = torch.from_numpy(a_face()).requires_grad_()
    before = points.detach().clone()
    assert not landmark_pictures(points, 64).requires_grad
    assert torch.equal(points, before)
