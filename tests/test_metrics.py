"""Metrics against independent references, sanity values, and intervals whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import linalg
from skimage.metrics import structural_similarity

from evaluation_corpus import FakeTools, fake_judge, fake_judges, head
from reenact.errors import SettingsError
from reenact.evaluation.judge import People, Reading
from reenact.evaluation.metrics.catalogue import METRICS, metric
from reenact.evaluation.metrics.ed import ed
from reenact.evaluation.metrics.fid_reader import frechet
from reenact.evaluation.metrics.lsim import lsim
from reenact.evaluation.metrics.metric import cosine
from reenact.evaluation.metrics.mse import mse
from reenact.evaluation.metrics.nme import nme
from reenact.evaluation.metrics.pose import pose_angle
from reenact.evaluation.metrics.ssim import ssim
from reenact.evaluation.metrics.temporal import flicker, jitter, temporal_error
from reenact.evaluation.scoring import Scored
from reenact.evaluation.statistics import (
    bootstrap_mean,
    expanded_levels,
    jackknife_interval,
    leave_one_out,
    paired_difference,
)
from reenact.faces.landmarks import outer_eye_distance


def pictures(count=5, side=40, seed=0):
    rng = np.random.default_rng(seed)
    smooth = np.cumsum(rng.uniform(-1, 1, (2, count, side, side, 3)), axis=2)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return smooth[0].astype(np.float32), (0.7 * smooth[0] + 0.3 * smooth[1]).astype(np.float32)


def test_ssim_agrees_with_scikit_image():
    for a, b in (pictures(), np.random.default_rng(1).uniform(size=(2, 3, 32, 32, 3)).astype(np.float32)):
        expected = [
            structural_similarity(
                x.astype(np.float64), y.astype(np.float64), channel_axis=2, data_range=1.0, gaussian_weights=True,
                sigma=1.5, use_sample_covariance=False,
            )
            for x, y in zip(a, b, strict=True)
        ]  # fmt: skip
        np.testing.assert_allclose(ssim(a, b), expected, atol=1e-6)


def test_ssim_of_a_batch_is_that_of_each_alone_and_nan_stays_in_its_row():
    a, b = pictures()
    together = ssim(a, b)
    np.testing.assert_array_equal(together, np.concatenate([ssim(a[i : i + 1], b[i : i + 1]) for i in range(len(a))]))
    a[2, 0, 0, 0] = np.nan
    poisoned = ssim(a, b)
    assert np.isnan(poisoned[2])
    np.testing.assert_array_equal(np.delete(poisoned, 2), np.delete(together, 2))


def test_nme_is_the_definition():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.2, 0.8, (2, 3, 68, 2))
    for x, y, found in zip(a, b, nme(a, b), strict=True):
        eyes = np.hypot(*(y[45] - y[36]))
        assert found == pytest.approx(sum(np.hypot(*(p - q)) for p, q in zip(x, y, strict=True)) / 68 / eyes)
    assert nme(b + np.array([0.01, 0.0]), b) == pytest.approx(0.01 / outer_eye_distance(b))


def test_temporal_error_and_jitter_are_their_definitions_whatever_the_order_of_frames():
    a, b = pictures(count=4)
    points = np.random.default_rng(0).uniform(0.2, 0.8, (4, 68, 2))
    previous = np.array([-1, 0, 1, -1])  # a sequence of three, one frame apart
    flicker = [np.abs((a[t] - a[t - 1]) - (b[t] - b[t - 1])).mean() for t in (1, 2)]
    bend = np.linalg.norm(points[2] - 2 * points[1] + points[0], axis=1).mean() / outer_eye_distance(points[1:2])[0]
    expected_error, expected_jitter = [np.nan, *flicker, np.nan], [np.nan, np.nan, bend, np.nan]
    np.testing.assert_allclose(temporal_error(a, b, previous), expected_error, rtol=1e-5)
    np.testing.assert_allclose(jitter(points, previous), expected_jitter)
    order = np.array([2, 0, 3, 1])
    moved = np.array([3, -1, -1, 1])
    np.testing.assert_array_equal(temporal_error(a[order], b[order], moved), temporal_error(a, b, previous)[order])
    np.testing.assert_array_equal(jitter(points[order], moved), jitter(points, previous)[order])


def test_flicker_is_its_definition_and_even_change_has_none():
    rng = np.random.default_rng(3)
    frames = rng.random((4, 5, 5, 3))
    expected = [np.nan, np.nan, *(np.abs(np.diff(frames, 2, axis=0)).mean(axis=(1, 2, 3)))]
    np.testing.assert_allclose(flicker(frames, np.arange(-1, 3)), expected)
    brighter = np.linspace(0, 1, 5)[:, None, None, None] * frames[:1]
    np.testing.assert_allclose(flicker(brighter, np.arange(-1, 4))[2:], 0, atol=1e-12)
    assert np.isnan(flicker(frames, np.full(4, -1))).all()


def test_even_motion_is_no_jitter():
    steady = np.random.default_rng(0).uniform(0.2, 0.6, (1, 68, 2)) + np.arange(6)[:, None, None] * 0.01
    assert np.nanmax(jitter(steady, np.arange(-1, 5))) == pytest.approx(0, abs=1e-12)


def test_mse_is_the_definition():
    a, b = pictures()
    expected = [sum((float(x) - float(y)) ** 2 for x, y in zip(p.ravel(), q.ravel(), strict=True)) / p.size
                for p, q in zip(a, b, strict=True)]  # fmt: skip
    np.testing.assert_allclose(mse(a, b), expected, rtol=1e-9)
    black, white = np.zeros((1, 12, 12, 3)), np.ones((1, 12, 12, 3))
    assert mse(black, white)[0] == 1.0


def test_pose_angle_takes_the_short_way_round():
    np.testing.assert_allclose(pose_angle(np.array([[10.0, -5, 179]]), np.array([[4.0, -5, -179]])), [(6 + 0 + 2) / 3])


def test_expression_distance_reaches_its_largest_value_between_all_and_nothing():
    assert ed(np.zeros((1, 17)), np.full((1, 17), 5.0))[0] == pytest.approx(METRICS["ed"].range[1])
    assert ed(np.array([[3.0] + [0] * 16]), np.array([[0.0, 4.0] + [0] * 15]))[0] == 5.0


def test_lsim_is_in_outer_eye_distances_and_not_aligned():
    truth = np.random.default_rng(0).uniform(0.2, 0.8, (3, 68, 2))
    moved = truth + np.array([0.1, 0.0]) * outer_eye_distance(truth)[:, None, None]
    np.testing.assert_allclose(lsim(moved, truth), 0.1**2 / 2)
    np.testing.assert_allclose(lsim(7 * moved, 7 * truth), lsim(moved, truth))


def test_cosine_of_parallel_and_crossed_rows():
    a = np.array([[1.0, 2, 3], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    b = np.array([[2.0, 4, 6], [0, 5, 0], [-1, -1, 0], [1, 2, 3]])
    np.testing.assert_allclose(cosine(a, b), [1, 0, -1, np.nan], atol=1e-12)


def test_frechet_agrees_with_the_matrix_square_root():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 12)), rng.normal(size=(250, 12)) @ rng.normal(size=(12, 12)) + 0.5
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * linalg.sqrtm(cov_a @ cov_b).real)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_shifted_copies_is_the_shift_and_of_a_set_with_itself_nothing():
    rows = np.random.default_rng(0).normal(size=(20, 128))  # fewer rows than columns: singular
    assert frechet(rows, rows) == pytest.approx(0.0, abs=1e-3)
    assert frechet(rows, rows + 0.5) == pytest.approx(128 * 0.25, rel=1e-6)
    assert np.isnan(frechet(rows[:1], rows))


def scored(generated, source, driving, truth, usable=None):
    count = len(generated)
    people = People(np.zeros((count, 2)), np.zeros((count, 17)))
    judges = fake_judges()
    everyone = np.ones(count, dtype=bool)
    readings = [Reading(judges.default, np.asarray(p), everyone, people) for p in (source, driving, truth)]
    ours = Reading(judges.default, np.asarray(generated), everyone if usable is None else usable, people)
    pairs = pd.DataFrame({"sequence": "on end", "driving_clip": "clip", "driving_frame": range(count)})
    real = dict(zip(("source", "driving", "truth"), readings, strict=True))
    return Scored(pairs=pairs, generated=ours, judges=judges, **real)


def test_identical_pictures_have_the_sanity_values():
    same = np.stack([head(i, 0.03 * (i + 1), 32) for i in range(4)])
    views = scored(same, same, same, same)
    expected = {"mse": 0, "ssim": 1, "pose_angle": 0, "psim": 1, "ed": 0, "csim_source": 1, "csim_truth": 1, "lsim": 0,
                "nme": 0, "temporal_error": 0}  # fmt: skip
    per_pair = {m.id: m.per_pair(views) for m in METRICS.values() if m.per_pair and not m.network}
    assert set(per_pair) == {*expected, "jitter", "flicker"}  # which compare with nothing
    for name in expected:
        values = per_pair[name][1:] if name == "temporal_error" else per_pair[name]
        np.testing.assert_allclose(values, expected[name], atol=1e-9, err_msg=name)
    fid = METRICS["fid_reader"]
    assert fid.of_sets(*fid.features(views)) == pytest.approx(0.0, abs=1e-3)


def test_every_metric_prefers_the_truth_to_a_shifted_stranger():
    truth = np.stack([head(i, 0.1, 32) for i in range(4)])
    wrong = np.stack([head(i + 8, -0.15 + 0.06 * (i % 2), 32) for i in range(4)])  # and it trembles
    good, bad = scored(truth, truth, truth, truth), scored(wrong, truth, truth, truth)
    for m in METRICS.values():
        if m.network:  # see test_network_metrics
            continue
        ours, theirs = (
            np.nanmean(m.per_pair(v)) if m.per_pair else m.of_sets(*m.features(v)) for v in (good, bad)
        )  # fmt: skip
        assert m.better(ours, theirs), m.id


def test_a_picture_without_a_face_or_not_finite_is_nan_in_its_row_alone():
    real = np.stack([head(i, 0.1, 32) for i in range(3)])
    drawn = real.copy()
    drawn[0] = 0  # black: no face
    views = scored(drawn, real, real, real, usable=np.array([True, False, True]))
    assert views.generated.found.tolist() == [False, False, True]
    assert np.isfinite(METRICS["pose_angle"].per_pair(views)).tolist() == [False, False, True]
    assert np.isfinite(METRICS["mse"].per_pair(views)).tolist() == [True, False, True]


def test_the_judge_reads_a_picture_once_and_one_by_one_equals_all_together():
    tools = FakeTools()
    judge = fake_judge()
    judge.tools = tools
    some = [head(i % 2, 0.05 * (i % 2), 32) for i in range(6)]
    together = judge.landmarks(some), judge.descriptors(some)
    assert tools.read == 2
    alone = [fake_judge().descriptors([picture])[0] for picture in some]
    np.testing.assert_array_equal(together[1], alone)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(SettingsError, match='did you mean "pose_angle"'):
        metric("pose_angel", where="compare.choose.metric")


def test_constant_values_have_an_interval_of_no_width_and_one_person_has_none():
    flat = bootstrap_mean(np.full(12, 3.0), [list("aabbccddeeff")])
    assert (flat.value, flat.low, flat.high, flat.n, flat.people) == (3.0, 3.0, 3.0, 12, 6)
    alone = bootstrap_mean(np.arange(5.0), [["a"] * 5])
    assert alone.value == 2.0
    assert np.isnan(alone.low)
    assert alone.plain()["low"] is None


def test_frames_of_one_person_do_not_make_a_figure_surer():
    rng = np.random.default_rng(0)
    people = rng.normal(size=30)
    few = bootstrap_mean(people, [list(range(30))], repeats=4000)
    many = bootstrap_mean(np.repeat(people, 20), [list(np.repeat(np.arange(30), 20))], repeats=4000)
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=0.05)


def test_the_interval_of_a_mean_is_that_of_the_textbook():
    values = np.random.default_rng(0).normal(size=40)
    ours = bootstrap_mean(values, [list(range(40))], repeats=20000)
    reach = 2.0227 * values.std(ddof=1) / np.sqrt(40)  # t with 39 degrees of freedom
    assert (ours.low, ours.high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.03)


def test_cross_pairs_are_less_sure_than_either_person_alone_says():
    rng = np.random.default_rng(0)
    n = 15
    source, driver = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    values = rng.normal(size=n)[source] + rng.normal(size=n)[driver]
    both = bootstrap_mean(values, [source, driver], repeats=4000)
    one = bootstrap_mean(values, [source], repeats=4000)
    expected = np.sqrt(2.0)  # two equal, independent variances
    assert (both.high - both.low) / (one.high - one.low) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("two_way", [False, True])
def test_95_percent_intervals_hold_the_truth_about_95_times_in_100(two_way):
    rng = np.random.default_rng(3)
    held = 0
    for trial in range(200):
        n, k = 12, 6
        source = np.repeat(np.arange(n), k)
        driver = (source + 1 + np.tile(np.arange(k), n)) % n
        values = rng.normal(size=n)[source] + 0.5 * rng.normal(size=n * k)
        if two_way:
            values = values + rng.normal(size=n)[driver]
        interval = bootstrap_mean(values, [source, driver] if two_way else [source], repeats=300, seed=trial)
        held += interval.low <= 0.0 <= interval.high
    assert 0.90 <= held / 200 <= 0.995


def test_few_groups_are_read_at_wider_levels():
    assert expanded_levels(10**6) == pytest.approx((0.025, 0.975), abs=1e-4)
    low, high = expanded_levels(5)
    assert low < 0.005
    assert high == pytest.approx(1 - low)


def test_a_paired_difference_is_surer_than_two_means_and_takes_common_pairs_only():
    rng = np.random.default_rng(0)
    people = list(range(25))
    theirs = rng.normal(scale=5.0, size=25)
    ours = theirs - 1.0 + 0.1 * rng.normal(size=25)
    ours[3] = np.nan
    difference = paired_difference(ours, theirs, [people])
    assert difference.n == 24
    assert difference.high < -0.8
    assert bootstrap_mean(theirs, [people]).low < 0 < bootstrap_mean(theirs, [people]).high


def test_the_order_of_rows_does_not_move_a_bit():
    rng = np.random.default_rng(0)
    values, source, driver = rng.normal(size=60), rng.integers(0, 8, 60), rng.integers(0, 8, 60)
    shuffled = rng.permutation(60)
    assert bootstrap_mean(values, [source, driver]) == bootstrap_mean(
        values[shuffled], [source[shuffled], driver[shuffled]]
    )


def test_the_jackknife_of_a_mean_is_the_standard_error():
    values = np.random.default_rng(0).normal(size=20)
    left_out = leave_one_out(lambda keep: float(values[keep].mean()), [list(range(20))], n=20)
    result = jackknife_interval(float(values.mean()), left_out, n=20)
    reach = 2.0930 * values.std(ddof=1) / np.sqrt(20)
    assert result.high - result.value == pytest.approx(reach, rel=1e-3)
