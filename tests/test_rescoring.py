"""A champion scored again: noise and small losses are no need, real losses are, and so are new alarms."""

from dataclasses import replace

import pytest
from scipy import stats

from gate_scores import COPY_SOURCE, LEVELS, READ, WHERE, alarm, figure, made_entry
from reenact.review.before import Before
from reenact.review.gate import gate
from reenact.review.rescoring import rescored
from reenact.review.settings import GateSettings, RescoreSettings

GATE = GateSettings.parse(
    {"metrics": {name: {"protocol": WHERE[name], "effect": 0.01} for name in LEVELS}}, where="gate"
)
EFFECTS = {"csim_truth": 0.02, "nme": 0.01, "pose_angle": 1.0}
SETTINGS = RescoreSettings.parse(
    {"metrics": {name: {"protocol": WHERE[name], "effect": effect} for name, effect in EFFECTS.items()}},
    where="rescore",
)


OF_THREE = stats.norm.isf(0.025 / 3) / stats.norm.isf(0.025)  # three metrics are looked at


def scored(name="champion", *, half=0.0, pairs="pairs", copied=0.02, **shifts):
    """An evaluation whose figures have intervals of `half` spreads to either side."""
    entry = made_entry(name, **shifts)
    values = {line["metric"]: line["value"] for line in entry.record["results"]}
    lines = [
        figure(name, metric, value, low=value - half * LEVELS[metric][1], high=value + half * LEVELS[metric][1])
        for metric, value in values.items()
    ]
    lines.append(figure(COPY_SOURCE, "mse", copied, protocol="self"))
    record = {**entry.record, "branch": name, "results": lines, "pairs_sha256": {"test": pairs}}
    return replace(entry, record=record)


def before(entry, *, figures=True):
    """What the gate attached; without `figures` as earlier versions did: the verdict alone."""
    return Before(verdict=gate(entry, None, GATE), record=entry.record if figures else {})


def worse(then, now):
    return [line.name for line in rescored(then, now, SETTINGS) if line.worse]


def test_the_same_again_is_no_need():
    lines = rescored(before(scored()), scored(), SETTINGS)
    assert [line.name for line in lines[:3]] == ["csim_truth on self", "nme on self", "pose_angle on cross"]
    assert not any(line.worse for line in lines)
    assert {line.loss for line in lines} == {0.0}


@pytest.mark.parametrize(("metric", "shift"), [("csim_truth", -0.03), ("nme", 0.012), ("pose_angle", 1.5)])
def test_a_loss_on_the_same_pairs_counts_from_the_smallest_effect(metric, shift):
    now = scored(half=5.0, **{metric: shift})
    assert worse(before(scored(half=5.0)), now) == [f"{metric} on {WHERE[metric]}"]
    assert worse(before(scored(half=5.0)), scored(half=5.0, **{metric: -shift})) == []
    assert worse(before(scored(half=5.0)), scored(half=5.0, **{metric: shift / 3})) == []


def test_on_other_pairs_chance_has_to_be_left_out():
    """A loss of 3 spreads: intervals of 1 to either side of each leave 1.7 to chance, of 3 they leave 5.2."""
    lost = {"csim_truth": -3 * LEVELS["csim_truth"][1]}
    for half, found in ((1.0, ["csim_truth on self"]), (3.0, [])):
        assert worse(before(scored(half=half)), scored(half=half, pairs="others", **lost)) == found
    line = rescored(before(scored(half=3.0)), scored(half=3.0, pairs="others", **lost), SETTINGS)[0]
    assert "chance alone reaches" in line.sentence
    assert line.chance == pytest.approx(OF_THREE * 3.0 * LEVELS["csim_truth"][1] * 2**0.5)


def test_pairs_of_the_same_names_that_show_other_pictures_are_other_pairs():
    lost = {"csim_truth": -0.05}
    assert worse(before(scored(half=3.0)), scored(half=3.0, **lost)) == ["csim_truth on self"]
    assert worse(before(scored(half=3.0)), scored(half=3.0, copied=0.03, **lost)) == []


def test_where_the_verdict_alone_was_kept_its_figures_count_as_unsure_as_todays():
    then = before(scored(), figures=False)
    line = rescored(then, scored(half=1.0, csim_truth=-0.1), SETTINGS)[0]
    assert line.worse
    assert line.chance == pytest.approx(OF_THREE * 2**0.5 * LEVELS["csim_truth"][1])
    assert worse(then, scored(half=3.0, csim_truth=-0.1)) == []


def test_figures_of_another_judge_are_not_compared():
    now = scored(csim_truth=-0.3)
    other = {**READ, "judge": {"name": "openface", "size": 256}}
    now = replace(now, record={**now.record, "metrics": {**now.record["metrics"], "csim_truth": other}})
    lines = rescored(before(scored()), now, SETTINGS)
    assert not any(line.worse for line in lines)
    assert "another judge" in lines[0].sentence


def test_without_intervals_or_figures_nothing_is_said_to_be_worse():
    now = scored(pairs="others", csim_truth=-0.3)
    for line in now.record["results"]:
        line["low"] = line["high"] = None
    assert worse(before(scored()), now) == []
    gone = scored()
    gone.record["results"] = [line for line in gone.record["results"] if line["metric"] != "nme"]
    assert "no figure now" in next(
        one.sentence for one in rescored(before(scored()), gone, SETTINGS) if "nme" in one.name
    )
    assert worse(Before(lost="nothing is there"), scored(csim_truth=-0.5)) == []


def test_an_alarm_counts_unless_it_went_off_at_the_gate_too():
    def sick(entry):
        others = [one for one in entry.record["alarms"] if one["name"] != "identity_leak"]
        return replace(entry, record={**entry.record, "alarms": [*others, alarm("identity_leak", "cross", "alarm")]})

    assert worse(before(scored()), sick(scored())) == ["identity_leak on cross"]
    assert worse(before(sick(scored())), sick(scored())) == []
    assert worse(before(sick(scored())), scored()) == []
    assert worse(Before(lost="nothing is there"), sick(scored())) == ["identity_leak on cross"]


def test_pictures_that_stop_showing_faces_are_a_need():
    now = scored()
    own = now.faces["row"] == "champion"
    now.faces.loc[own & (now.faces["pair"].str.startswith("test-s")) & (now.faces["person"] < 4), "face_found"] = False
    assert worse(before(scored()), now) == ["pictures with a face on self"]
