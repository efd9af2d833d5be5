"""Any set of evaluations in one comparison: of several runs, by whatever folder somebody points at."""

import json
import shutil

import pandas as pd
import pytest
from typer.testing import CliRunner

from reenact.cli import app
from reenact.corpus.tables import read_table
from reenact.errors import BadInput, BranchesMissing
from reenact.evaluation.gather import gather
from reenact.reports.long_form import columns_of
from reenact.stages.compare import CompareSettings, compare_entries
from reenact.tracking.connect import TrackingSettings, connect
from test_compare import Lazy
from test_protocols import scored_branch

FULL, OTHER = "cgan-full-0", "cgan-no_pixel-0"


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Both branches of one run."""
    root = tmp_path_factory.mktemp("runs") / "monday"
    with pytest.MonkeyPatch.context() as patch:
        scored_branch(root, patch, FULL)
        scored_branch(root, patch, OTHER, system=Lazy())
    return root


@pytest.fixture
def runs(scored, tmp_path):
    """That run, and another one of the same branches: a folder that holds both."""
    shutil.copytree(scored, tmp_path / "monday")
    shutil.copytree(scored, tmp_path / "tuesday" / "out")
    return tmp_path


@pytest.fixture
def without_page(monkeypatch):
    """Drawing the page takes seconds: one test has it drawn."""
    monkeypatch.setattr("reenact.reports.comparison.write_report", lambda path, **_: path.write_text("<html></html>"))


def names(entries):
    return [entry.name for entry in entries]


def test_branches_of_one_name_are_told_apart_by_their_run(runs):
    places = [str(runs / "monday"), str(runs / "tuesday" / "out")]
    entries = gather(places)
    assert names(entries) == [f"{run}/{name}" for run in ("monday", "tuesday") for name in (FULL, OTHER)]
    assert {entry.status for entry in entries} == {"trained"}
    comparison = compare_entries(entries, out=runs / "both", settings=CompareSettings(bootstrap=20))
    table = read_table(runs / "both" / "table.parquet", kind="comparison").set_index("row")
    assert table.at[f"monday/{FULL}", "self_mse"] == table.at[f"tuesday/{FULL}", "self_mse"]
    assert comparison.winner["branch"] == f"monday/{FULL}"
    assert not (table["kind"] == "trainings").any()  # the same branch twice is no second training of it
    tested = comparison.differences
    assert set(tested.loc[tested["row"] == f"tuesday/{OTHER}", "against"]) == {"copy source", f"tuesday/{FULL}"}
    page = (runs / "both" / "report.html").read_text()
    assert f"tuesday/{OTHER}" in page


def test_a_run_its_branches_a_branch_and_an_evaluation_are_the_same_place(runs):
    run = runs / "monday"
    places = [run, run / "branches", run / "branches" / FULL, run / "branches" / FULL / "evaluate"]
    assert names(gather([str(place) for place in places])) == [FULL, OTHER]


def test_what_is_said_of_a_row_names_it_as_the_table_does(runs):
    for name in ("monday", "tuesday/out"):
        path = runs / name / "branches" / FULL / "evaluate" / "metrics.json"
        notes = [f"{FULL}: 2 pictures are missing", "test pairs are official"]
        path.write_text(json.dumps({**json.loads(path.read_text()), "notes": notes}))
    said = [entry.record["notes"] for entry in gather([str(runs / "monday"), str(runs / "tuesday" / "out")])
            if entry.branch and entry.branch.name == FULL]  # fmt: skip
    assert said == [
        [f"{run}/{FULL}: 2 pictures are missing", "test pairs are official"] for run in ("monday", "tuesday")
    ]


def test_a_given_name_stands_before_its_rows(runs):
    places = [f"old={runs / 'monday' / 'branches' / FULL}", str(runs / "tuesday" / "out" / "branches" / OTHER)]
    assert names(gather(places)) == [f"old/{FULL}", OTHER]


def test_an_evaluation_without_its_branch_is_a_row_all_the_same(runs):
    shutil.copytree(runs / "monday" / "branches" / FULL / "evaluate", runs / "copied")
    (entry,) = gather([str(runs / "copied")])
    assert (entry.name, entry.kind, entry.status) == (FULL, "branch", "trained")


@pytest.mark.usefixtures("without_page")
def test_another_methods_evaluation_is_a_prediction_that_cannot_win(runs):
    shutil.copytree(runs / "monday" / "branches" / FULL / "evaluate", runs / "theirs-v2-1")
    path = runs / "theirs-v2-1" / "metrics.json"
    text = path.read_text().replace(FULL, "theirs-v2-1")
    record = {**json.loads(text), "system": "", "variant": "", "model": None}
    path.write_text(json.dumps(record))
    (runs / "theirs-v2-1" / "stage.json").write_text(
        (runs / "theirs-v2-1" / "stage.json").read_text().replace(FULL, "theirs-v2-1")
    )
    faces = pd.read_parquet(runs / "theirs-v2-1" / "faces.parquet")
    from reenact.corpus.tables import write_table

    write_table(runs / "theirs-v2-1" / "faces.parquet", faces.replace({"row": {FULL: "theirs-v2-1"}}), kind="scores")
    entries = gather([str(runs / "theirs-v2-1"), str(runs / "monday" / "branches" / OTHER)])
    assert [(entry.name, entry.kind) for entry in entries] == [("theirs-v2-1", "prediction"), (OTHER, "branch")]
    comparison = compare_entries(entries, out=runs / "out", settings=CompareSettings(bootstrap=20))
    assert comparison.winner["branch"] == OTHER
    assert comparison.table.set_index("row").at["theirs-v2-1", "self_pose_angle"] > 0


@pytest.mark.usefixtures("without_page")
def test_a_row_of_other_pairs_is_refused_in_a_sentence_and_the_rest_is_compared(runs):
    path = runs / "tuesday" / "out" / "branches" / FULL / "evaluate" / "metrics.json"
    record = json.loads(path.read_text())
    record["pairs_sha256"]["test"] = "other"
    path.write_text(json.dumps(record))
    command = ["compare-runs", str(runs / "monday"), str(runs / "tuesday" / "out" / "branches" / FULL), "--out",
               str(runs / "out"), "--no-log", "-S", "compare.bootstrap=20"]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, BranchesMissing)
    assert f"tuesday/{FULL} (not comparable: another list of pairs than monday/{FULL}" in str(done.exception)
    assert f"| **monday/{FULL}** (chosen)" in done.output
    assert (runs / "out" / "report.html").exists()


def test_a_folder_without_evaluations_is_an_error_that_says_what_was_expected(tmp_path):
    with pytest.raises(BadInput, match="no evaluation here"):
        gather([str(tmp_path)])
    with pytest.raises(BadInput, match="nowhere: no evaluation here"):
        gather([str(tmp_path / "nowhere")])


@pytest.mark.usefixtures("without_page")
def test_the_long_form_and_dvcs_files_hold_the_tables_figures(runs):
    out = runs / "out"
    compare_entries(gather([str(runs / "monday")]), out=out, settings=CompareSettings(bootstrap=20))
    table = read_table(out / "table.parquet", kind="comparison").set_index("row")
    columns = columns_of(table.reset_index())
    lines = pd.read_csv(out / "figures.csv").set_index(["row", "column"])
    assert lines.index.is_unique
    assert len(lines) == sum(int(table[column].notna().sum()) for column in columns)
    for (row, column), line in lines.iterrows():
        assert line["value"] == pytest.approx(table.at[row, column])
    tested = read_table(out / "differences.parquet", kind="differences")
    pose = tested[(tested["row"] == OTHER) & (tested["column"] == "self_pose_angle")].set_index("against")["p_holm"]
    assert lines.at[(OTHER, "self_pose_angle"), "p_holm_full"] == pytest.approx(pose[FULL])
    assert lines.at[(OTHER, "self_pose_angle"), "p_holm_copy"] == pytest.approx(pose["copy source"])
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["branches_compared"] == 2
    assert metrics["chosen"] == metrics["all"][FULL]
    assert metrics["chosen"]["self_pose_angle"] == pytest.approx(table.at[FULL, "self_pose_angle"])
    assert {path.stem for path in (out / "plots" / "figures").iterdir()} == set(columns)
    bars = pd.read_csv(out / "plots" / "figures" / "self_pose_angle.csv").set_index("row")
    assert bars.at[OTHER, "value"] == pytest.approx(table.at[OTHER, "self_pose_angle"])


@pytest.mark.usefixtures("without_page")
def test_a_comparison_is_one_run_of_mlflow_however_often_it_is_made(runs, tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    tracking = TrackingSettings(uri=f"sqlite:///{tmp_path}/mlflow/mlflow.db", artifacts=f"{tmp_path}/mlflow/artifacts")
    for _ in range(2):
        entries = gather([str(runs / "monday")])
        comparison = compare_entries(
            entries, out=runs / "out", settings=CompareSettings(bootstrap=20), tracking=tracking
        )
    client, experiment = connect(tracking)
    (run,) = client.search_runs([experiment])
    assert run.data.tags["reenact.kind"] == "comparison"
    assert run.data.tags["chosen"] == FULL
    value = comparison.table.set_index("row").at[FULL, "self_pose_angle"]
    assert run.data.metrics["test_self_pose_angle"] == pytest.approx(value)
    files = {item.path for item in client.list_artifacts(run.info.run_id, "comparison")}
    assert {"comparison/report.html", "comparison/table.csv", "comparison/figures.csv"} <= files
    found = json.loads(
        (tmp_path / "mlflow" / "artifacts" / run.info.run_id / "artifacts/tables/figures.json").read_text()
    )
    assert len(found["data"]) == len(pd.read_csv(runs / "out" / "figures.csv"))  # once, not once more each time
