"""Segments: by landmarks and colours against drawn truth, by a network, by mask files."""

from functools import cache

import cv2
import numpy as np
import pytest

from reenact.labelling.segments.hull import hull_segments
from reenact.labelling.segments.place import expected_parts, place_head
from reenact.rendering.clips import invent_scene
from reenact.rendering.scene import Stage

FRAMES = 5
Clip = tuple[np.ndarray, np.ndarray, np.ndarray]


@cache
def drawn(identity: int) -> Clip:
    """Pictures (N, 128, 128, 3), true landmarks 0..1, true segments of one drawn person."""
    scene = invent_scene(seed=77, identity=identity, clip=0, frames=40, fps=25, size=128, yaw=20.0, honest=True)
    stage = Stage(scene.person, scene.surroundings, scene.motion, scene.size)
    frames = [stage.draw(scene.motion, frame) for frame in range(0, 40, 40 // FRAMES)]
    return (
        np.stack([picture for picture, _ in frames]),
        np.stack([labels.landmarks for _, labels in frames]) / 128,
        np.stack([labels.segments for _, labels in frames]),
    )


def overlap(said: np.ndarray, true: np.ndarray) -> float:
    return float((said & true).sum() / max(1, (said | true).sum()))


def above_the_chin(segments: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """What is compared whether or not the drawn neck counts as face."""
    rows = np.arange(segments.shape[1])[None, :, None]
    return np.broadcast_to(rows < landmarks[:, 8, 1][:, None, None] * 128, segments.shape)


def test_face_and_hair_of_unseen_drawn_people_are_found() -> None:
    said, true = [], []
    for identity in range(5):
        images, landmarks, segments = drawn(identity)
        head = above_the_chin(segments, landmarks)
        said.append(hull_segments(list(images), landmarks, np.ones(FRAMES, bool))[head])
        true.append(segments[head])
    both = np.concatenate(said), np.concatenate(true)
    assert overlap(both[0] == 1, both[1] == 1) > 0.85
    assert overlap(both[0] == 2, both[1] == 2) > 0.6


def test_frames_without_landmarks_have_no_segments_and_change_no_others() -> None:
    images, landmarks, _ = drawn(0)
    lost = landmarks.copy()
    lost[2] = np.nan
    found = np.ones(FRAMES, bool)
    found[2] = False
    said = hull_segments(list(images), lost, found)
    assert not said[2].any()
    only = hull_segments([image for n, image in enumerate(images) if n != 2], landmarks[found], np.ones(4, bool))
    np.testing.assert_array_equal(said[found], only)
    assert not hull_segments(list(images), lost, np.zeros(FRAMES, bool)).any()


def test_the_size_of_the_picture_hardly_matters() -> None:
    images, landmarks, _ = drawn(1)
    large = [np.repeat(np.repeat(image, 2, axis=0), 2, axis=1) for image in images]
    small = hull_segments(list(images), landmarks, np.ones(FRAMES, bool))
    assert (hull_segments(large, landmarks, np.ones(FRAMES, bool)) == small).mean() > 0.99


def test_a_mirrored_picture_has_mirrored_segments() -> None:
    from reenact.faces.landmarks import flip_landmarks

    images, landmarks, _ = drawn(2)
    said = hull_segments(list(images), landmarks, np.ones(FRAMES, bool))
    mirrored = hull_segments(list(images[:, :, ::-1]), flip_landmarks(landmarks), np.ones(FRAMES, bool))
    assert (mirrored[:, :, ::-1] == said).mean() > 0.97


@pytest.mark.parametrize("angle", [-30.0, 20.0])
def test_the_head_is_expected_upright_with_its_landmarks(angle: float) -> None:
    _, landmarks, _ = drawn(3)
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rolled = (landmarks[0] - 0.5) @ matrix.T + 0.5
    before, after = place_head(landmarks[0]), place_head(rolled)
    assert np.degrees(after.roll - before.roll) == pytest.approx(angle, abs=0.1)
    assert after.scale == pytest.approx(before.scale, rel=1e-4)
    np.testing.assert_allclose(expected_parts(rolled).sum(axis=-1), 1, atol=1e-5)


def test_inside_the_face_a_beard_of_the_hairs_colour_stays_face() -> None:
    images, landmarks, _ = drawn(0)
    painted = images.copy()
    for image, points in zip(painted, landmarks, strict=True):
        x, y = (points[8] * 128).astype(int)
        image[y - 12 : y - 2, x - 10 : x + 10] = (20, 16, 14)
    said = hull_segments(list(painted), landmarks, np.ones(FRAMES, bool))
    for segments, points in zip(said, landmarks, strict=True):
        x, y = (points[8] * 128).astype(int)
        assert (segments[y - 10 : y - 4, x - 6 : x + 6] == 1).mean() > 0.9


def test_a_bald_head_before_a_plain_wall_has_no_hair() -> None:
    _, landmarks, _ = drawn(0)
    place = place_head(landmarks[0])
    (x, y), wide = (np.array(place.origin) * 128).astype(int), place.scale * 128
    shade = np.linspace(90, 140, 128)[:, None, None] + np.linspace(0, 15, 128)[None, :, None]
    image = np.broadcast_to(shade, (128, 128, 3)).astype(np.uint8).copy()
    cv2.ellipse(image, (int(x), int(y - 25 * wide)), (int(70 * wide), int(105 * wide)), 0, 0, 360, (214, 160, 132), -1)
    said = hull_segments([image], landmarks[:1], np.ones(1, bool))[0]
    assert (said == 1).mean() > 0.1
    assert not (said == 2).any()
    hair = image.copy()
    cv2.ellipse(hair, (int(x), int(y - 60 * wide)), (int(76 * wide), int(80 * wide)), 0, 180, 360, (60, 40, 25), -1)
    with_hair = hull_segments([hair], landmarks[:1], np.ones(1, bool))[0]
    assert (with_hair == 2).mean() > 0.05
