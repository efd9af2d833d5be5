"""Known answers on simulated data: false positives near 5 %, power where an effect is, corrections by definition."""

import itertools

import numpy as np
import pytest
from scipy import stats

from reenact.evaluation.significance import holm, paired_test


def clustered(rng, *, people=20, each=5, effect=0.0):
    person = np.repeat(np.arange(people), each)
    return effect + rng.normal(0, 1, people)[person] + rng.normal(0, 1, people * each), [person]


def crossed(rng, *, people=16, rounds=4, effect=0.0):
    """A ring as `protocols` draws it: every person is source and driver `rounds` times."""
    source = np.tile(np.arange(people), rounds)
    driver = np.concatenate([(np.arange(people) + k + 1) % people for k in range(rounds)])
    by_source, by_driver = rng.normal(0, 1, people), rng.normal(0, 1, people)
    return effect + by_source[source] + by_driver[driver] + rng.normal(0, 1, len(source)), [source, driver]


@pytest.mark.parametrize("simulate", [clustered, crossed])
def test_without_an_effect_one_in_twenty_is_significant(simulate):
    rng = np.random.default_rng(0)
    p = [paired_test(*simulate(rng), repeats=400).p for _ in range(400)]
    assert 0.02 < np.mean(np.less(p, 0.05)) < 0.085
    assert 0.35 < np.mean(np.less(p, 0.5)) < 0.65


def test_taking_frames_for_persons_would_find_what_is_not_there():
    rng = np.random.default_rng(0)
    wrong = [stats.ttest_1samp(clustered(rng)[0], 0).pvalue for _ in range(300)]
    assert np.mean(np.less(wrong, 0.05)) > 0.2


def test_few_people_are_tested_exactly():
    values = np.array([0.3, 1.1, 0.4, -0.2, 0.9, 0.8])
    means = [abs(np.mean(values * signs)) for signs in itertools.product((1, -1), repeat=6)]
    expected = np.mean(np.array(means) >= abs(values.mean()) - 1e-12)
    assert paired_test(values, [list("abcdef")]).p == pytest.approx(expected)


def test_many_people_agree_with_the_t_test():
    values = np.random.default_rng(3).normal(0.3, 1, 60)
    ours = paired_test(values, [list(range(60))], repeats=20000)
    assert ours.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)
    assert ours.effect == pytest.approx(values.mean() / values.std(ddof=1), rel=1e-9)


@pytest.mark.parametrize("simulate", [clustered, crossed])
def test_a_difference_of_the_detectable_size_is_found_four_times_in_five(simulate):
    rng = np.random.default_rng(1)
    size = np.mean([paired_test(*simulate(rng), repeats=2).detectable for _ in range(60)])
    found = np.mean([paired_test(*simulate(rng, effect=size), repeats=400).p < 0.05 for _ in range(200)])
    assert 0.68 < found < 0.92


def test_order_of_rows_and_missing_values_change_nothing():
    rng = np.random.default_rng(2)
    values, groups = crossed(rng)
    order = rng.permutation(len(values))
    assert paired_test(values[order], [g[order] for g in groups]) == paired_test(values, groups)
    more = np.append(values, np.nan)
    assert paired_test(more, [np.append(g, 99) for g in groups]) == paired_test(values, groups)


def test_one_person_allows_no_test_and_no_difference_is_no_finding():
    assert paired_test(np.ones(5), [["a"] * 5]).plain() == {"p": None, "effect": None, "detectable": None}
    same = paired_test(np.zeros(8), [list("aabbccdd")])
    assert (same.p, same.effect, same.detectable) == (1.0, 0.0, 0.0)


def test_holm_multiplies_step_by_step():
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm([float("nan")])[0])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_after_holm_any_false_finding_is_one_in_twenty():
    rng = np.random.default_rng(4)
    families = rng.uniform(size=(2000, 8))
    assert np.mean([min(holm(p)) < 0.05 for p in families]) == pytest.approx(0.05, abs=0.015)
