"""The tools judge on faces that dlib knows, and the sources of what it reads."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.config import Runtime
from reenact.errors import SettingsError
from reenact.evaluation.judge import People
from reenact.evaluation.judges import Making, make_judges
from reenact.evaluation.metrics.metric import cosine
from reenact.evaluation.tools import fitted

REAL = os.environ.get("REENACT_REAL_DATA")
real = [pytest.mark.real, pytest.mark.skipif(not REAL, reason="REENACT_REAL_DATA names no folder of real videos")]


@pytest.fixture(scope="module")
def judge():
    return make_judges("tools", {}, Making()).default


def clip_frames(name, numbers, side=128):
    video = cv2.VideoCapture(str(Path(REAL) / name))
    frames = []
    for number in numbers:
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        frame = cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB)
        frames.append(cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA))
    return frames


def test_the_judge_says_who_it_is(judge):
    card = judge.card
    assert card["size"] == 256
    assert {name: len(sha) for name, sha in card["sha256"].items()} == {"landmarks": 64, "recognition": 64, "fit": 64}


def test_an_unknown_judge_is_refused():
    with pytest.raises(SettingsError, match='there is no judge "toolz"; did you mean "tools"'):
        make_judges("toolz", {}, Making())


def test_no_face_is_nan_not_an_error(judge):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert np.isnan(judge.landmarks([noise])).all()
    assert np.isnan(judge.descriptors([noise])).all()
    people = People(np.zeros((1, 17)), np.zeros((1, 17)))
    pose, actions = judge.pose_and_actions([noise], people)
    assert np.isnan(pose).all()
    assert np.isnan(actions).all()


@pytest.mark.parametrize("yaw", [-15.0, 0.0, 15.0])
def test_the_fit_of_exact_landmarks_gives_the_pose_back(yaw):
    from reenact.faces.pose import rotation
    from reenact.faces.shape_model import shape_model

    model = shape_model()
    head = model.mean @ rotation(np.array([5.0, yaw, -4.0])).T
    landmarks = (head[None, :, :2] / 250.0 + 0.5).astype(np.float32)
    people = People(np.zeros((1, len(model.identity))), np.zeros((1, 17)))
    pose, _ = fitted(landmarks, people)
    np.testing.assert_allclose(pose[0], [5.0, yaw, -4.0], atol=2.0)


@pytest.mark.parametrize(("clip", "other"), [pytest.param("d0.mp4", "d10.mp4", marks=real)])
def test_real_people_are_found_and_told_apart(judge, clip, other):
    same = clip_frames(f"clips/{clip}", [5, 40])
    stranger = clip_frames(f"clips/{other}", [5])
    descriptors = judge.descriptors([*same, *stranger])
    assert np.isfinite(descriptors).all()
    assert cosine(descriptors[:1], descriptors[1:2])[0] > cosine(descriptors[:1], descriptors[2:])[0] + 0.02
    landmarks = judge.landmarks(same)
    assert ((landmarks > -0.2) & (landmarks < 1.2)).all()


@pytest.mark.parametrize("threads", [pytest.param(1, marks=real)])
def test_small_pictures_are_judged_much_like_large_ones(judge, threads):
    """What enlarging 64 px to 256 px costs in landmarks, in outer eye distances."""
    from reenact.faces.landmarks import outer_eye_distance

    assert Runtime(threads=threads)
    large = judge.landmarks(clip_frames("openface/00116.mp4", [1, 30, 60], side=224))
    small = judge.landmarks(clip_frames("openface/00116.mp4", [1, 30, 60], side=64))
    error = np.linalg.norm(large - small, axis=-1).mean(axis=1) / outer_eye_distance(large)
    assert (error < 0.06).all()
