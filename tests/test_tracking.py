"""Tracking: runs are found again, outages are survived, lineage needs no git."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from reenact.errors import SettingsError
from reenact.tracking.connect import TrackingSettings, connect, tracking_uri
from reenact.tracking.errors import first_line
from reenact.tracking.lineage import read_lineage
from reenact.tracking.runs import branch_run, flat


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture
def tracking(home, monkeypatch):
    """One database for the whole module: setting one up takes seconds."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return TrackingSettings(uri=f"sqlite:///{home}/mlflow/mlflow.db", artifacts=f"{home}/mlflow/artifacts")


def opened(tracking, key, **params):
    return branch_run(tracking, key=key, name=f"branch-{key}", params=params, tags={"system": "cgan"})


def test_a_run_holds_parameters_metrics_pictures_and_tags(tracking, home):
    with opened(tracking, "holds", train={"steps": 3, "weights": {"pixel": 10.0}}) as tracker:
        for step in range(3):
            tracker.metrics({"generator/pixel": 1.0 / (step + 1)}, step)
        tracker.image("samples", np.zeros((8, 8, 3), np.uint8), 2)
        (home / "note.txt").write_text("hello")
        tracker.artifact(home / "note.txt", "notes")
    client, _ = connect(tracking)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.steps": "3", "train.weights.pixel": "10.0"}
    assert run.data.tags["system"] == "cgan"
    history = client.get_metric_history(tracker.run_id, "generator/pixel")
    assert [(m.step, m.value) for m in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert [a.path for a in client.list_artifacts(tracker.run_id, "notes")] == ["notes/note.txt"]
    assert client.list_artifacts(tracker.run_id, "images")


def test_an_interrupted_branch_continues_its_own_run_without_repeating_steps(tracking):
    with pytest.raises(KeyboardInterrupt), opened(tracking, "again", steps=5) as first:
        first.metrics({"loss": 3.0}, 1)
        first.metrics({"loss": 2.0}, 2)
        first.image("grid/self", np.zeros((4, 4, 3), np.uint8), 2)
        raise KeyboardInterrupt
    client, _ = connect(tracking)
    assert client.get_run(first.run_id).info.status == "KILLED"
    with opened(tracking, "again", steps=5) as second:
        second.metrics({"loss": 2.0}, 2)
        second.image("grid/self", np.zeros((4, 4, 3), np.uint8), 2)
        second.metrics({"loss": 1.0}, 3)
    assert second.run_id == first.run_id
    assert [m.step for m in client.get_metric_history(first.run_id, "loss")] == [1, 2, 3]
    pictures = [item.path for item in client.list_artifacts(first.run_id, "images") if item.path.endswith(".png")]
    assert len(pictures) == 1
    assert client.get_run(first.run_id).info.status == "FINISHED"


def test_a_figure_that_went_back_to_what_it_was_is_the_newest_again(tracking):
    for value in (1.0, 2.0, 1.0, 1.0):
        with opened(tracking, "to and fro") as tracker:
            tracker.metrics({"test_self_ed": value}, 40)
    client, _ = connect(tracking)
    assert client.get_run(tracker.run_id).data.metrics["test_self_ed"] == 1.0
    assert [m.value for m in client.get_metric_history(tracker.run_id, "test_self_ed")] == [1.0, 2.0, 1.0]


def test_a_failed_branch_is_marked_and_another_key_is_another_run(tracking):
    with pytest.raises(ValueError), opened(tracking, "fails") as failed:
        raise ValueError
    with opened(tracking, "other") as other:
        pass
    client, _ = connect(tracking)
    assert client.get_run(failed.run_id).info.status == "FAILED"
    assert other.run_id != failed.run_id


def test_an_injected_run_is_adopted_and_left_open(tracking, monkeypatch):
    client, experiment = connect(tracking)
    theirs = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", theirs)
    with opened(tracking, "adopted", steps=1) as tracker:
        tracker.metrics({"loss": 1.0}, 0)
    run = client.get_run(theirs)
    assert tracker.run_id == theirs
    assert run.data.metrics == {"loss": 1.0}
    assert run.info.status == "RUNNING"
    with opened(tracking, "second branch") as second:  # the same run injected into every branch
        pass
    assert client.get_run(second.run_id).data.tags["mlflow.parentRunId"] == theirs


def test_training_survives_a_server_that_is_away_and_delivers_later(tracking, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens
    kept = tmp_path / "kept.jsonl"
    arguments = {"key": "away", "name": "away", "params": {}, "tags": {}, "undelivered": kept}
    with branch_run(tracking, **arguments) as tracker:
        tracker.metrics({"loss": 1.5, "broken": float("nan")}, 7)
    assert tracker.run_id == ""
    assert len(kept.read_text().splitlines()) == 2
    assert "not delivered" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with branch_run(tracking, **arguments) as tracker:
        pass
    client, _ = connect(tracking)
    assert [(m.step, m.value) for m in client.get_metric_history(tracker.run_id, "loss")] == [(7, 1.5)]
    assert np.isnan(client.get_run(tracker.run_id).data.metrics["broken"])
    assert not kept.exists()


def test_the_environment_names_the_server_and_a_file_store_is_refused(tracking, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert tracking_uri(tracking) == "http://tracker:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:./mlruns")
    with pytest.raises(SettingsError, match="mlruns"):
        tracking_uri(tracking)


def test_default_database_has_mlflow_in_its_path_and_ends_in_db():
    uri = TrackingSettings().uri
    assert uri.startswith("sqlite:///")
    assert "mlflow" in uri
    assert uri.endswith(".db")


@pytest.mark.slow
def test_processes_that_open_a_fresh_database_at_once_all_succeed(tmp_path):
    code = (
        "from reenact.tracking.connect import *; import sys;"
        "print(connect(TrackingSettings(uri='sqlite:///'+sys.argv[1]+'/mlflow.db', artifacts=sys.argv[1]))[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {process.communicate()[0].strip() for process in started} == {"1"}


def test_settings_are_flattened():
    assert flat({"a": {"b": 1, "c": {"d": (1, 2)}}, "e": "x"}) == {"a.b": "1", "a.c.d": "(1, 2)", "e": "x"}


def git(folder, *arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a"}
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env={**os.environ, **identity}
    ).stdout.strip()


def test_lineage_reads_the_commit_and_uncommitted_changes(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    lineage = read_lineage(code=tmp_path, environment={})
    assert lineage.git_commit == git(tmp_path, "rev-parse", "HEAD")
    assert not lineage.git_dirty
    (tmp_path / "code.py").write_text("2")
    assert read_lineage(code=tmp_path, environment={}).git_dirty


def test_lineage_without_git_takes_what_the_image_says(tmp_path):
    assert read_lineage(code=tmp_path, environment={}).git_commit == ""
    told = {"REENACT_GIT_COMMIT": "abc", "KFP_RUN_ID": "run-1", "REENACT_IMAGE_DIGEST": "sha256:1"}
    told |= {"REENACT_TRAINER": "Ana", "REENACT_DATA_VERSION": "0" * 32}
    lineage = read_lineage(code=tmp_path, environment=told, data_hash="d")
    assert lineage.tags() == {
        "lineage.git_commit": "abc",
        "lineage.git_dirty": "False",
        "lineage.data_version": "0" * 32,
        "lineage.data_hash": "d",
        "lineage.kfp_run_id": "run-1",
        "lineage.image_digest": "sha256:1",
        "lineage.trainer": "Ana",
    }
    assert json.dumps(lineage.tags())


def test_what_an_error_goes_on_about_is_in_its_next_line():
    from mlflow.exceptions import MlflowException

    listed = "The following failures occurred from http://there:\n##### File MLmodel #####\n404 Client Error\nmore"
    assert first_line(MlflowException(listed)) == "The following failures occurred from http://there: 404 Client Error"
    assert first_line(MlflowException("refused.\nmore")) == "refused"
