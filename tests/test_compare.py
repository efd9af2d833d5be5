"""The comparison: what became of every branch, the choice, the table, and how the stage ends."""

import json
import re
import shutil
import sys
import types

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.shards import read_stage
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BranchesMissing, SettingsError
from reenact.evaluation.choice import choose
from reenact.evaluation.collect import Entry, collect
from reenact.evaluation.latex import escaped
from reenact.evaluation.markdown import to_markdown
from reenact.evaluation.reference_names import REFERENCES
from reenact.evaluation.rule import ChooseSettings
from reenact.evaluation.table import column
from reenact.stages.compare import CompareSettings, compare
from reenact.systems.branch import Branch
from test_protocols import Mover, scored_branch

FULL, OTHER, THIRD = (Branch.parse(name) for name in ("cgan-full-0", "cgan-no_pixel-0", "cgan-no_self-0"))


class Lazy(Mover):
    """Moves the head half of the way: worse than Mover in pose, better than a copy."""

    def reenact(self, sources, driving):
        from dataclasses import replace

        between = (sources.landmarks[:, 0] + driving.landmarks) / 2
        return super().reenact(sources, replace(driving, landmarks=between))


@pytest.fixture
def report(monkeypatch):
    """Stands in for the report's module: what the stage hands to it."""
    calls = []

    def write_report(path, **facts):
        calls.append(facts)
        path.write_text("<html></html>")

    module = types.ModuleType("reenact.reports.comparison")
    module.write_report = write_report
    monkeypatch.setitem(sys.modules, "reenact.reports.comparison", module)
    return calls


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """full, which follows the driver, and a variant that follows half-way."""
    root = tmp_path_factory.mktemp("scored")
    with pytest.MonkeyPatch.context() as patch:
        scored_branch(root, patch, FULL.name)
        scored_branch(root, patch, OTHER.name, system=Lazy())
    return root


@pytest.fixture
def two(scored, tmp_path):
    """A copy of both branches that a test may spoil: the folder of branches."""
    shutil.copytree(scored, tmp_path, dirs_exist_ok=True)
    return tmp_path / "branches"


def run(branches, out, expected, **choice):
    settings = CompareSettings(choose=ChooseSettings(**choice), bootstrap=50)
    return compare(branches=branches, out=out, expected=expected, settings=settings)


def test_the_better_branch_is_chosen_on_val_and_the_table_holds_test(two, tmp_path, report):
    out = tmp_path / "comparison"
    result = run(two, out, [OTHER, FULL])
    assert result.notes == ("chosen: cgan-full-0",)
    winner = json.loads((out / "winner.json").read_text())
    assert (winner["branch"], winner["model"], winner["metric"]) == (FULL.name, "cgan-full-0/train", "self_pose_angle")
    table = read_table(out / "table.parquet", kind="comparison").set_index("row")
    assert list(table.index) == [*REFERENCES, OTHER.name, FULL.name]
    assert table["chosen"].tolist() == [False] * 5 + [True]
    records = json.loads((two / FULL.name / "evaluate" / "metrics.json").read_text())["results"]

    def figure(split):
        wanted = (split, "self", FULL.name, "pose_angle")
        return next(r for r in records if (r["split"], r["protocol"], r["row"], r["metric"]) == wanted)["value"]

    assert winner["value"] == figure("val") == table.loc[FULL.name, "choice"]
    assert table.loc[FULL.name, "self_pose_angle"] == figure("test")
    assert table.loc[FULL.name, "self_pose_angle"] < table.loc[OTHER.name, "self_pose_angle"]
    assert table.loc[OTHER.name, "self_pose_angle"] < table.loc["copy source", "self_pose_angle"]
    assert table.loc["ground truth", "self_ssim"] == 1.0
    assert {"self_mse_low", "self_mse_high", "self_mse_n", "self_no_face", "cross_lsim"} <= set(table.columns)
    assert not {"cross_mse", "cross_ssim", "seen_self_mse"} & set(table.columns)
    assert report[0]["comparison"].winner["branch"] == FULL.name
    assert read_stage(out, kind="comparison")["branches"] == {OTHER.name: "trained", FULL.name: "trained"}


def test_the_table_names_the_feature_network_with_its_checksum(two, tmp_path, report):
    for name, network in ((FULL.name, {"name": "guide", "sha256": "a" * 64}), (OTHER.name, None)):
        path = two / name / "evaluate" / "metrics.json"
        record = json.loads(path.read_text())
        record["model"]["features"] = network
        path.write_text(json.dumps(record))
    run(two, tmp_path / "out", [FULL, OTHER])
    table = pd.read_csv(tmp_path / "out" / "table.csv", keep_default_na=False).set_index("row")
    assert table.loc[FULL.name, "features"] == "guide " + "a" * 64
    assert table.loc[OTHER.name, "features"] == "none"
    assert table.loc["copy source", "features"] == ""
    assert "guide " + "a" * 64 in (tmp_path / "out" / "table.md").read_text()


