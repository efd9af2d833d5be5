"""Action units and angles set one by one: what is drawn, what is read, what is said of it."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from editable_systems import BarsJudge, Painter, Unsure
from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.evaluation.collect import Entry
from reenact.evaluation.editing_settings import SweepSettings
from reenact.evaluation.judges import Judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.sweep_figures import sentence, sweep_figures
from reenact.evaluation.sweeps import SHOWN, steps, sweep, swept_people
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.batch import Faces
from reenact.faces.edits import edited
from reenact.reports.sweeps import sweeps_html
from test_protocols import Mover, listed, opened, scored_branch

SMILE, CHEEK, BROW = (ACTION_UNITS.index(name) for name in ("AU12", "AU06", "AU04"))
JUDGES = Judges(default=BarsJudge())


def mixed_up(actions):
    """Raises the cheek by more than the smile that is asked for, never moves a brow, and lowers what AU01 raises."""
    heard = actions.clone()
    heard[:, CHEEK] = heard[:, CHEEK] + 1.5 * heard[:, SMILE]
    heard[:, SMILE] *= 0.02
    heard[:, BROW] = 2.0
    heard[:, 0] = 5 - heard[:, 0]
    return heard


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two tables over three people: of a system that obeys, and of one that mixes things up."""
    folders, corpus = opened(tmp_path_factory.mktemp("sweeps"))
    pictures, pairs = Pictures(corpus, size=32), listed(folders, corpus)
    # evaluation_corpus labels all 17 units alike by the yaw: those of a face that looks ahead are low
    how = {"people": 3, "levels": 6, "shots": 1, "batch": 50, "device": "cpu"}
    good, bad = Painter(), Painter(mixed_up)
    return pairs, good, [sweep(system, pictures, pairs, JUDGES, **how) for system in (good, bad)]


def figures(table):
    return sweep_figures(table, repeats=50, seed=0)


def test_one_label_is_changed_at_a_time_and_everything_else_is_the_sources_own(swept):
    _, system, (table, _) = swept
    given = [driving for _, driving in system.given]
    actions, pose = (torch.cat([getattr(driving, name) for driving in given]).numpy() for name in ("actions", "pose"))
    assert len(actions) == len(table) == 3 * 6 * 20
    for start in range(0, len(table), 120):
        own = table.iloc[start : start + 120].reset_index(drop=True)
        labels = np.concatenate([actions, pose], axis=1)[start : start + 120]
        resting = np.median(labels, axis=0)
        for row, values in zip(own.itertuples(), labels, strict=True):
            place = [*ACTION_UNITS, "pitch", "yaw", "roll"].index(row.name)
            assert values[place] == pytest.approx(row.level)
            assert np.delete(values, place) == pytest.approx(np.delete(resting, place), abs=1e-5)
    levels = table[table["name"] == "AU12"]["level"].unique()
    assert levels.tolist() == [0, 1, 2, 3, 4, 5]
    assert table[table["name"] == "yaw"]["level"].unique().tolist() == [-30, -18, -6, 6, 18, 30]


def test_a_system_that_obeys_rises_in_every_unit_and_moves_no_other(swept):
    found = figures(swept[2][0])
    assert (found["rise"], found["others_less"], found["both"]) == (17, 17, 17)
    for unit in found["actions"]:
        assert unit["slope"] == pytest.approx(1, abs=0.02)
        assert unit["spearman"] == pytest.approx(1)
        assert unit["change"]["value"] == pytest.approx(5, abs=0.05)
        assert unit["others"] == pytest.approx(0)
        assert [level["level"] for level in unit["levels"]] == [0, 1, 2, 3, 4, 5]
    for angle in found["angles"]:
        assert angle["error"]["value"] < 0.5  # 8 bits of 180 degrees
        assert angle["slope"] == pytest.approx(1, abs=0.05)


def test_what_does_not_rise_and_what_moves_beside_is_found(swept):
    found = figures(swept[2][1])
    units = {unit["name"]: unit for unit in found["actions"]}
    assert not units["AU04"]["rises"]
    assert units["AU04"]["spearman"] == 0
    assert not units["AU01"]["rises"]
    assert units["AU01"]["spearman"] == pytest.approx(-1)
    smile = units["AU12"]
    assert smile["rises"]
    assert smile["most_changed"] == "AU06"
    assert smile["change"]["value"] == pytest.approx(0.1, abs=0.03)
    assert smile["most"] > 3
    assert smile["others"] == pytest.approx(smile["most"] / 16)
    assert not smile["others_less"]
    assert found["rise"] == 15
    assert "rises monotonically on average for 15 of 17" in sentence("ours", found)


def readings(**units):
    """A table of four people in which each unit reads its own level, but for the (people, levels, units) given."""
    rows = []
    for step in steps(6):
        for person in range(4):
            read = dict.fromkeys(ACTION_UNITS, 0.0) | dict.fromkeys(("pitch", "yaw", "roll"), 0.0)
            read[step.name] = step.level
            read |= units.get(step.name, lambda *_: {})(person, step.level)
            found = all(np.isfinite(value) for value in read.values())
            rows.append({"identity": f"p{person}", "kind": step.kind, "name": step.name, "level": step.level,
                         "drawn": True, "found": found, **read})  # fmt: skip
    return pd.DataFrame(rows)


