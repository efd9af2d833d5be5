"""Rows beside a system's own: other landmarks, more source pictures; figures by bands; metrics and the truth."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from evaluation_corpus import fake_judges, write_corpus
from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import read_parts
from reenact.corpus.tables import read_table, write_table
from reenact.errors import SettingsError
from reenact.evaluation.bands import bands
from reenact.evaluation.collect import Entry, collect
from reenact.evaluation.further_names import is_beside, landmark_rows, renamed, rows_beside, shot_rows
from reenact.evaluation.further_rows import further_rows
from reenact.evaluation.latex import to_latex
from reenact.evaluation.markdown import to_markdown
from reenact.evaluation.metric_check import check_markdown, rank_correlations
from reenact.evaluation.pairs.shots import fewer_than, shots_of
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.protocols import Counts, pair_list
from reenact.evaluation.retarget import placed_like, retargeted
from reenact.evaluation.rows import reenacted, rows_of
from reenact.evaluation.scoring import faces_table, score
from reenact.evaluation.table import build_table
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import CROP_CENTRE
from reenact.faces.pose import rotation
from reenact.faces.shape_model import IDENTITY_MODES, canonical, shape_model
from reenact.reports.figures_table import figures_html
from reenact.reports.metric_check import check_html
from reenact.systems.branch import Branch
from test_protocols import Mover, scored_branch

COUNTS = Counts(sources=1, self_pairs=2, cross_pairs=2, lsim=1)
RNG = np.random.default_rng(0)


class Mean(Mover):
    """Draws as `Mover`, in the mean brightness of the sources it is given; transforms landmarks unless told not to."""

    most_sources = 4

    def __init__(self, shift=0.1):
        super().__init__()
        self.shift, self.given = shift, []

    @property
    def untransformed(self):
        return Mean(shift=0.0) if self.shift else self

    def reenact(self, sources, driving):
        self.given.append(sources.image.shape[1])
        mean = replace(sources, image=sources.image.mean(dim=1, keepdim=True))
        return super().reenact(mean, replace(driving, landmarks=driving.landmarks + self.shift))


@pytest.fixture
def corpus(tmp_path):
    folders = write_corpus(tmp_path, splits=("train", "val", "test", "test", "test"), frames=40)
    shapes = pd.DataFrame({"clip": [f"clip-{i}" for i in range(5)]})
    for number in range(len(IDENTITY_MODES)):
        shapes[f"shape_{number:02d}"] = RNG.normal(size=5)
    for name in ACTION_UNITS:
        shapes[f"neutral_{name}"] = 0.0
    write_table(folders["actions"] / "shapes.parquet", shapes, kind="shapes")
    return Corpus(**{name: folders[name] for name in ("frames", "landmarks", "actions", "validated")})


def listed(corpus):
    parts = {split: read_parts(corpus.folders["validated"], split) for split in ("train", "test")}
    return pair_list(corpus, parts["test"], split="test", training=parts["train"], counts=COUNTS, seed=0)


def scored_rows(corpus, system, **options):
    pictures = Pictures(corpus, size=32)
    how = {"batch": 5, "device": "cpu", "shots": 1}
    more = dict(
        further_rows("ours", system, pictures, **how, **{"retarget": ("cross", "lsim"), "shot_curve": (), **options})
    )
    rows = rows_of(pictures, [("ours", reenacted(system, pictures, **how)), *more.items()])
    return faces_table(score(rows, listed(corpus), pictures, fake_judges()))


def test_the_drivers_motion_stands_on_the_sources_shape(corpus):
    model, pairs = shape_model(), listed(corpus)
    cross = pairs[pairs["protocol"] == "cross"].reset_index(drop=True)
    found = retargeted(corpus, cross)
    shapes = corpus.shapes().set_index("clip").filter(like="shape_")
    for points, pair in zip(found, cross.itertuples(), strict=True):
        driver = corpus.by_name[pair.driving_clip]
        pose, landmarks = corpus.pose(driver)[pair.driving_frame], corpus.landmarks(driver)[pair.driving_frame]
        actions = np.clip(corpus.actions(driver)[pair.driving_frame], 0, 5)
        head = canonical(model, shapes.loc[pair.source_clip].to_numpy(), actions)
        # Without pose, size and place, it is the source's head with the driver's action units.
        upright = points @ rotation(pose)
        scale = np.ptp(upright[:, 1]) / np.ptp(head[:, 1])
        upright = (upright - upright.mean(axis=0)) / scale
        assert upright == pytest.approx(head - head.mean(axis=0), abs=0.02)
        assert points[CROP_CENTRE, :2] == pytest.approx(landmarks[CROP_CENTRE], abs=1e-5)
        assert np.ptp(points[:, :2], axis=0).max() == pytest.approx(np.ptp(landmarks, axis=0).max(), abs=1e-5)


def test_a_head_is_moved_and_scaled_but_not_bent():
    head = RNG.normal(size=(2, 68, 3))
    target = head[..., :2] * 0.3 + [0.5, 0.1]
    assert placed_like(head * 7.0 - 2.0, target)[..., :2] == pytest.approx(target)


def test_landmark_driven_systems_have_a_row_for_the_sources_shape_between_two_people_only(corpus):
    faces = scored_rows(corpus, Mover())
    assert landmark_rows("ours", faces["row"].unique()) == ["ours (retargeted landmarks)"]
    own = faces[faces["row"] == "ours (retargeted landmarks)"].set_index("protocol")["drawn"]
    assert own[["cross", "lsim"]].all()
    assert not own["self"].any()
    assert landmark_rows("ours", scored_rows(corpus, Mover(), retarget=())["row"].unique()) == []


def test_a_system_that_transforms_landmarks_has_both_rows_without_its_transformer(corpus):
    faces = scored_rows(corpus, Mean())
    assert landmark_rows("ours", faces["row"].unique()) == ["ours (raw landmarks)", "ours (retargeted landmarks)"]
    angle = faces[faces["protocol"] == "cross"].groupby("row")["pose_angle"].mean()
    assert angle["ours (raw landmarks)"] < 0.5 * angle["ours"]  # the shift of its transformer is off


def test_systems_that_use_several_pictures_are_given_so_many(corpus):
    system = Mean()
    faces = scored_rows(corpus, system, shot_curve=(1, 2, 4), retarget=())
    assert shot_rows("ours", faces["row"].unique()) == {k: f"ours ({k} shot{'s' * (k > 1)})" for k in (1, 2, 4)}
    assert set(system.given) == {1, 2, 4}
    assert shot_rows("ours", scored_rows(corpus, Mover(), shot_curve=(2,))["row"].unique()) == {}


def test_systems_that_take_their_own_k_only_have_no_curve(corpus):
    system = Mean()
    system.exact_sources = True
    assert shot_rows("ours", scored_rows(corpus, system, shot_curve=(1, 2), retarget=())["row"].unique()) == {}
    assert set(system.given) == {1}


def test_an_evaluation_with_another_k_than_a_systems_only_one_is_refused(tmp_path, monkeypatch):
    system = Mean()
    system.exact_sources, system.shots = True, 3
    with pytest.raises(SettingsError, match=r"evaluate\.shots: cgan-full-0 draws from 3 .* got 4\. Set it to 0"):
        scored_branch(tmp_path, monkeypatch, "cgan-full-0", system=system, shots=4)


def test_rows_of_other_numbers_of_sources_stand_in_one_table_that_says_so(tmp_path, monkeypatch):
    several = Mean()
    several.shots = 9
    scored_branch(tmp_path, monkeypatch, "cgan-full-0")
    out, _ = scored_branch(tmp_path, monkeypatch, "cgan-no_pixel-0", system=several)
    assert set(several.given) == {9}
    fewer = fewer_than(read_table(out / "pairs.parquet", kind="pairs"), 9)
    notes = json.loads((out / "metrics.json").read_text())["notes"]
    assert fewer > 0
    assert any(note.startswith(f"{fewer} of ") and "fewer than 9 source frames" in note for note in notes)
    entries = collect(tmp_path / "branches", [Branch.parse(name) for name in ("cgan-full-0", "cgan-no_pixel-0")])
    assert [entry.status for entry in entries] == ["trained", "trained"]
    table = build_table(entries, split="test", repeats=20, seed=0)
    assert table.set_index("row")["shots"].dropna().to_dict() == {"cgan-full-0": 1, "cgan-no_pixel-0": 9}
    text = to_markdown(table, winner=None, notes=())
    assert re.search(r"^\| cgan-no_pixel-0 \| 9 \| [0-9.]+ ", text, re.MULTILINE)
    assert re.search(r"^\| copy source \|  \| [0-9.]+ ", text, re.MULTILINE)
    assert "no\\_pixel-0 & 9 & " in to_latex(table)
    assert '<th scope="col">K</th>' in figures_html(table, None)
    alike = table.assign(shots=table["shots"].mask(table["shots"] == 9, 1))
    assert "| K |" not in to_markdown(alike, winner=None, notes=())


class Fitted(Mover):
    """Draws its own grey until it is fitted to people, and then the mean brightness of their pictures."""

    def __init__(self):
        super().__init__()
        self.people = []

    def reenact(self, sources, driving):
        return torch.zeros(len(driving.landmarks), 3, 32, 32)

    def finetuned(self, sources):
        self.people.append(sources.image)
        person = Fitted()
        person.reenact = lambda _, driving: sources.image.mean() * torch.ones(len(driving.landmarks), 3, 32, 32)
        return person


def test_a_system_is_fine_tuned_once_for_each_set_of_pictures(corpus):
    system, pictures = Fitted(), Pictures(corpus, size=32)
    test = listed(corpus)
    val = test.assign(split="val", pair=test["pair"] + " val")
    how = {"batch": 3, "device": "cpu", "shots": 2, "retarget": (), "shot_curve": ()}
    rows = dict(further_rows("ours", system, pictures, **how, finetune=("self", "cross")))
    assert list(rows) == ["ours (fine-tuned)"]
    pairs = pd.concat([test, val], ignore_index=True)
    drawn = rows["ours (fine-tuned)"](pairs)
    wanted = pairs["protocol"].isin(["self", "cross"]) & (pairs["split"] == "test")
    assert drawn.usable.tolist() == wanted.tolist()
    shots = [frozenset(frames) for frames in shots_of(pairs[wanted], 2)]
    assert len(system.people) == len(set(shots)) < wanted.sum()
    for place, frames in zip(np.flatnonzero(wanted), shots, strict=True):
        mean = np.mean([pictures.one(*frame).mean() for frame in frames])
        assert drawn.pictures[place] == pytest.approx(mean, abs=1)
    assert not dict(further_rows("ours", system, pictures, **how))
    assert not dict(further_rows("ours", Mover(), pictures, **how, finetune=("self",)))
    system.finetunes = False  # trained in a way that leaves nothing to fit
    assert not dict(further_rows("ours", system, pictures, **how, finetune=("self",)))


def test_rows_that_tables_show_below_a_systems_own():
    rows = ["ours (fine-tuned)", "ours", "ours (retargeted landmarks)", "ours (4 shots)", "theirs (fine-tuned)"]
    assert rows_beside("ours", rows) == {
        "ours (retargeted landmarks)": "landmarks", "ours (fine-tuned)": "fine-tuned",
    }  # fmt: skip
    assert is_beside("ours (fine-tuned)", "ours")
    assert not is_beside("ours", "ours")
    assert not is_beside("theirs (fine-tuned)", "ours")


def test_a_row_keeps_its_further_ones_when_it_is_called_otherwise():
    names = ["a", "a (2 shots)", "ab", "copy source"]
    assert [renamed(name, "a", "run/a") for name in names] == ["run/a", "run/a (2 shots)", "ab", "copy source"]


def entry(faces, name="ours", **record):
    return Entry(name=name, branch=Branch.parse("cgan-full-0"), status="trained", record=record, faces=faces)


def made_faces():
    """Thirty cross pairs of six people at 10, 40 and 70 degrees, whose error is a tenth of the yaw; the largest turns
    could be judged in every second picture."""
    turn = np.repeat([10.0, -40.0, 70.0], 10)
    people = [f"p{i % 6}" for i in range(30)]
    pairs = pd.DataFrame({
        "pair": [str(i) for i in range(30)], "protocol": "cross", "split": "test", "identities": "unseen",
        "source_identity": people, "driving_identity": people[1:] + people[:1], "driving_yaw": turn,
        "shape_band": ["0-1.00", "1.00-2.00", "over 2.00"] * 10, "drawn": True, "face_found": True,
    })  # fmt: skip
    lost = (np.arange(30) % 2 == 1) & (turn > 60)
    tables = [
        pairs.assign(row=row, pose_angle=np.where(lost, np.nan, np.abs(turn) / 10 + add), ed=1.0, psim=1.0,
                     csim_source=np.nan)
        for row, add in (("copy source", 3.0), ("ours", 0.0), ("ours (4 shots)", -0.5))
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_bands_tell_figures_at_large_turns_and_how_many_could_be_judged():
    table = bands([entry(made_faces(), shots=1)], split="test", repeats=50, seed=0)
    angle = table[(table["metric"] == "pose_angle") & (table["row"] == "ours")].set_index(["kind", "band"])
    assert [angle.loc["yaw"].loc[band, "value"] for band in ("0-30", "30-60", "over 60")] == [1.0, 4.0, 7.0]
    assert angle.loc["yaw"]["judged"].tolist() == [1.0, 1.0, 0.5]
    assert angle.loc["yaw"]["n"].tolist() == [10, 10, 5]
    assert angle.loc["shape"].index.tolist() == ["0-1.00", "1.00-2.00", "over 2.00"]
    assert angle.loc["shots"]["value"].tolist() == pytest.approx([3.4, 2.9])
    assert angle.loc["shots"].index.tolist() == ["1", "4"]
    assert "csim_source" not in set(table["metric"])  # nothing known of it
    assert {"ours", "copy source"} == set(table["row"])


def test_a_band_in_which_the_copy_could_be_judged_nowhere_has_no_figure_but_the_share():
    faces = made_faces()
    turned = faces["driving_yaw"].abs() > 60
    # In one picture of the band, and in none: the figure must not jump from one pair to all of the row's own.
    for lost, n in ((turned & (faces["pair"] != "20"), 1), (turned, 0)):
        known = faces.assign(pose_angle=faces["pose_angle"].mask(lost & (faces["row"] == "copy source")))
        table = bands([entry(known)], split="test", repeats=20, seed=0)
        own = table[(table["row"] == "ours") & (table["metric"] == "pose_angle")].set_index("band").loc["over 60"]
        assert (own["n"], own["judged"], own["pairs"]) == (n, 0.5, 10)


def test_what_an_older_evaluation_does_not_know_is_left_out():
    faces = made_faces().drop(columns=["driving_yaw", "shape_band"])
    faces = faces[faces["row"] != "ours (4 shots)"]
    assert bands([entry(faces)], split="test", repeats=20, seed=0).empty


def test_metrics_that_rank_as_the_truth_does_correlate_whichever_way_is_better():
    truth = RNG.normal(size=12)
    noisy = truth + RNG.normal(size=12)
    table = pd.DataFrame({
        "cross_ed": -np.exp(truth), "cross_csim_source": -truth, "cross_pose_angle": noisy,
        "crosstruth_ssim": truth, "crosstruth_mse": np.exp(-truth),
    })  # fmt: skip
    check = rank_correlations(table).set_index(["metric", "against"])["correlation"]
    assert check["ed", "ssim"] == pytest.approx(1)
    assert check["ed", "mse"] == pytest.approx(1)
    assert check["csim_source", "mse"] == pytest.approx(-1)
    ranks = [pd.Series(values).rank() for values in (-noisy, truth)]
    assert check["pose_angle", "ssim"] == pytest.approx(stats.pearsonr(*ranks)[0])
    check = rank_correlations(table)
    for text in (check_markdown(check), check_html(check)):
        assert "+1.00" in text
        assert "over 12 rows" in text


def test_three_rows_say_nothing_about_ranks():
    table = pd.DataFrame({"cross_ed": [1.0, 2.0, 3.0, np.nan], "crosstruth_mse": [1.0, 2.0, 3.0, 4.0]})
    assert rank_correlations(table).empty
    assert check_markdown(rank_correlations(table)) == check_html(rank_correlations(table)) == ""