def test_alarms_stand_below_the_table(two, tmp_path, report):
    path = two / OTHER.name / "evaluate" / "metrics.json"
    record = json.loads(path.read_text())
    (collapse,) = (a for a in record["alarms"] if (a["name"], a["protocol"]) == ("identity_collapse", "cross"))
    collapse |= {"verdict": "alarm", "value": 0.01, "limit": 0.05}
    path.write_text(json.dumps(record))
    run(two, tmp_path / "out", [FULL, OTHER])
    text = (tmp_path / "out" / "table.md").read_text()
    assert f"alarm for {OTHER.name}: identity collapse on test cross: 0.01 (limit 0.05)" in text
    assert f"alarm for {FULL.name}" not in text


def test_several_trainings_are_a_row_whose_interval_knows_of_both(two, tmp_path, report):
    second = Branch.parse("cgan-full-1")
    with pytest.MonkeyPatch.context() as patch:  # a training that came out much worse
        scored_branch(tmp_path, patch, second.name, system=Lazy())
    run(two, tmp_path / "out", [FULL, second])
    table = read_table(tmp_path / "out" / "table.parquet", kind="comparison").set_index("row")
    both = table.loc["cgan-full (2 trainings)"]
    alone = [table.loc[name] for name in (FULL.name, second.name)]
    assert both["self_pose_angle"] == pytest.approx(np.mean([row["self_pose_angle"] for row in alone]))
    assert both["cross_pose_angle"] == pytest.approx(np.mean([row["cross_pose_angle"] for row in alone]))
    assert both["self_pose_angle_n"] == 2 * alone[0]["self_pose_angle_n"]
    assert both["self_pose_angle_low"] <= alone[0]["self_pose_angle"] < alone[1]["self_pose_angle"]
    assert both["self_pose_angle_high"] >= alone[1]["self_pose_angle"]
    said = (tmp_path / "out" / "table.md").read_text()
    assert "intervals are over persons and trainings" in said
    assert "- one training" not in said  # of no row that stands here alone
    assert not both["chosen"]


def test_the_table_for_papers_holds_the_same_figures_and_marks_the_best(two, tmp_path, report):
    run(two, tmp_path / "out", [FULL, OTHER])
    table = read_table(tmp_path / "out" / "table.parquet", kind="comparison").set_index("row")
    text = (tmp_path / "out" / "table.tex").read_text()
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    for block in re.findall(r"\\begin\{tabular\}\{l(r+)\}(.*?)\\end", text, re.DOTALL):
        rows = [line for line in block[1].splitlines() if line.endswith(r"\\")]
        assert {line.count("&") for line in rows} == {len(block[0])}
    line = next(line for line in text.splitlines() if line.startswith(escaped(FULL.name)))
    assert rf"\textbf{{{table.at[FULL.name, 'self_pose_angle']:.3g}}}" in line
    assert escaped("a_b & 5%") == r"a\_b \& 5\%"


def test_identity_stands_on_a_scale_from_a_stranger_to_the_person(two, tmp_path, report):
    run(two, tmp_path / "out", [FULL, OTHER])
    table = read_table(tmp_path / "out" / "table.parquet", kind="comparison").set_index("row")
    scaled = table["self_csim_truth_scaled"]
    assert (scaled["other identity"], scaled["ground truth"]) == (0, 1)
    raw, floor = table["self_csim_truth"], table.at["other identity", "self_csim_truth"]
    assert scaled[FULL.name] == pytest.approx((raw[FULL.name] - floor) / (1 - floor))
    across = table["cross_csim_source_scaled"]  # without a truth of its own the ceiling is that of self-reenactment
    ceiling = table.at["ground truth", "self_csim_source"]
    lowest = table.at["other identity", "cross_csim_source"]
    expected = (table.at[FULL.name, "cross_csim_source"] - lowest) / (ceiling - lowest)
    assert across[FULL.name] == pytest.approx(expected)
    text = (tmp_path / "out" / "table.md").read_text()
    assert "CSIM in brackets" in text
    assert f"({scaled[FULL.name]:.2f})" in text


def test_differences_are_paired_against_copy_source_and_full(two, tmp_path, report):
    run(two, tmp_path / "out", [FULL, OTHER])
    differences = read_table(tmp_path / "out" / "differences.parquet", kind="differences")
    worse = differences[(differences["against"] == FULL.name) & (differences["column"] == "self_pose_angle")].iloc[0]
    assert worse["row"] == OTHER.name
    assert worse["low"] > 0
    assert (differences["p_holm"].dropna() >= differences["p"].dropna()).all()
    assert (differences["detectable"].dropna() >= 0).all()
    better = differences[(differences["against"] == "copy source") & (differences["column"] == "self_pose_angle")]
    assert (better["high"] < 0).all()
    assert FULL.name not in set(differences.loc[differences["against"] == FULL.name, "row"])