def test_the_mean_has_to_rise_and_not_every_person():
    one_falls = readings(AU12=lambda person, level: {"AU12": -0.5 * level if person == 0 else level})
    dips = readings(AU12=lambda person, level: {"AU12": level - 3 * (level == 4)})
    assert figures(one_falls)["rise"] == 17
    assert figures(dips)["rise"] == 16


def test_people_who_could_not_be_read_at_a_level_are_in_no_mean():
    table = readings(
        AU12=lambda person, level: {"AU12": float("nan") if (person, level) == (0, 5.0) else level + person}
    )
    found = figures(table)
    smile = next(unit for unit in found["actions"] if unit["name"] == "AU12")
    assert smile["people"] == 3
    assert [level["value"] for level in smile["levels"]] == pytest.approx([2, 3, 4, 5, 6, 7])
    assert found["no_face"] == 1
    nobody = figures(readings(AU12=lambda *_: {"AU12": float("nan")}))
    assert nobody["rise"] == 16
    json.dumps(nobody, allow_nan=False)


def test_others_are_counted_by_how_far_they_move_and_not_where_to():
    away = readings(AU12=lambda person, level: {"AU12": level, "AU01": (-1) ** person * level * 20})
    smile = next(unit for unit in figures(away)["actions"] if unit["name"] == "AU12")
    assert (smile["most_changed"], smile["most"]) == ("AU01", 100)
    assert smile["others"] == pytest.approx(100 / 16)
    assert not smile["others_less"]


def test_pictures_that_are_no_numbers_are_counted_and_the_first_people_are_kept(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus)
    table = sweep(
        Unsure(), Pictures(corpus, size=32), pairs, JUDGES, people=9, levels=2, shots=1, batch=7, device="cpu"
    )
    assert table["identity"].nunique() == pairs["source_identity"].nunique() == 4
    assert figures(table)["not_drawn"] == 4
    kept = table[table["picture"].notna()]
    assert kept["identity"].nunique() == SHOWN
    assert set(kept["drawn"]) == {True}


def test_unseen_people_are_swept_first_one_pair_each():
    pairs = pd.DataFrame({"split": ["test"] * 4 + ["val"], "source_identity": list("aabcd"),
                          "identities": ["seen", "seen", "unseen", "unseen", "unseen"]})  # fmt: skip
    assert swept_people(pairs, 2)["source_identity"].tolist() == ["b", "c"]
    assert swept_people(pairs, 9)["source_identity"].tolist() == ["b", "c", "a"]


def test_an_evaluation_leaves_sweeps_of_systems_that_can_be_edited_and_says_what_they_come_to(tmp_path, monkeypatch):
    swept = SweepSettings(people=2, levels=2)
    out, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-0", system=Painter(), sweeps=swept)
    record = json.loads((out / "sweeps.json").read_text())
    assert (record["people"], record["pictures"]) == (2, 80)
    assert record["judge"] == {"actions": "fake", "pose": "fake"}
    assert len(read_table(out / "sweeps.parquet", kind="sweeps")) == 80
    notes = json.loads((out / "metrics.json").read_text())["notes"]
    assert sum(note.startswith("cgan-full-0: raised from 0 to 5 one by one on 2 people") for note in notes) == 1
    page = sweeps_html([Entry(name="<ours>", branch=None, status="trained", evaluation=out)])
    assert page.count("synthetic face") == 80
    assert "&lt;ours&gt;" in page
    assert "<ours>" not in page
    # One that follows landmarks has none, and an older one's don't stay.
    scored_branch(tmp_path, monkeypatch, "cgan-full-0", system=Mover(), sweeps=swept)
    assert not (out / "sweeps.json").exists()
    assert not (out / "sweeps.parquet").exists()
    assert sweeps_html([Entry(name="ours", branch=None, status="trained", evaluation=out)]) == ""


def face():
    return Faces(image=torch.zeros(2, 3, 8, 8), landmarks=torch.rand(2, 68, 2), actions=torch.rand(2, 17),
                 pose=torch.rand(2, 3))  # fmt: skip


def test_edits_set_what_they_name_and_leave_the_rest():
    before = face()
    after = edited(before, {"AU12": 3, "yaw": -20.0})
    actions, pose = before.actions.clone(), before.pose.clone()
    actions[:, SMILE], pose[:, 1] = 3.0, -20.0
    assert torch.equal(after.actions, actions)
    assert torch.equal(after.pose, pose)
    assert after.landmarks is before.landmarks
    assert before.actions.max() < 1


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"AU13": 1.0}, r'"AU13" is no action unit and no angle; did you mean "AU'),
        ({"AU12": 5.5}, r"AU12=5\.5: out of range, set it to 0 to 5"),
        ({"yaw": -95.0}, r"yaw=-95: out of range, set it to -90 to 90 degrees"),
        ({"AU12": math.nan}, "out of range"),
    ],
)
def test_edits_that_can_not_be_are_said(edits, said):
    with pytest.raises(BadInput, match=said):
        edited(face(), edits)


def test_a_face_without_labels_can_not_be_edited():
    with pytest.raises(BadInput, match="without labels of its pose"):
        edited(replace(face(), pose=None), {"AU12": 1.0})
