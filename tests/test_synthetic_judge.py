"""The judge for turned heads on drawn people whom no network has seen."""

import numpy as np
import pytest

from reenact.evaluation.judge import People
from reenact.evaluation.judges import Making, make_judges
from reenact.evaluation.metrics.metric import cosine
from reenact.faces.shape_model import shape_model

TURNS = (-70.0, -40.0, 0.0, 30.0, 60.0)


@pytest.fixture(scope="module")
def judge():
    return make_judges("synthetic", {}, Making()).default


@pytest.fixture(scope="module")
def faces():
    """Crops of three people at these turns, as corpora have them: pictures (N, 96, 96, 3), landmarks, pose."""
    from dataclasses import replace

    from reenact.labelling.crops import Crop, cut_out
    from reenact.rendering.clips import invent_scene
    from reenact.rendering.scene import Stage

    pictures, landmarks, pose = [], [], []
    for identity in range(6_500_000, 6_500_003):
        scene = invent_scene(
            seed=0, identity=identity, clip=0, frames=len(TURNS), fps=1.5, size=160, yaw=70.0, honest=True
        )
        motion = replace(scene.motion, pose=np.array([(4.0, yaw, -3.0) for yaw in TURNS]))
        stage = Stage(scene.person, scene.surroundings, motion, scene.size)
        for frame in range(len(TURNS)):
            picture, truth = stage.draw(motion, frame)
            points = np.asarray(truth.landmarks3d[:, :2], dtype=np.float64)
            side = round(1.7 * np.ptp(points, axis=0).max())
            x, y = (round(at - side / 2) for at in points[28])
            pictures.append(cut_out(picture, Crop(x, y, side), 96))
            landmarks.append((points - [x, y]) / side)
            pose.append(motion.pose[frame])
    return np.stack(pictures), np.stack(landmarks), np.stack(pose)


def people(count):
    return People(np.zeros((count, len(shape_model().identity))), np.zeros((count, 17)))


def test_heads_are_read_at_turns_where_the_tools_fail(judge, faces):
    pictures, landmarks, pose = faces
    found, actions = judge.pose_and_actions(pictures, people(len(pictures)))
    off = np.linalg.norm(judge.landmarks(pictures) - landmarks, axis=-1).mean(axis=1)
    assert np.abs(found[:, 1] - pose[:, 1]).mean() < 5.0
    assert off.mean() < 0.05 * np.ptp(landmarks, axis=1).max(axis=1).mean()
    assert ((actions >= 0) & (actions <= 5)).all()
    turned = np.abs(pose[:, 1]) > 50
    tools = make_judges("tools", {}, Making()).default
    read, _ = tools.pose_and_actions(pictures[turned], people(turned.sum()))
    right = [int((np.abs(said[:, 1] - pose[turned, 1]) < 10).sum()) for said in (found[turned], read)]
    assert right[0] >= 5 > 3 >= right[1], right  # of 6


def test_people_are_told_apart(judge, faces):
    nearly_frontal = judge.descriptors(faces[0][[2, 3, 7, 8, 12, 13]])
    same = [cosine(nearly_frontal[i : i + 1], nearly_frontal[i + 1 : i + 2])[0] for i in (0, 2, 4)]
    other = [cosine(nearly_frontal[i : i + 1], nearly_frontal[j : j + 1])[0] for i, j in ((0, 2), (2, 4), (0, 4))]
    assert np.mean(same) > np.mean(other) + 0.02


def test_what_is_no_face_is_nan(judge):
    noise = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    assert np.isnan(judge.landmarks(noise)).all()
    assert np.isnan(judge.descriptors(noise)).all()
    pose, actions = judge.pose_and_actions(noise, people(2))
    assert np.isnan(pose).all()
    assert np.isnan(actions).all()


def test_one_by_one_equals_all_together_bit_for_bit(judge, faces):
    pictures = list(faces[0][:5])
    fresh = make_judges("synthetic", {}, Making()).default
    alone = np.concatenate([fresh.landmarks([picture]) for picture in reversed(pictures)])[::-1]
    np.testing.assert_array_equal(judge.landmarks(pictures), alone)