def test_missing_and_failed_branches_are_rows_and_the_end_is_red_with_all_written(two, tmp_path, monkeypatch, report):
    scored_branch(tmp_path, monkeypatch, THIRD.name, status="failed")
    gone = Branch.parse("cgan-gone-0")
    out = tmp_path / "comparison"
    with pytest.raises(BranchesMissing, match=r"2 of 4 rows.*cgan-no_self-0 \(failed: loss pixel.*cgan-gone-0"):
        run(two, out, [FULL, OTHER, THIRD, gone])
    table = read_table(out / "table.parquet", kind="comparison").set_index("row")
    assert table.loc[THIRD.name, "status"] == "failed: loss pixel is not finite"
    assert table.loc[gone.name, "status"].startswith("missing")
    assert np.isnan(table.loc[gone.name, "self_mse"])
    assert np.isfinite(table.loc[OTHER.name, "self_mse"])
    for name in ("table.csv", "table.json", "winner.json", "report.html", "stage.json"):
        assert (out / name).exists()
    assert "| cgan-gone-0 | missing" in (out / "table.md").read_text()
    assert json.loads((out / "winner.json").read_text())["branch"] == FULL.name


def test_nothing_but_missing_branches_still_gives_a_table(tmp_path, report):
    out = tmp_path / "out"
    with pytest.raises(BranchesMissing, match="1 of 1"):
        run(tmp_path / "branches", out, [FULL])
    assert read_table(out / "table.parquet", kind="comparison")["row"].tolist() == [FULL.name]
    assert json.loads((out / "winner.json").read_text())["branch"] is None


def test_a_failed_training_without_an_evaluation_says_why(tmp_path):
    train = tmp_path / FULL.name / "train"
    train.mkdir(parents=True)
    (train / "status.json").write_text(json.dumps({"status": "failed", "reason": "loss is not finite"}))
    entry = collect(tmp_path, [FULL])[0]
    assert (entry.status, entry.reason) == ("failed", "loss is not finite")


def test_an_evaluation_of_an_older_training_is_missing(two):
    card = two / OTHER.name / "train" / "model.json"
    card.write_text(json.dumps({"sha256": "new weights"}))
    assert [entry.status for entry in collect(two, [FULL, OTHER])] == ["trained", "missing"]


def test_figures_of_other_pairs_are_refused(two):
    path = two / OTHER.name / "evaluate" / "metrics.json"
    record = json.loads(path.read_text())
    record["pairs_sha256"]["test"] = "other"
    path.write_text(json.dumps(record))
    entry = collect(two, [FULL, OTHER])[1]
    assert entry.status == "not comparable"
    assert "another list of pairs than cgan-full-0" in entry.reason


def test_figures_of_other_clips_by_the_same_names_are_refused(two):
    path = two / OTHER.name / "evaluate" / "faces.parquet"
    faces = read_table(path, kind="scores")
    for change, status in ((1.001, "trained"), (1.05, "not comparable")):
        write_table(path, faces.assign(mse=faces["mse"] * change), kind="scores")
        entry = collect(two, [FULL, OTHER])[1]
        assert entry.status == status
    assert "another corpus behind pairs of the same names than cgan-full-0" in entry.reason


def entry(branch, value, n=10, kind="unseen", metric="ssim"):
    result = {"row": branch.name, "split": "val", "protocol": "self", "metric": metric, "identities": kind,
              "value": value, "n": n, "pairs": 10}  # fmt: skip
    return Entry(name=branch.name, branch=branch, status="trained", record={"results": [result]})


def test_the_metrics_own_direction_decides():
    entries = [entry(FULL, 0.5), entry(OTHER, 0.7)]
    assert choose(entries, ChooseSettings(metric="ssim"))[1] == OTHER.name
    entries = [entry(FULL, 0.5, metric="mse"), entry(OTHER, 0.7, metric="mse")]
    assert choose(entries, ChooseSettings(metric="mse"))[1] == FULL.name


def test_a_branch_without_faces_can_not_win_and_equal_values_go_to_the_first():
    entries = [entry(FULL, 0.5), entry(OTHER, 0.9, n=4), entry(THIRD, 0.5)]
    values, winner = choose(entries, ChooseSettings(metric="ssim"))
    assert winner == FULL.name
    assert values[OTHER.name] is None


