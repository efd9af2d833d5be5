"""Heatmaps against a plain painting loop, and the convolution that never paints them."""

import numpy as np
import pytest
import torch
from torch import nn

from reenact.faces.heatmaps import flip_heatmaps, heatmaps, landmark_image, paint, profiles
from reenact.faces.landmarks import flip_landmarks
from reenact.nn.heatmap_conv import heatmap_conv, picture_with_heatmaps


def painted_by_hand(landmarks, size, variance=1 / 3):
    """One face, pixel by pixel, in float64: a 7 x 7 window around the landmark's pixel, in units of 3 pixels."""
    result = np.zeros((len(landmarks), size, size))
    for channel, (x, y) in enumerate(landmarks):
        if not (np.isfinite(x) and np.isfinite(y)):
            continue
        column, row = int(np.floor(x * size)), int(np.floor(y * size))
        if not (0 <= column < size and 0 <= row < size):
            continue
        for i in range(7):
            for j in range(7):
                r, c = row + i - 3, column + j - 3
                if 0 <= r < size and 0 <= c < size:
                    dx, dy = (c + 0.5 - x * size) / 3, (r + 0.5 - y * size) / 3
                    result[channel, r, c] = np.exp(-(dx**2 + dy**2) / (2 * variance))
    return result


def some_landmarks(count, seed=0, spread=0.15):
    """Landmarks of which some lie outside the image and many near its border."""
    random = np.random.default_rng(seed)
    return random.uniform(-spread, 1 + spread, (count, 68, 2)).astype(np.float32)


@pytest.mark.parametrize("size", [64, 33, 128])
@pytest.mark.parametrize("variance", [1 / 3, 1 / 9])
def test_equal_to_painting_pixel_by_pixel(size, variance):
    landmarks = some_landmarks(3)
    made = heatmaps(torch.from_numpy(landmarks), size, variance=variance).numpy()
    wanted = np.stack([painted_by_hand(face, size, variance) for face in landmarks])
    np.testing.assert_allclose(made, wanted, atol=1e-6)


def test_peak_is_one_at_the_landmarks_pixel_and_the_window_is_seven_pixels():
    landmarks = torch.full((1, 68, 2), 32.5 / 64)
    picture = heatmaps(landmarks, 64)[0, 0]
    assert picture.max() == picture[32, 32] == 1.0
    assert (picture > 0).sum() == 49
    # variance 1/3 on the window's grid: exp(-1.5) in the middle of its edge
    assert picture[32, 35].item() == pytest.approx(np.exp(-1.5), rel=1e-6)


def test_a_landmark_between_pixels_has_its_centre_of_mass_there():
    picture = heatmaps(torch.tensor([[[30.8 / 64, 33.3 / 64]]]).expand(1, 68, 2), 64, variance=1 / 9)[0, 0].double()
    x = ((torch.arange(64) + 0.5) * picture.sum(0)).sum() / picture.sum()
    y = ((torch.arange(64) + 0.5) * picture.sum(1)).sum() / picture.sum()
    assert (x.item(), y.item()) == pytest.approx((30.8, 33.3), abs=0.02)


def test_a_lower_peak_scales_the_whole_picture():
    landmarks = torch.from_numpy(some_landmarks(2))
    torch.testing.assert_close(paint(profiles(landmarks, 64, peak=0.1)), 0.1 * heatmaps(landmarks, 64))


def test_a_landmark_outside_the_image_has_an_empty_channel():
    landmarks = torch.full((1, 68, 2), 0.5)
    outside = torch.tensor([[-0.001, 0.5], [0.5, -0.2], [1.0, 0.5], [0.5, 7.0], [float("nan"), 0.5]])
    landmarks[0, :5] = outside
    picture = heatmaps(landmarks, 64)[0]
    assert picture[:5].abs().sum() == 0
    assert torch.isfinite(picture).all()
    assert (picture[5:].amax(dim=(1, 2)) > 0.9).all()


def test_flipped_heatmaps_are_heatmaps_of_the_flipped_face():
    landmarks = some_landmarks(2, seed=1)
    flipped = torch.from_numpy(flip_landmarks(landmarks))
    torch.testing.assert_close(
        flip_heatmaps(heatmaps(torch.from_numpy(landmarks), 64)), heatmaps(flipped, 64), atol=1e-6, rtol=0
    )


def test_flip_twice_is_identity():
    pictures = torch.rand(2, 68, 8, 8)
    assert torch.equal(flip_heatmaps(flip_heatmaps(pictures)), pictures)


