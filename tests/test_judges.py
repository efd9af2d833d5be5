"""Which judge reads for which metric, what it read before, and tables that refuse to mix them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from evaluation_corpus import FakeTools, fake_judge, head
from reenact.corpus.tables import read_table
from reenact.errors import SettingsError
from reenact.evaluation import judges
from reenact.evaluation.collect import collect
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judges import Judges, Making, make_judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.protocols import Counts
from reenact.evaluation.rows import reenacted, rows_of
from reenact.evaluation.scoring import faces_table, score
from reenact.evaluation.tools import ToolsJudge
from reenact.systems.branch import Branch
from test_protocols import Mover, listed, opened, scored_branch

PICTURES = [head(i, 0.02 * i, 32) for i in range(4)]


class Blind(FakeTools):
    """Another judge, which sees nothing of what lies to the right."""

    name = "blind"

    def landmarks(self, picture):
        found = super().landmarks(picture)
        return None if found is None or found.mean() / len(picture) > 0.5 else found


@pytest.fixture
def known(monkeypatch):
    """Two judges with names; `scored_branch` would put one in their place."""
    made = {"tools": lambda _: fake_judge(), "blind": lambda _: ToolsJudge(Blind(), size=64)}
    monkeypatch.setattr(judges, "JUDGES", made)
    return made


def test_a_metric_is_read_by_the_judge_that_its_setting_names(known):
    chosen = make_judges("tools", {"csim_source": "blind", "ed": "tools"}, Making())
    assert chosen.of("csim_source").card["name"] == "blind"
    assert {chosen.of(name).card["name"] for name in ("ed", "pose_angle")} == {"fake"}
    assert list(chosen.others) == ["csim_source"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("toolz", {}), 'evaluate.judge: there is no judge "toolz"; did you mean "tools"'),
        (("tools", {"ed": "blnd"}), 'evaluate.judges.ed: there is no judge "blnd"; did you mean "blind"'),
        (("tools", {"csim_sourc": "blind"}), 'evaluate.judges: there is no metric "csim_sourc"; did you mean "csim_so'),
        (("tools", {"mse": "blind"}), "evaluate.judges.mse: no judge reads for mse"),
    ],
)
def test_unknown_judges_and_metrics_are_refused_by_name(known, settings, message):
    with pytest.raises(SettingsError, match=message):
        make_judges(*settings, Making())


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    """A branch of which another judge read csim_source, and one whose record says that the same judge read all."""
    root = tmp_path_factory.mktemp("judges")
    made = {"tools": lambda _: fake_judge(), "blind": lambda _: ToolsJudge(Blind(), size=64)}
    with pytest.MonkeyPatch.context() as patch:
        scored_branch(root, patch, "cgan-no_pixel-0", known=made, judges={"csim_source": "blind"})
    other, one = root / "branches" / "cgan-no_pixel-0", root / "branches" / "cgan-full-0"
    shutil.copytree(other, one)
    record = json.loads((one / "evaluate" / "metrics.json").read_text())
    record["metrics"]["csim_source"]["judge"] = record["metrics"]["csim_truth"]["judge"]
    (one / "evaluate" / "metrics.json").write_text(json.dumps(record))
    (one / "train" / "model.json").unlink()
    return root / "branches"


def test_faces_that_a_metrics_own_judge_did_not_find_are_counted_with_that_metric(branches):
    folder = branches / "cgan-no_pixel-0" / "evaluate"
    record = json.loads((folder / "metrics.json").read_text())
    of = {r["metric"]: r for r in record["results"]
          if (r["split"], r["protocol"], r["row"]) == ("test", "self", "cgan-no_pixel-0")}  # fmt: skip
    faces = read_table(folder / "faces.parquet", kind="scores")
    ours = faces[(faces["split"] == "test") & (faces["protocol"] == "self") & (faces["row"] == "cgan-no_pixel-0")]
    missed = int((~ours["face_found_csim_source"]).sum())
    assert of["csim_source"]["no_face"] == missed > 0 == of["csim_truth"]["no_face"]
    assert (of["csim_source"]["own_judge"], of["csim_truth"]["own_judge"]) == (True, False)
    assert np.isfinite(ours["csim_truth"]).all()
    assert np.isnan(ours.loc[~ours["face_found_csim_source"], "csim_source"]).all()
    assert record["metrics"]["csim_source"]["judge"]["name"] == "blind"
    assert record["metrics"]["mse"]["judge"] is None


def test_tables_refuse_figures_that_another_judge_read_and_say_which(branches):
    first, second = collect(branches, [Branch.parse("cgan-full-0"), Branch.parse("cgan-no_pixel-0")])
    assert (first.status, second.status) == ("trained", "not comparable")
    assert "another judge of csim_source (blind at 64 px, there fake at 64 px) than cgan-full-0" in second.reason


def test_tables_refuse_the_same_judge_with_other_files(branches, tmp_path):
    for name in ("cgan-full-0", "cgan-full-1"):
        shutil.copytree(branches / "cgan-full-0", tmp_path / "branches" / name)
    path = tmp_path / "branches" / "cgan-full-1" / "evaluate" / "metrics.json"
    record = json.loads(path.read_text())
    record["metrics"]["ed"]["weights_sha256"]["fit"] = "another"
    path.write_text(json.dumps(record))
    entry = collect(tmp_path / "branches", [Branch.parse("cgan-full-0"), Branch.parse("cgan-full-1")])[1]
    assert "another judge of ed (fake at 64 px of other files, there fake at 64 px)" in entry.reason


def counted(folder):
    tools = FakeTools()
    return tools, ToolsJudge(tools, size=64, cache=FeatureCache(folder))


def test_real_pictures_are_read_once_for_all_evaluations_and_drawn_ones_are_not_kept(tmp_path):
    tools, judge = counted(tmp_path)
    judge._cache.keep(PICTURES[:2])
    first = judge.landmarks(PICTURES), judge.descriptors(PICTURES)
    judge._cache.save()
    again, later = counted(tmp_path)
    second = later.landmarks(PICTURES), later.descriptors(PICTURES)
    assert (tools.read, again.read) == (4, 2)
    plain = fake_judge()
    for a, b, c in zip(first, second, (plain.landmarks(PICTURES), plain.descriptors(PICTURES)), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    stored = sum(len(np.load(path)["keys"]) for path in tmp_path.rglob("*.npz"))
    assert stored == 2 * 2  # two pictures, landmarks and descriptors


def test_a_damaged_file_is_read_again_and_nothing_is_written_twice(tmp_path, capsys):
    _, judge = counted(tmp_path)
    judge._cache.keep(PICTURES)
    before = judge.landmarks(PICTURES)
    judge._cache.save()
    judge._cache.save()
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:-7])
    tools, judge = counted(tmp_path)
    np.testing.assert_array_equal(judge.landmarks(PICTURES), before)
    assert tools.read == len(PICTURES)
    assert "damaged" in capsys.readouterr().err


def test_two_evaluations_at_once_each_leave_what_they_read(tmp_path):
    (_, one), (_, two) = counted(tmp_path), counted(tmp_path)
    for judge, some in ((one, PICTURES[:3]), (two, PICTURES[1:])):
        judge._cache.keep(some)
        judge.landmarks(some)
    one._cache.save()
    two._cache.save()
    tools, later = counted(tmp_path)
    later.landmarks(PICTURES)
    assert tools.read == 0


def test_another_judge_never_takes_what_one_has_read(tmp_path):
    _, judge = counted(tmp_path)
    judge._cache.keep(PICTURES)
    judge.landmarks(PICTURES)
    judge._cache.save()
    tools = FakeTools()
    tools.sha256 = {**tools.sha256, "landmarks": "of a newer file"}
    ToolsJudge(tools, size=64, cache=FeatureCache(tmp_path)).landmarks(PICTURES)
    assert tools.read == len(PICTURES)


def test_a_folder_that_cannot_be_written_costs_a_sentence_not_the_evaluation(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    _, judge = counted(tmp_path / "file")
    judge._cache.keep(PICTURES)
    assert np.isfinite(judge.landmarks(PICTURES)).all()
    judge._cache.save()
    assert "evaluate.cache" in capsys.readouterr().err


def test_figures_are_the_same_bits_with_and_without_what_was_kept(tmp_path):
    folders, corpus = opened(tmp_path / "corpus")
    pairs = listed(folders, corpus, counts=Counts(sources=1, self_pairs=2, cross_pairs=1, lsim=0))
    pictures = Pictures(corpus, size=32)
    rows = rows_of(pictures, [("ours", reenacted(Mover(), pictures, batch=5, device="cpu"))])
    drawn = {picture.tobytes() for _, group in pairs.groupby("protocol") for picture in rows["ours"](group).pictures}
    found = []
    for folder in (None, tmp_path / "judged", tmp_path / "judged"):
        tools, judge = counted(folder)
        reading = Judges(default=judge, cache=judge._cache)
        faces = faces_table(score(rows, pairs, pictures, reading))
        reading.cache.save()
        found.append((faces, tools.read))
    (plain, first), (kept, second), (again, third) = found
    pd.testing.assert_frame_equal(plain, kept, check_exact=True)
    pd.testing.assert_frame_equal(plain, again, check_exact=True)
    assert first == second > third
    assert third == len(drawn)
