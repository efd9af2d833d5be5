"""What is said of judges beside their figures: errors against known truth, agreement of two, and how it is shown."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from evaluation_corpus import FACE, FakeTools, fake_judge, head
from reenact.evaluation import judge_error, judges
from reenact.evaluation.collect import Entry
from reenact.evaluation.judge import People, Reading
from reenact.evaluation.judge_agreement import agreement, other_judge
from reenact.evaluation.judge_error import Shown, area, error_of, judge_errors, measured, shown_frames, true_labels
from reenact.evaluation.judge_tables import judges_markdown, judges_plain
from reenact.evaluation.judges import Judges, Making, make_judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.scoring import Scored
from reenact.evaluation.tools import ToolsJudge
from reenact.faces.actions import ACTION_UNITS
from reenact.labelling.truth import Labels
from reenact.reports.judges import judges_html
from test_protocols import Counts, listed, opened

SHIFTS = np.linspace(-0.15, 0.15, 8)
WHO = np.array(["ana", "ana", "ben", "ben"] * 2)


def shown(*, off=(0.0, 0.0), turned=0.0, known=8):
    """Heads whose truth lies `off` from where the fake judge sees them, turned by `turned` degrees more."""
    pictures = [head(4 if who == "ben" else 0, shift, 64) for who, shift in zip(WHO, SHIFTS, strict=True)]
    said = fake_judge()
    people = People(np.zeros((8, 1)), np.zeros((8, 17)))
    pose, actions = said.pose_and_actions(pictures, people)
    truth = Labels(
        landmarks=said.landmarks(pictures).astype(float) + off, pose=pose + np.array([0, turned, 0]),
        actions=5 - actions, visibility=np.full((8, 68), np.nan),
    )  # fmt: skip
    for values in (truth.landmarks, truth.pose, truth.actions):
        values[known:] = np.nan
    return Shown(pictures=pictures, people=people, clips=WHO, identities=WHO, truth=truth)


def test_errors_are_distances_degrees_and_correlations():
    found = error_of(fake_judge(), shown(off=(0.03, 0.04), turned=-7.0))
    eyes = np.linalg.norm(FACE[45] - FACE[36])
    assert found["landmarks"] == pytest.approx(0.05 / eyes, rel=1e-3)
    assert found["pose"] == {"pitch": 0.0, "yaw": pytest.approx(7.0), "roll": 0.0}
    assert found["actions_mean"] == pytest.approx(-1.0)
    assert (found["frames"], found["found"]) == (8, 1.0)


def test_a_unit_that_is_always_read_the_same_counts_as_not_read():
    some = shown()
    judge = fake_judge()
    read = judge.pose_and_actions
    judge.pose_and_actions = lambda *asked: (read(*asked)[0], read(*asked)[1] * (np.arange(17) > 0))
    found = error_of(judge, some)
    moving = np.ptp(some.truth.actions, axis=0) > 0
    assert moving[0]
    assert found["actions"][ACTION_UNITS[0]] is None
    assert found["actions_mean"] == pytest.approx(-(moving.sum() - 1) / moving.sum())


def test_faces_that_are_not_found_count_and_frames_without_truth_do_not():
    some = shown(known=6)
    some.pictures[0][:] = 0  # nothing is seen there
    found = error_of(fake_judge(), some)
    assert (found["frames"], found["found"]) == (6, pytest.approx(5 / 6))
    nothing = error_of(fake_judge(), shown(known=0))
    assert (nothing["frames"], nothing["found"], nothing["landmarks"], nothing["pose"]) == (0, None, None, None)
    assert nothing["same_person"] is not None  # names are known though no label is


def test_same_person_is_the_area_under_the_curve_of_likenesses():
    some = shown()
    found = error_of(fake_judge(), some)
    described = fake_judge().descriptors(some.pictures).astype(float)
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    first, second = np.triu_indices(8, k=1)
    alike, same = (described @ described.T)[first, second], WHO[first] == WHO[second]
    expected = mannwhitneyu(alike[same], alike[~same]).statistic / (same.sum() * (~same).sum())
    assert found["same_person"] == pytest.approx(expected)
    assert (found["pairs_of_one"], found["pairs_of_two"]) == (12, 16)
    values = np.random.default_rng(0).integers(0, 6, 40)  # with ties
    assert area(values[:15], values[15:]) == pytest.approx(mannwhitneyu(values[:15], values[15:]).statistic / 375)
    assert area(values[:0], values) is None


def test_truth_lies_in_the_crop_where_the_video_has_it(tmp_path):
    _, corpus = opened(tmp_path)
    videos = tmp_path / "videos"
    videos.mkdir()
    corpus.table["file"] = corpus.table["clip"] + ".mp4"
    corpus.frame_table = lambda clip: pd.DataFrame(
        {"frame": np.arange(clip.count) * 2, "crop_x": 40.0, "crop_y": -10.0, "crop_side": 200.0}
    )
    points = np.random.default_rng(0).uniform(0, 300, (20, 68, 2))
    np.savez(videos / "clip-7.truth.npz", landmarks=points, actions=np.ones((20, 17)), pose=np.full((20, 3), 4.0),
             visibility=np.ones((20, 68)))  # fmt: skip
    (videos / "clip-8.truth.npz").write_bytes(b"damaged")
    found = true_labels(corpus, videos, [("clip-7", 3), ("clip-8", 3), ("clip-9", 0), ("clip-7", 9)])
    np.testing.assert_allclose(found.landmarks[0], (points[6] - [40.0, -10.0]) / 200.0)
    np.testing.assert_allclose(found.landmarks[3], (points[18] - [40.0, -10.0]) / 200.0)
    assert np.isnan(found.landmarks[1:3]).all()
    assert found.pose[0].tolist() == [4.0] * 3
    assert np.isnan(true_labels(corpus, None, [("clip-7", 3)]).landmarks).all()


def test_frames_are_spread_over_the_persons(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus, counts=Counts(sources=2, self_pairs=3, cross_pairs=3, lsim=0))
    some = shown_frames(pairs, Pictures(corpus, size=32), None, most=8)
    assert len(some.pictures) == 8
    assert set(pd.Series(some.identities).value_counts()) == {2}


def test_a_judge_of_one_metric_is_measured_on_what_that_metric_asks():
    class Counting(FakeTools):
        described = 0

        def descriptor(self, picture, landmarks):
            Counting.described += 1
            return super().descriptor(picture, landmarks)

    one = ToolsJudge(Counting(), size=64)
    default, other = judge_errors(Judges(default=fake_judge(), others={"ed": one}), shown())
    assert (other["metrics"], Counting.described) == (["ed"], 0)
    assert "ed" not in default["metrics"]
    assert other["here"]["same_person"] is None


def test_figures_measured_beforehand_count_for_the_very_same_files(tmp_path, monkeypatch):
    card = fake_judge().card
    judge_error._measured.cache_clear()
    monkeypatch.setattr(judge_error, "MEASURED", tmp_path / "judge_errors.json")
    record = {"card": card, "rendered": {"frames": 3}, "real": {"frames": 2}}
    (tmp_path / "judge_errors.json").write_text(json.dumps({"format": 1, "judges": [record]}))
    assert measured(card) == record
    assert measured({**card, "size": 512}) is None
    assert measured({**card, "sha256": {**card["sha256"], "fit": "newer"}}) is None
    judge_error._measured.cache_clear()


def group(judge, drawn, real, split="test", protocol="self"):
    people = People(np.zeros((len(real), 1)), np.zeros((len(real), 17)))
    everyone = np.ones(len(real), dtype=bool)
    readings = {
        role: Reading(judge, np.stack(pictures), everyone, people)
        for role, pictures in (("generated", drawn), ("source", real), ("driving", real), ("truth", real))
    }
    pairs = pd.DataFrame({"split": split, "protocol": protocol, "source_identity": WHO[: len(real)]})
    return Scored(pairs=pairs, judges=Judges(default=judge), **readings)


class Mirrored(FakeTools):
    """Takes left for right on bright heads, and is blind to black pictures as the other is."""

    name = "mirrored"

    def fit(self, landmarks, people):
        pose, actions = super().fit(landmarks, people)
        return pose * [1, -1, 1], actions


def test_agreement_is_by_kind_of_picture_and_over_what_both_see():
    real = [head(0, shift, 64) for shift in SHIFTS]
    drawn = [head(0, 0.5 * shift, 64) for shift in SHIFTS]
    drawn[0][:] = 0
    other = ToolsJudge(Mirrored(), size=64)
    found = agreement([group(fake_judge(), drawn, real), group(fake_judge(), real, real, split="val")], other, most=8)
    assert found["judges"] == ["fake", "mirrored"]
    assert (found["generated"]["pictures"], found["generated"]["both"], found["real"]["both"]) == (8, 7, 8)
    assert found["real"]["pose"]["yaw"] == pytest.approx(-1.0)
    assert found["real"]["angles"]["yaw"] == pytest.approx(2 * np.abs(200 * SHIFTS).mean(), rel=0.05)
    assert found["real"]["landmarks"] == pytest.approx(0.0, abs=1e-6)
    assert found["real"]["actions_mean"] == pytest.approx(1.0)
    few = agreement([group(fake_judge(), drawn, real)], other, most=4)
    assert few["real"]["pictures"] == 4
    assert agreement([group(fake_judge(), drawn, real, split="val")], other, most=4) is None


def test_a_unit_that_one_judge_alone_sees_change_is_none_they_agree_on():
    real = [head(0, shift, 64) for shift in SHIFTS]

    class Still(FakeTools):
        """Sees no unit change."""

        def fit(self, landmarks, people):
            pose, actions = super().fit(landmarks, people)
            return pose, np.zeros_like(actions)

    found = agreement([group(fake_judge(), real, real)], ToolsJudge(Still(), size=64), most=8)
    assert found["real"]["actions_mean"] == 0.0


def test_the_second_judge_did_not_learn_from_the_same_pictures(monkeypatch):
    monkeypatch.setattr(judges, "JUDGES", {name: lambda _, name=name: name for name in ("synthetic", "tools")})
    assert [other_judge(name, Making()) for name in ("tools", "synthetic", "openface")] == ["synthetic", "tools",
                                                                                           "synthetic"]  # fmt: skip
    everybody = {name: lambda _, name=name: name for name in ("openface", "reader", "synthetic", "tools")}
    monkeypatch.setattr(judges, "JUDGES", everybody)
    asked = {name: other_judge(name, Making()) for name in everybody}
    assert asked == {"tools": "reader", "openface": "reader", "reader": "tools", "synthetic": "tools"}
    monkeypatch.setattr(judges, "JUDGES", {"tools": None})
    assert other_judge("tools", Making()) is None


def test_tables_and_pages_show_what_is_known_and_say_what_is_not():
    known = error_of(fake_judge(), shown(off=(0.03, 0.04)))
    unknown = error_of(fake_judge(), shown(known=0))
    angles = {"pitch": 0.5, "yaw": 0.9, "roll": None}
    before = {"rendered": known, "real": {**known, "correlation": angles}}
    agreed = agreement([group(fake_judge(), *[[head(0, s, 64) for s in SHIFTS]] * 2)], fake_judge(), most=8)
    for here, said, lines in ((known, before, 3), (unknown, None, 2)):
        record = {"judge_error": [{"judge": "<fake>", "metrics": ["ed"], "here": here, "measured": said}],
                  "agreement": agreed}  # fmt: skip
        entries = [Entry(name=name, branch=None, status="trained", record=record) for name in ("one", "two")]
        text, page = judges_markdown(entries), judges_html(entries)
        assert text.count("| <fake> |") == lines
        assert ("not measured" in text) == (said is None)
        assert text.count("generated |") == page.count("generated<") == 2
        assert "&lt;fake&gt;" in page
        assert "<fake>" not in page
        assert set(judges_plain(entries)["agreement"]) == {"one", "two"}
    assert judges_markdown([Entry(name="old", branch=None, status="trained")]) == ""
    assert "say nothing" in judges_html([])


@pytest.mark.parametrize("name", ["tools", "synthetic"])
def test_the_package_has_figures_of_its_judges_as_they_are(name):
    """Fails when what a judge reads with has changed: run benchmarks/judges.py again."""
    found = measured(make_judges(name, {}, Making()).default.card)
    assert found is not None
    assert found["rendered"]["frames"] >= 200
    assert found["real"]["frames"] >= 50
