"""A training that dies and is started again, by real processes and a real object store."""

import json
import multiprocessing
import random
import signal
from pathlib import Path

import pandas as pd
import pytest

from reenact.errors import StorageError
from s3_server import free_port, s3
from training_corpus import write_corpus
from training_drill import doomed, make_guide, train_branch

__all__ = ["s3"]
BRANCH = "cgan-full-0"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    write_corpus(folder)
    make_guide(folder)
    return folder


@pytest.fixture(scope="module")
def whole(root):
    """The branch trained in one go."""
    train_branch(root, str(root / "checkpoints-whole"), root / "whole", BRANCH)
    return root / "whole"


@pytest.fixture(scope="module")
def processes():
    """Fresh processes that have the heavy imports behind them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["training_drill", "mlflow", "reenact.training.loop", "reenact.systems.cgan.system", "reenact.training.device"]
    )
    return context


def run(processes, root, uri, out, *, fault=""):
    """The exit code of a process that trains the branch; negative: the signal that ended it."""
    process = processes.Process(target=doomed, args=(root, str(uri), out, BRANCH, fault))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "still training after two minutes"
    return process.exitcode


def history(out):
    table = pd.read_parquet(out / "history.parquet")
    return table[table["name"] != "samples_per_second"].drop(columns="seconds").reset_index(drop=True)


def same_end(out, whole):
    return (out / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_killed_at_three_random_steps_it_ends_with_the_weights_of_an_uninterrupted_run(
    root, whole, tmp_path, processes
):
    steps = sorted(random.sample(range(1, 11), 3))
    ends = (("kill", -signal.SIGKILL), ("exit", 70), ("kill", -signal.SIGKILL))
    for step, (kind, code) in zip(steps, ends, strict=True):
        ended = run(processes, root, tmp_path / "checkpoints", tmp_path / "out", fault=f"{BRANCH}:{step}:{kind}")
        assert ended == code, steps
        assert not (tmp_path / "out" / "stage.json").exists(), "a killed training looks finished"
    assert run(processes, root, tmp_path / "checkpoints", tmp_path / "out") == 0
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert status["continued_from"] == steps[-1] // 2 * 2, steps  # a checkpoint every other step
    assert same_end(tmp_path / "out", whole), f"killed at {steps}"
    pd.testing.assert_frame_equal(history(tmp_path / "out"), history(whole))
    assert (tmp_path / "out" / "samples.png").read_bytes() == (whole / "samples.png").read_bytes()
    runs = [json.loads((out / "status.json").read_text())["mlflow_run_id"] for out in (tmp_path / "out", whole)]
    assert runs[0] == runs[1], "the restart opened another MLflow run"


def test_a_finished_training_is_taken_as_it_is(root, whole, tmp_path):
    train_branch(root, str(root / "checkpoints-whole"), tmp_path / "again", BRANCH)
    assert json.loads((tmp_path / "again" / "status.json").read_text())["taken_finished"]
    assert same_end(tmp_path / "again", whole)
    pd.testing.assert_frame_equal(history(tmp_path / "again"), history(whole))


def test_other_settings_have_other_checkpoints(root, whole, tmp_path):
    train_branch(root, str(root / "checkpoints-whole"), tmp_path / "longer", BRANCH, samples=48)
    status = json.loads((tmp_path / "longer" / "status.json").read_text())
    assert not status["taken_finished"]
    assert status["steps"] == 12


def test_another_seed_gives_other_weights(root, whole, tmp_path):
    train_branch(root, str(root / "checkpoints-whole"), tmp_path / "other", "cgan-full-1")
    assert not same_end(tmp_path / "other", whole)


def test_a_loss_that_is_not_a_number_is_a_failed_record_and_is_never_taken_for_a_finished_training(
    root, whole, tmp_path, monkeypatch
):
    uri = str(tmp_path / "checkpoints")
    monkeypatch.setenv("REENACT_FAULT", f"{BRANCH}:5:nan")
    result = train_branch(root, uri, tmp_path / "out", BRANCH)
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert status["status"] == "failed"
    assert status["reason"].startswith("step 5: loss terms pixel, ")
    assert result.notes == (status["reason"],)
    assert (tmp_path / "out" / "stage.json").exists()
    assert not (tmp_path / "out" / "model.safetensors").exists()
    assert set(history(tmp_path / "out")["name"]) > {"pixel", "triple", "discriminator"}
    monkeypatch.delenv("REENACT_FAULT")
    train_branch(root, uri, tmp_path / "out", BRANCH)
    assert json.loads((tmp_path / "out" / "status.json").read_text())["status"] == "trained"
    assert same_end(tmp_path / "out", whole)


def test_a_failed_record_leaves_no_weights_of_an_earlier_training(root, tmp_path, monkeypatch):
    out = tmp_path / "out"
    train_branch(root, str(tmp_path / "one"), out, BRANCH)
    assert (out / "model.safetensors").exists()
    monkeypatch.setenv("REENACT_FAULT", f"{BRANCH}:2:nan")
    train_branch(root, str(tmp_path / "two"), out, BRANCH)
    assert not (out / "model.safetensors").exists()


def test_an_object_store_serves_as_well(root, whole, tmp_path, s3, monkeypatch, capsys):
    uri = "s3://bucket/some/prefix"
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REENACT_FAULT", f"{BRANCH}:7:nan")
    train_branch(root, uri, tmp_path / "out", BRANCH)
    kept = sorted(path.name[:14] for path in Path(s3["folder"]).rglob("*.pt"))
    assert kept == ["step-000000004", "step-000000006"]
    monkeypatch.delenv("REENACT_FAULT")
    train_branch(root, uri, tmp_path / "out", BRANCH)
    assert "continuing after step 6 of 11" in capsys.readouterr().err
    assert same_end(tmp_path / "out", whole)
    kept = [path.name[:18] for path in Path(s3["folder"]).rglob("*.pt")]
    assert kept == ["finished-000000011"]


def test_an_object_store_that_is_away_or_refuses_is_a_sentence(s3, monkeypatch):
    from reenact.training.stores import open_store

    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = open_store("s3://bucket/prefix", "branch")
    assert store.get("nothing") is None
    store.put("one", b"1")
    assert store.names() == ["one"]
    store.delete("one")
    store.delete("one")
    with pytest.raises(StorageError, match=r"s3://missing/prefix/branch: can't list .* checkpoints\.uri"):
        open_store("s3://missing/prefix", "branch").names()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="can't write one"):
        open_store("s3://bucket/prefix", "branch").put("one", b"1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageError, match="can't list"):
        open_store("s3://bucket/prefix", "branch").names()
