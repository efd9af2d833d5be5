"""Laws that the metrics must keep: pictures of drawn people are spoilt in one way, and the right figures get worse."""

import pytest
from benchmarks.perturbations import SIDE, blended, draw, make_clips, score

from reenact.faces.landmarks import outer_eye_distance

WAYS = ("blur", "identity", "pose", "expression", "shift")


@pytest.fixture(scope="module")
def clips():
    return make_clips(3, 1)


@pytest.fixture(scope="module")
def worse(clips):
    """Mean over people by way and step: nothing, and all five steps at once."""
    return score(clips, WAYS, steps=(0, 5)).groupby(["way", "step"]).mean(numeric_only=True)


def test_the_same_scene_is_the_same_picture_and_a_blend_of_nothing_the_same_person(clips):
    clip = clips[0]
    assert (draw(clip, clip.scene, clip.numbers) == draw(clip, clip.scene, clip.numbers)).all()
    same = blended(clip.scene.person, clip.other, 0.0, lambda name: True)
    assert same.plain() == clip.scene.person.plain()


def test_blur_costs_ssim(worse):
    values = worse.loc["blur"]["ssim"]
    assert values[0] == 1.0
    assert values[5] < 0.85


def test_another_identity_costs_similarity_to_the_true_person(worse):
    values = worse.loc["identity"]["csim_truth"]
    assert values[0] == pytest.approx(1.0)
    lost = 1.0 - values
    assert lost[5] > 2 * (1.0 - worse.loc["shift"]["csim_truth"][5])


def test_a_turn_of_20_degrees_is_a_mean_angle_of_about_7(worse):
    values = worse.loc["pose"]["pose_angle"]
    assert values[5] == pytest.approx(20 / 3, rel=0.35)
    assert worse.loc["pose"]["psim"][5] < 0.5
    assert max(worse.loc[way]["pose_angle"][5] for way in ("blur", "shift", "expression")) < 0.6 * values[5]


def test_an_expression_is_far_in_action_units_and_a_shift_is_not(worse):
    values = worse.loc["expression"]["ed"]
    assert values[0] == 0
    assert values[5] > 1.5 * worse.loc["shift"]["ed"][5]


def test_a_shift_costs_what_it_is_in_eye_distances(worse, clips):
    distances = []
    for clip in clips:
        from reenact.rendering.scene import Stage

        scene = clip.scene
        stage = Stage(scene.person, scene.surroundings, scene.motion, scene.size)
        points = stage.draw(scene.motion, clip.numbers[0])[1].landmarks / clip.crop[2] * SIDE
        distances.append(0.06 * SIDE / outer_eye_distance(points[None])[0])
    assert worse.loc["shift"]["nme"][5] == pytest.approx(sum(distances) / len(distances), rel=0.3)
