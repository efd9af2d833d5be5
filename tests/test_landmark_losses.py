"""Losses on landmarks against NumPy in float64, written from the formulas of seed 001."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reenact.losses.landmarks import action_distance, connectivity, reconstruction

# where a part of the iBUG scheme begins, and the end
PARTS = (0, 17, 22, 27, 31, 36, 42, 48, 60, 68)


def some_landmarks(count, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.9, (count, 3, 68, 2))


def lengths(face):
    """Of one face, link by link; parts are not closed and not joined."""
    return [np.hypot(*(2 * face[i + 1] - 2 * face[i])) for begin, end in pairwise(PARTS) for i in range(begin, end - 1)]


def turned(landmarks, degrees, shift):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return landmarks @ np.array([[c, -s], [s, c]]).T + shift


def test_reconstruction_is_a_mean_distance_and_the_shifts_squares_summed_over_a_face():
    moved, wanted, source = some_landmarks(3)
    a, b, c = (2 * x - 1 for x in (moved, wanted, source))
    distance = np.mean(np.abs(a - b))
    penalty = np.mean([np.sum((one - other) ** 2) for one, other in zip(a, c, strict=True)])
    tensors = [torch.from_numpy(x) for x in (moved, wanted, source)]
    assert reconstruction(*tensors, regular=0.0).item() == pytest.approx(distance, rel=1e-5)
    assert reconstruction(*tensors, regular=0.01).item() == pytest.approx(distance + 0.01 * penalty, rel=1e-5)


def test_the_penalty_holds_landmarks_back_where_they_already_are_as_wanted():
    source, wanted = (torch.from_numpy(x) for x in some_landmarks(2))
    moved = wanted.clone().requires_grad_()
    reconstruction(moved, wanted, source, regular=1.0).backward()
    back = torch.nn.functional.cosine_similarity(moved.grad.flatten(), (wanted - source).flatten(), dim=0)
    assert back.item() == pytest.approx(1.0, abs=1e-5)


def test_action_distance_is_the_mean_square_over_all_numbers():
    a, b = np.random.default_rng(1).uniform(-1, 1, (2, 5, 20))
    found = action_distance(torch.from_numpy(a), torch.from_numpy(b))
    assert found.item() == pytest.approx(np.sum((a - b) ** 2) / 100, rel=1e-5)


def test_connectivity_compares_59_lengths_within_parts():
    moved, source = some_landmarks(2, seed=2)
    apart = [np.abs(np.subtract(lengths(a), lengths(b))) for a, b in zip(moved, source, strict=True)]
    assert np.shape(apart) == (3, 59)
    found = connectivity(torch.from_numpy(moved), torch.from_numpy(source))
    assert found.item() == pytest.approx(np.mean(apart), rel=1e-5)


def test_connectivity_sees_no_difference_between_a_face_and_itself_moved_and_turned():
    moved, source = some_landmarks(2, seed=3)
    a, b = torch.from_numpy(moved), torch.from_numpy(source)
    once = connectivity(a, b).item()
    assert once > 0.1
    assert connectivity(b, b).item() == 0
    assert connectivity(torch.from_numpy(turned(source, 25, [0.3, -0.2])), b).item() == pytest.approx(0, abs=1e-6)
    elsewhere = [torch.from_numpy(turned(x, angle, [0.1, 0.4])) for x, angle in ((moved, -40), (source, 70))]
    assert connectivity(*elsewhere).item() == pytest.approx(once, rel=1e-5)


def test_connectivity_notices_a_face_of_another_size():
    source = torch.from_numpy(some_landmarks(1)[0])
    mean = np.mean([lengths(face) for face in source.numpy()])
    assert connectivity(1.1 * source, source).item() == pytest.approx(0.1 * mean, rel=1e-4)


def test_points_in_one_place_leave_gradients_finite():
    moved = torch.full((1, 68, 2), 0.5, requires_grad=True)
    connectivity(moved, torch.from_numpy(some_landmarks(1)[0][:1]).float()).backward()
    assert torch.isfinite(moved.grad).all()