def test_flip_moves_the_right_eye_into_the_left_eyes_channel():
    landmarks = torch.full((1, 68, 2), 0.5)
    landmarks[0, 36] = torch.tensor([0.25, 0.4])  # outer corner of the person's right eye, left in the image
    flipped = flip_heatmaps(heatmaps(landmarks, 64))
    row, column = divmod(int(flipped[0, 45].argmax()), 64)
    assert (row, column) == (25, 63 - 16)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 1, 1), (4, 2, 1), (3, 1, 0)])
def test_convolution_without_painting_equals_the_ordinary_one_with_its_gradients(kernel, stride, padding):
    torch.manual_seed(0)
    conv = nn.Conv2d(71, 6, kernel, stride=stride, padding=padding).double()
    image = torch.rand(3, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    factors = profiles(torch.from_numpy(some_landmarks(3, seed=2)).double(), 64)
    results = []
    for made in (conv(picture_with_heatmaps(image, factors)), heatmap_conv(conv, image, factors)):
        gradients = torch.autograd.grad(made.square().sum(), [image, conv.weight, conv.bias])
        results.append([made, *gradients])
    for ordinary, factored in zip(*results, strict=True):
        torch.testing.assert_close(factored, ordinary, atol=1e-9, rtol=1e-9)


def test_painting_is_the_outer_product():
    factors = profiles(torch.from_numpy(some_landmarks(1)), 64)
    torch.testing.assert_close(paint(factors), torch.einsum("blh,blw->blhw", factors.rows, factors.columns))


# ---- all landmarks in one channel


@pytest.mark.parametrize(("size", "sigma"), [(64, 0.75), (33, 0.75), (160, 1.25)])
def test_one_channel_equals_adding_blobs_up_pixel_by_pixel(size, sigma):
    landmarks = some_landmarks(1, seed=3)[0, :12]
    made = landmark_image(torch.from_numpy(landmarks)[None], size)
    wanted = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            x, y = (landmarks.astype(np.float64) * size).T
            blobs = np.exp(-((j + 0.5 - x) ** 2 + (i + 0.5 - y) ** 2) / (2 * sigma**2))
            wanted[i, j] = 1 - np.exp(-blobs.sum())
    assert made.shape == (1, 1, size, size)
    np.testing.assert_allclose(made[0, 0].numpy(), wanted, atol=2e-5)
    assert made.min() >= 0
    assert made.max() < 1


def test_one_channel_has_the_gradient_of_finite_differences_even_at_a_pixels_border():
    # the second lies on a border of pixels, the third outside, the last two on one another
    points = [[0.4, 0.53], [0.25, 0.5], [1.02, 0.3], [0.7, 0.7], [0.7, 0.7]]
    landmarks = torch.tensor([points], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda moved: landmark_image(moved, 16), (landmarks,))
    wanted = torch.rand(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad((landmark_image(landmarks, 16) - wanted).square().sum(), landmarks)
    assert (gradient.abs().sum(dim=-1) > 1e-6).all()


def test_where_landmarks_crowd_each_still_has_a_gradient_and_together_it_points_the_right_way():
    """A mouth of twenty points within six pixels: a clipped sum would be flat there."""
    random = np.random.default_rng(0)
    there = torch.from_numpy(0.5 + random.uniform(-0.05, 0.05, (1, 20, 2)))
    wanted = landmark_image(there, 64)
    for way in torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=torch.float64):
        moved = (there + 0.01 * way).requires_grad_()
        (gradient,) = torch.autograd.grad((landmark_image(moved, 64) - wanted).square().sum(), moved)
        assert (gradient.sum(dim=1) @ way).item() > 0
        assert (gradient.abs().sum(dim=-1) > 1e-2).all()


def test_landmarks_that_are_no_numbers_leave_nothing_and_no_gradient():
    landmarks = torch.full((2, 68, 2), float("nan"))
    landmarks[1] = torch.from_numpy(some_landmarks(1, seed=4)[0])
    landmarks[1, 5, 0], landmarks[1, 6, 1] = float("nan"), float("inf")
    landmarks.requires_grad_()
    made = landmark_image(landmarks, 64)
    assert made[0].abs().max() == 0
    others = [k for k in range(68) if k not in (5, 6)]
    torch.testing.assert_close(made[1], landmark_image(landmarks[1:, others].detach(), 64)[0])
    made.sum().backward()
    assert landmarks.grad[0].abs().sum() == landmarks.grad[1, 5:7].abs().sum() == 0
    assert torch.isfinite(landmarks.grad).all()


def test_mirrored_landmarks_mirror_the_one_channel():
    landmarks = some_landmarks(2, seed=5)
    mirrored = landmark_image(torch.from_numpy(flip_landmarks(landmarks)), 64)
    torch.testing.assert_close(mirrored, landmark_image(torch.from_numpy(landmarks), 64).flip(-1), atol=2e-5, rtol=0)
