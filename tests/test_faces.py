import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from reenact.faces.landmarks import FLIP, GROUPS, POINTS, flip_landmarks, outer_eye_distance
from reenact.faces.pose import flip_pose, pose_of, rotation

angles = st.tuples(*[st.floats(-80, 80)] * 3)


def test_the_flip_permutation_is_an_involution_with_ten_points_on_the_mid_line():
    assert sorted(FLIP) == list(range(POINTS))
    assert np.array_equal(FLIP[FLIP], np.arange(POINTS))
    assert np.flatnonzero(np.arange(POINTS) == FLIP).tolist() == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_the_flip_maps_right_groups_onto_left_groups():
    for right, left in (("right_brow", "left_brow"), ("right_eye", "left_eye")):
        assert set(FLIP[list(GROUPS[right])]) == set(GROUPS[left])
    for middle in ("jaw", "nose_bridge", "nose_base", "outer_lip", "inner_lip"):
        assert set(FLIP[list(GROUPS[middle])]) == set(GROUPS[middle])


def test_flip_twice_is_identity():
    points = np.random.default_rng(0).random((3, POINTS, 2))
    assert np.allclose(flip_landmarks(flip_landmarks(points)), points)
    assert np.allclose(outer_eye_distance(flip_landmarks(points)), outer_eye_distance(points))


@settings(deadline=None)
@given(angles)
def test_rotation_agrees_with_scipy_and_is_undone_by_pose_of(pose):
    matrix = rotation(np.array(pose))
    assert np.allclose(matrix, Rotation.from_euler("XYZ", pose, degrees=True).as_matrix())
    assert np.allclose(pose_of(matrix), pose, atol=1e-6)


@settings(deadline=None)
@given(angles)
def test_mirroring_the_points_mirrors_the_pose(pose):
    mirror = np.diag([-1.0, 1.0, 1.0])
    assert np.allclose(mirror @ rotation(np.array(pose)) @ mirror, rotation(flip_pose(np.array(pose))))
