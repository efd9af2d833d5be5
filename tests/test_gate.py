"""The gate on evaluations made up for it: what passes, what blocks, what is refused, and what is said of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import stats

from gate_scores import PEOPLE, alarm, figure, made_entry
from reenact.errors import BadInput, SettingsError
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.review.gate import check_rules, gate
from reenact.review.settings import GateSettings
from reenact.review.verdict import Verdict, read_verdict, write_verdict
from reenact.review.verdict_table import verdict_table

RULES = {
    "csim_truth": {"protocol": "self", "effect": 0.01, "bound": 0.03},
    "nme": {"protocol": "self", "effect": 0.005, "bound": 0.01},
    "pose_angle": {"protocol": "cross", "effect": 0.5, "bound": 1.0},
}
BETTER = {"csim_truth": 0.03, "nme": -0.02, "pose_angle": -2.0}
CHAMPION = made_entry("champion")


def settings(**changes):
    return GateSettings.parse({"metrics": RULES, **changes}, where="gate")


def judged(champion=CHAMPION, *, asked=None, change=None, **shifts):
    """The verdict on a challenger with these shifts; `change` may spoil it first."""
    challenger = made_entry("challenger", seed=1, **shifts)
    return gate(change(challenger) if change else challenger, champion, asked or settings(), repeats=300)


def rules_of(verdict):
    return {rule.name: rule for rule in verdict.rules}


def broken(verdict):
    return {rule.name for rule in verdict.failed}


def with_alarms(entry, *alarms):
    """The entry with these verdicts in the place of those of the same alarms."""
    named = {one["name"] for one in alarms}
    kept = [one for one in entry.record["alarms"] if one["name"] not in named]
    return replace(entry, record={**entry.record, "alarms": [*kept, *alarms]})


def without_figure(entry, metric):
    results = [{**r, "value": None} if r["metric"] == metric else r for r in entry.record["results"]]
    return replace(entry, record={**entry.record, "results": results}, faces=entry.faces.assign(**{metric: np.nan}))


def test_better_everywhere_passes():
    verdict = judged(**BETTER)
    assert verdict.passed
    assert not broken(verdict)
    found = rules_of(verdict)
    for name, shift in (("csim_truth on self", 0.03), ("nme on self", -0.02), ("pose_angle on cross", -2.0)):
        rule = found[name]
        assert rule.better is True
        assert rule.difference == pytest.approx(shift, abs=abs(shift) / 5)
        assert rule.low < rule.difference < rule.high
        assert rule.difference == pytest.approx(rule.challenger - rule.champion)
        assert rule.p < 0.05
    assert found["improvement"].sentence.startswith("3 of 3 metrics are better")


def test_better_in_one_and_over_the_bound_in_another_fails_for_the_other():
    verdict = judged(csim_truth=0.03, nme=0.02)
    assert broken(verdict) == {"nme on self"}
    rule = rules_of(verdict)["nme on self"]
    assert rule.difference > 0
    assert "may be worse by" in rule.sentence
    assert rules_of(verdict)["improvement"].ok


@pytest.mark.parametrize(("shift", "ok"), [(-0.01, True), (-0.05, False)])
def test_of_a_metric_where_more_is_better_less_is_worse(shift, ok):
    assert rules_of(judged(csim_truth=shift))["csim_truth on self"].ok is ok


def test_within_noise_is_no_reason_to_change_the_champion():
    verdict = judged()
    assert broken(verdict) == {"improvement"}
    assert "0 of 3 metrics are better by what counts, 1 wanted" in verdict.sentence()
    assert judged(asked=settings(needs=0)).passed


def test_a_sure_improvement_that_is_too_small_does_not_count():
    small = {"csim_truth": {"protocol": "self", "effect": 0.05, "bound": None}}
    rule = rules_of(judged(csim_truth=0.03, asked=settings(metrics=small)))["csim_truth on self"]
    assert rule.p < 0.05
    assert rule.better is False


def test_a_large_improvement_that_could_be_chance_does_not_count():
    """Half of the people are drawn much better, half nearly as much worse."""
    by_person = 0.02 + 0.3 * (-1.0) ** np.arange(PEOPLE)
    wide = {"csim_truth": {"protocol": "self", "effect": 0.01, "bound": None}}
    rule = rules_of(judged(csim_truth=by_person, asked=settings(metrics=wide)))["csim_truth on self"]
    assert rule.difference > 0.01
    assert rule.p > 0.5
    assert rule.ok
    assert rule.better is False


def test_the_bound_is_held_against_the_interval_and_not_against_the_mean():
    by_person = -0.02 + 0.1 * (-1.0) ** np.arange(PEOPLE)
    rule = rules_of(judged(csim_truth=by_person))["csim_truth on self"]
    assert rule.difference > -0.03 > rule.low
    assert not rule.ok
    even = rules_of(judged(csim_truth=-0.02))["csim_truth on self"]
    assert even.high < 0
    assert even.ok, "surely worse, but surely by less than is allowed"


def test_p_is_that_of_all_changes_of_sign_of_the_persons_differences_and_holms_of_several():
    by_person = 0.01 + 0.02 * np.cos(np.arange(PEOPLE))
    one = {"csim_truth": RULES["csim_truth"]}
    challenger = made_entry("challenger", seed=1, csim_truth=by_person)
    (rule, *_) = gate(challenger, CHAMPION, settings(metrics=one)).rules

    def values(entry):
        own = entry.faces[(entry.faces["row"] == entry.name) & (entry.faces["protocol"] == "self")]
        return own.groupby("person")["csim_truth"].mean().to_numpy()

    differences = values(challenger) - values(CHAMPION)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert rule.difference == pytest.approx(differences.mean())
    assert rule.p == pytest.approx(expected.pvalue, abs=1e-9)
    together = gate(challenger, CHAMPION, settings()).rules
    assert rule.p <= together[0].p <= 3 * rule.p + 1e-9


def test_the_order_of_the_lines_changes_nothing():
    def mixed(entry):
        return replace(entry, faces=entry.faces.sample(frac=1.0, random_state=3))

    # Sums of floats in another order differ in their last digits.
    first, second = judged(**BETTER), judged(**BETTER, change=mixed)
    assert [rule.ok for rule in first.rules] == [rule.ok for rule in second.rules]
    for ours, theirs in zip(first.rules, second.rules, strict=True):
        for name in ("difference", "low", "high", "p"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9), (ours.name, name)


def test_a_metric_that_is_missing_breaks_its_rule_and_says_so():
    verdict = judged(**BETTER, change=lambda entry: without_figure(entry, "nme"))
    assert broken(verdict) == {"nme on self"}
    assert "no figure" in rules_of(verdict)["nme on self"].sentence
    verdict = judged(without_figure(CHAMPION, "nme"), **BETTER)
    assert broken(verdict) == {"nme on self"}
    assert "the champion has no figure" in rules_of(verdict)["nme on self"].sentence


def test_a_metric_whose_network_nobody_gave_says_which():
    asked = settings(metrics={**RULES, "lpips": {"protocol": "self", "effect": 0.01}})
    bare = replace(CHAMPION, faces=CHAMPION.faces.assign(lpips=np.nan))
    verdict = judged(bare, **BETTER, asked=asked, change=lambda e: replace(e, faces=e.faces.assign(lpips=np.nan)))
    assert broken(verdict) == {"lpips on self"}
    assert "evaluate.networks.lpips" in rules_of(verdict)["lpips on self"].sentence


def test_pairs_that_only_one_of_them_could_be_judged_on_are_left_out():
    lost = CHAMPION.faces["pair"].isin(["test-s0-0", "test-s1-0"]) & (CHAMPION.faces["row"] == "champion")
    some = replace(CHAMPION, faces=CHAMPION.faces.assign(csim_truth=CHAMPION.faces["csim_truth"].mask(lost, 5.0)))
    gone = replace(CHAMPION, faces=CHAMPION.faces.assign(csim_truth=CHAMPION.faces["csim_truth"].mask(lost)))
    assert rules_of(judged(some))["csim_truth on self"].difference < -0.1
    assert rules_of(judged(gone))["csim_truth on self"].difference == pytest.approx(0.0, abs=0.005)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: {**record, "pairs_sha256": {"test": "others"}}, "another list of pairs"),
        (lambda record: {**record, "metrics": {**record["metrics"], "nme": {
            "judge": {"name": "reader", "size": 256}, "weights_sha256": {}}}}, "another judge of nme"),
        (lambda record: {**record, "metrics": {**record["metrics"], "nme": {
            "judge": {"name": "tools", "size": 256}, "weights_sha256": {"landmarks": "b"}}}}, "of other files"),
    ],
)  # fmt: skip
def test_other_pairs_and_other_judges_are_refused(change, said):
    with pytest.raises(BadInput, match=said):
        judged(**BETTER, change=lambda entry: replace(entry, record=change(entry.record)))


def test_another_test_set_behind_pairs_of_the_same_names_is_refused():
    def elsewhere(entry):
        return replace(entry, faces=entry.faces.assign(mse=entry.faces["mse"] * 1.2))

    with pytest.raises(BadInput, match="another corpus"):
        judged(**BETTER, change=elsewhere)


def test_another_picture_size_is_a_broken_rule_and_other_pairs_of_another_size_are_refused():
    def larger(entry, **more):
        return replace(entry, record={**entry.record, "image_size": 128, **more})

    verdict = judged(**BETTER, change=larger)
    assert broken(verdict) == {"comparison with the champion"}
    assert "128 px" in verdict.sentence()
    assert rules_of(verdict)["nme on self"].difference is None
    with pytest.raises(BadInput, match="another list of pairs"):
        judged(change=lambda entry: larger(entry, pairs_sha256={"test": "others"}))


def test_an_evaluation_without_figures_is_refused():
    with pytest.raises(BadInput, match=r"challenger.*failed: not finite"):
        judged(change=lambda entry: replace(entry, status="failed", reason="not finite"))


@pytest.mark.parametrize(("name", "protocol"), [("identity_leak", "cross"), ("mask_saturation", "self")])
def test_an_alarm_blocks_whatever_the_figures_say(name, protocol):
    verdict = judged(**BETTER, change=lambda e: with_alarms(e, alarm(name, protocol, "alarm", value=0.9)))
    assert broken(verdict) == {f"{name} on {protocol}"}
    assert "0.9 (limit 0.2)" in rules_of(verdict)[f"{name} on {protocol}"].sentence
    others = settings(alarms=["mode_collapse"])
    assert judged(**BETTER, asked=others, change=lambda e: with_alarms(e, alarm(name, protocol, "alarm"))).passed


@pytest.mark.parametrize(
    ("alarms", "passed"),
    [
        ([alarm("mode_collapse", "self", "warning")], True),
        ([alarm("mask_saturation", "self", "unknown")], True),  # a system that mixes nothing by a mask
        ([alarm("mode_collapse", "cross", "unknown")], False),
        ([alarm("mode_collapse", "self", "alarm", split="val"), alarm("mode_collapse", "self")], True),  # in training
        ([alarm("mode_collapse", "self", split="val")], False),  # nobody asked on test pairs
    ],
)
def test_what_counts_as_an_alarm(alarms, passed):
    assert judged(**BETTER, change=lambda entry: with_alarms(entry, *alarms)).passed is passed


@pytest.mark.parametrize(("lost", "ok"), [(1, True), (12, False)])
def test_figures_of_faces_say_nothing_of_pictures_without_one(lost, ok):
    """Of 36 pairs: one less than the champion is within what is allowed, a third is not."""

    def without_faces(entry):
        hit = entry.faces["pair"].isin([f"test-s{i}-0" for i in range(lost)]) & (entry.faces["row"] == entry.name)
        faces = entry.faces.assign(face_found=entry.faces["face_found"] & ~hit)
        return replace(entry, faces=faces.assign(**{name: faces[name].mask(hit) for name in ("csim_truth", "nme")}))

    verdict = judged(**BETTER, change=without_faces)
    assert rules_of(verdict)["faces on self"].ok is ok
    assert rules_of(verdict)["faces on self"].challenger == pytest.approx(1 - lost / 36)
    assert verdict.passed is ok


def test_without_a_champion_figures_faces_and_alarms_count_alone():
    verdict = judged(None)
    assert verdict.passed
    assert verdict.champion == ""
    assert "improvement" not in rules_of(verdict)
    assert all(rule.difference is None and rule.better is None for rule in verdict.rules)
    assert broken(judged(None, change=lambda e: without_figure(e, "nme"))) == {"nme on self"}
    sick = judged(None, change=lambda e: with_alarms(e, alarm("identity_leak", "cross", "alarm")))
    assert broken(sick) == {"identity_leak on cross"}


@pytest.mark.parametrize(("limit", "ok"), [(0.1, True), (0.02, False)])
def test_a_limit_counts_with_and_without_a_champion(limit, ok):
    asked = settings(metrics={**RULES, "nme": {**RULES["nme"], "limit": limit}})
    for champion in (CHAMPION, None):
        assert rules_of(judged(champion, **BETTER, asked=asked))["nme on self"].ok is ok


def with_fid(entry, by_person):
    """The entry with a figure of its whole set, and what it is without each person."""
    left_out = {f"p{i}": float(value) for i, value in enumerate(by_person)}
    result = figure(entry.name, "fid_reader", float(np.mean(by_person)), protocol="self", left_out=left_out)
    return replace(entry, record={**entry.record, "results": [*entry.record["results"], result]})


@pytest.mark.parametrize(("shift", "better", "ok"), [(-0.1, True, True), (0.0, False, True), (0.1, False, False)])
def test_a_metric_of_whole_sets_is_tested_by_leaving_persons_out(shift, better, ok):
    asked = settings(metrics={"fid_reader": {"protocol": "self", "effect": 0.02, "bound": 0.05}})
    spread = 0.001 * np.cos(np.arange(PEOPLE))
    verdict = judged(with_fid(CHAMPION, 0.3 + spread), asked=asked, change=lambda e: with_fid(e, 0.3 + shift - spread))
    rule = rules_of(verdict)["fid_reader on self"]
    assert rule.difference == pytest.approx(shift, abs=1e-3)
    assert (rule.better, rule.ok) == (better, ok)


def test_a_metric_without_an_interval_cannot_keep_a_bound():
    asked = settings(metrics={"fid_reader": {"protocol": "self", "effect": 0.02, "bound": 0.05}})
    verdict = judged(with_fid(CHAMPION, [0.3]), asked=asked, change=lambda e: with_fid(e, [0.2]))
    assert "no interval" in rules_of(verdict)["fid_reader on self"].sentence
    assert not rules_of(verdict)["fid_reader on self"].ok


def test_rules_that_make_no_sense_are_named_with_their_setting():
    with pytest.raises(SettingsError, match=r"gate\.metrics\.nme\.protocol.*cross"):
        check_rules(settings(metrics={"nme": {"protocol": "cross", "effect": 0.1}}))
    with pytest.raises(SettingsError, match=r"gate: needs: 4 metrics .* names 3"):
        settings(needs=4)
    with pytest.raises(SettingsError, match="gate: metrics: none"):
        settings(metrics={}, needs=0)
    with pytest.raises(SettingsError, match="nmee"):
        settings(metrics={"nmee": {"effect": 0.1}})
    with pytest.raises(SettingsError, match=r"gate\.metrics\.nme\.effect"):
        settings(metrics={"nme": {"effect": 0.0}})


def test_the_default_rules_make_sense():
    default = GateSettings()
    check_rules(default)
    assert all(not METRICS[name].network for name in default.metrics), "nobody has to bring a network along"
    listed = yaml.safe_load((Path(__file__).parent.parent / "params.yaml").read_text())["gate"]
    assert listed == default.plain(), "one set of limits, whoever reads them"


def test_a_verdict_is_the_same_after_it_was_written_and_read(tmp_path):
    verdict = judged(csim_truth=0.03, nme=0.02)
    write_verdict(tmp_path / "verdict.json", verdict, {"challenger": {"version": "3"}})
    found, facts = read_verdict(tmp_path / "verdict.json")
    assert found == verdict
    assert facts == {"challenger": {"version": "3"}}
    assert Verdict.from_plain(json.loads(json.dumps(verdict.plain(), allow_nan=False))) == verdict


@pytest.mark.parametrize("spoil", ["", "{}", '{"kind": "other", "format": 1}', "flip"])
def test_a_verdict_that_is_none_is_refused(tmp_path, spoil):
    path = tmp_path / "verdict.json"
    write_verdict(path, judged(nme=0.02), {})
    path.write_text(path.read_text().replace('"passed": false', '"passed": true') if spoil == "flip" else spoil)
    with pytest.raises(BadInput, match=r"verdict\.json.*gate again"):
        read_verdict(path)


def test_the_table_names_broken_rules_first():
    lines = verdict_table(judged(csim_truth=0.03, nme=0.02)).splitlines()
    assert lines[0] == "# Gate: FAILED"
    rows = [line for line in lines if line.startswith("| ") and "---" not in line][1:]
    assert "nme on self" in rows[0]
    assert rows[0].startswith("| **broken**")
    assert not any("broken" in row for row in rows[1:])
