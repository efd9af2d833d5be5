"""The shape model: mirror symmetric, in its axes, and every action unit moves what it should, where it should."""

import numpy as np
import pytest

from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP, GROUPS
from reenact.faces.shape_model import IDENTITY_MODES, canonical, mirror_points, shape_model

MODEL = shape_model()


def neutral() -> np.ndarray:
    return canonical(MODEL, np.zeros(len(MODEL.identity)), np.zeros(17))


def moved(action: str, intensity: float = 5.0) -> np.ndarray:
    """Displacement (68, 3) of one action unit; y down, x to the image's right."""
    actions = np.zeros(17)
    actions[ACTION_UNITS.index(action)] = intensity
    return canonical(MODEL, np.zeros(len(MODEL.identity)), actions) - neutral()


def test_shapes_and_units() -> None:
    assert MODEL.mean.shape == (68, 3)
    assert MODEL.identity.shape == (len(IDENTITY_MODES), 68, 3)
    assert MODEL.actions.shape == (17, 68, 3)
    assert MODEL.mean[16, 0] - MODEL.mean[0, 0] == pytest.approx(155, abs=10)
    assert MODEL.mean[45, 0] - MODEL.mean[36, 0] == pytest.approx(90, abs=4)
    assert MODEL.mean[:, 2].argmin() == 30, "the nose tip is nearest to the camera"
    assert MODEL.mean[8, 1] == MODEL.mean[:, 1].max(), "the chin is lowest: y points down"
    assert MODEL.mean[0, 0] < 0 < MODEL.mean[16, 0]


@pytest.mark.parametrize("part", ["mean", "identity", "actions"])
def test_everything_is_mirror_symmetric(part: str) -> None:
    points = getattr(MODEL, part)
    mirrored = points[..., FLIP, :] * np.array([-1.0, 1.0, 1.0])
    np.testing.assert_array_equal(points, mirrored)


def test_mirroring_twice_is_identity() -> None:
    points = np.random.default_rng(0).normal(size=(3, 68, 3))
    np.testing.assert_array_equal(mirror_points(mirror_points(points)), points)
    assert not np.allclose(mirror_points(points), points)


def test_model_is_linear_in_batches() -> None:
    rng = np.random.default_rng(1)
    identity, actions = rng.normal(size=(2, 3, len(MODEL.identity))), rng.uniform(0, 5, size=(2, 3, 17))
    points = canonical(MODEL, identity, actions)
    assert points.shape == (2, 3, 68, 3)
    by_hand = MODEL.mean.copy()
    for k, weight in enumerate(identity[1, 2]):
        by_hand = by_hand + weight * MODEL.identity[k]
    for a, intensity in enumerate(actions[1, 2]):
        by_hand = by_hand + intensity / 5 * MODEL.actions[a]
    np.testing.assert_allclose(points[1, 2], by_hand)


def test_modes_are_independent() -> None:
    """The fitter can tell them apart: neither set of modes is (nearly) linearly dependent."""
    for modes in (MODEL.identity, MODEL.actions):
        unit = modes.reshape(len(modes), -1)
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        assert np.linalg.svd(unit, compute_uv=False).min() > 0.03


# action unit, points on the person's right side, axis (0 x, 1 y), sign; the image's x of that side is negative
DIRECTIONS = [
    ("AU01", (20, 21), 1, -1), ("AU02", (17, 18), 1, -1), ("AU04", (19, 20, 21), 1, 1), ("AU04", (20, 21), 0, 1),
    ("AU05", (37, 38), 1, -1), ("AU06", (40, 41), 1, -1), ("AU07", (37, 38), 1, 1), ("AU07", (40, 41), 1, -1),
    ("AU09", (31, 32, 33), 1, -1), ("AU10", (49, 50, 51), 1, -1), ("AU12", (48, 60), 0, -1), ("AU12", (48, 60), 1, -1),
    ("AU14", (48, 60), 0, 1), ("AU15", (48, 60), 1, 1), ("AU17", (8, 57), 1, -1), ("AU20", (48, 60), 0, -1),
    ("AU23", (48, 60), 0, 1), ("AU25", (66, 67), 1, 1), ("AU25", (61, 62), 1, -1), ("AU26", (7, 8, 57, 66), 1, 1),
    ("AU45", (37, 38), 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(("action", "points", "axis", "sign"), DIRECTIONS)
def test_action_units_move_their_points_the_right_way(action: str, points: tuple, axis: int, sign: int) -> None:
    change = moved(action)
    for point in points:
        assert sign * change[point, axis] > 1.0
        mirrored = -sign if axis == 0 else sign
        assert mirrored * change[FLIP[point], axis] > 1.0


def test_brow_units_leave_the_mouth_alone_and_mouth_units_the_brows() -> None:
    mouth, brows = [*GROUPS["outer_lip"], *GROUPS["inner_lip"]], [*GROUPS["right_brow"], *GROUPS["left_brow"]]
    for action in ("AU01", "AU02", "AU04", "AU05", "AU07", "AU45"):
        assert not moved(action)[mouth].any()
    for action in ("AU12", "AU15", "AU20", "AU23", "AU25", "AU26"):
        assert not moved(action)[brows].any()


def test_relaxed_mouth_is_closed_and_a_blink_closes_the_eyes() -> None:
    face = neutral()
    assert 0 < (face[66] - face[62])[1] < 2.0
    closed = face + moved("AU45")
    assert (face[41] - face[37])[1] > 8.0
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert abs(closed[lower, 1] - closed[upper, 1]) < 1.5
    assert (face[66] + moved("AU26")[66] - face[62] - moved("AU26")[62])[1] > 9.0