def test_a_rule_that_makes_no_sense_is_refused():
    with pytest.raises(SettingsError, match="mse makes no sense for cross"):
        choose([entry(FULL, 1.0)], ChooseSettings(protocol="cross", metric="mse"))


def test_kinds_of_identities_and_protocols_never_share_a_column():
    names = {column(p, k, "csim_source") for p in ("self", "cross") for k in ("seen", "unseen")}
    assert names == {"self_csim_source", "cross_csim_source", "seen_self_csim_source", "seen_cross_csim_source"}
    assert column("lsim", "seen", "lsim") == "seen_cross_lsim"


def test_the_table_as_text_reads_back(two, tmp_path):
    run(two, tmp_path / "out", [FULL, OTHER])
    text = (tmp_path / "out" / "table.md").read_text()
    assert "**cgan-full-0** (chosen)" in text
    assert "one training: intervals are over faces" in text
    assert "## Telling generated from real video" in text
    told = json.loads((tmp_path / "out" / "detection.json").read_text())["records"]
    assert {(r["row"], r["protocol"]) for r in told} == {
        (branch.name, protocol) for branch in (FULL, OTHER) for protocol in ("selfvideo", "crossvideo")
    }
    table = read_table(tmp_path / "out" / "table.parquet", kind="comparison")
    csv = pd.read_csv(tmp_path / "out" / "table.csv")
    assert list(csv.columns) == list(table.columns)
    rows = json.loads((tmp_path / "out" / "table.json").read_text())["rows"]
    assert rows[0]["self_mse"] == pytest.approx(table["self_mse"][0])
    assert "cgan-no_pixel-0" in (tmp_path / "out" / "report.html").read_text()


def prediction(two, folder, name):
    """The evaluation of somebody else's pictures: the same files, without a model beside them."""
    shutil.copytree(two / OTHER.name / "evaluate", folder)
    record = json.loads((folder / "metrics.json").read_text())
    for result in record["results"]:
        result["row"] = name if result["row"] == OTHER.name else result["row"]
    (folder / "metrics.json").write_text(json.dumps({**record, "branch": name}))
    faces = read_table(folder / "faces.parquet", kind="scores")
    write_table(folder / "faces.parquet", faces.replace({"row": {OTHER.name: name}}), kind="scores")
    return folder


def test_another_methods_pictures_are_a_row_that_can_not_win(two, tmp_path, report):
    folders = [prediction(two, tmp_path / place, "warp") for place in ("a", "b")]
    settings = CompareSettings(choose=ChooseSettings(), bootstrap=50, predictions=tuple(str(f) for f in folders))
    compare(branches=two, out=tmp_path / "out", expected=[FULL], settings=settings)
    table = read_table(tmp_path / "out" / "table.parquet", kind="comparison").set_index("row")
    names = ["warp", f"warp ({folders[1]})"]
    assert table.loc[names, "kind"].tolist() == ["prediction", "prediction"]
    figures = json.loads((two / OTHER.name / "evaluate" / "metrics.json").read_text())["results"]
    wanted = ("test", "self", OTHER.name, "ed")
    value = next(r["value"] for r in figures if (r["split"], r["protocol"], r["row"], r["metric"]) == wanted)
    assert table.loc[names, "self_ed"].tolist() == [value, value]
    assert table.index[table["chosen"]].tolist() == [FULL.name]
    versus = read_table(tmp_path / "out" / "differences.parquet", kind="differences")
    assert set(versus[versus["row"] == "warp"]["against"]) == {"copy source"}
    assert [entry.name for entry in collect(two, [], [folders[0], tmp_path / "b" / ".." / "a"])] == ["warp"]
    only = [collect(two, [], [folders[0]])[0]]
    assert choose(only, ChooseSettings())[1] is None


def test_a_folder_that_is_no_evaluation_is_said_and_the_others_compared(two, tmp_path, report):
    settings = CompareSettings(bootstrap=50, predictions=(str(tmp_path / "nothing"),))
    with pytest.raises(BranchesMissing, match=r"nothing \(missing: .*nothing") as ended:
        compare(branches=two, out=tmp_path / "out", expected=[FULL], settings=settings)
    assert "to train what is missing" not in str(ended.value)
    assert "cgan-full-0" in (tmp_path / "out" / "table.md").read_text()


def test_a_cell_says_how_many_faces_its_own_judge_did_not_find():
    row = {"row": "ours", "status": "trained", "self_ed": 2.0, "self_ed_no_face": 3.0, "self_mse": 0.1,
           "self_pairs": 9.0, "self_no_face": 0.0, "self_not_drawn": 0.0}  # fmt: skip
    text = to_markdown(pd.DataFrame([row]), winner=None, notes=())
    assert "| ours | 0.1 | 2, no face in 3 | 0 of 9 |" in text
