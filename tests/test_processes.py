"""Several processes that train one system, by gloo on the CPU: the same weights as one process with the whole batch."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from processes_drill import ALL, PENALISED, a_system, trained, trained_as
from reenact.cluster.job_files import read_error, read_result, write_end, write_step
from reenact.cluster.job_files import step_of as job_step
from reenact.cluster.processes import train_in_processes
from reenact.config import Runtime
from reenact.errors import BadInput, ProcessLost, SettingsError, StorageError
from reenact.steps import code_hash
from reenact.training.device import make_fabric
from s3_server import free_port
from training_corpus import write_corpus
from training_drill import make_guide

pytestmark = pytest.mark.xdist_group("processes")
QUICK = ("cgan", PENALISED)


def in_two(names, out):
    """What each of two processes ends with, by system: (weights, terms) of the first and the second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["processes_drill"])
    port = free_port()
    workers = [context.Process(target=trained_as, args=(rank, 2, port, names, out)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
        assert worker.exitcode == 0
    return {name: [torch.load(out / f"{name}-{rank}.pt") for rank in range(2)] for name in names}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return in_two(QUICK, tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module")
def fabric():
    return make_fabric(Runtime(threads=1, device="cpu"))


def same_as_alone(name, ends, fabric):
    (weights, terms), (others, other_terms) = ends
    assert terms == other_terms
    alone, alone_terms = trained(name, fabric)
    begun = a_system(name).state_dict()
    moved = 0
    for key, expected in alone.items():
        assert torch.equal(weights[key], others[key]), f"{key} differs between the two processes"
        torch.testing.assert_close(weights[key], expected, rtol=1e-5, atol=1e-7, msg=lambda text, k=key: f"{k}: {text}")
        moved += not torch.equal(expected, begun[key])
    assert moved > len(alone) / 3, "nothing was trained"
    for ours, theirs in zip(terms, alone_terms, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_two_processes_train_as_one_with_the_doubled_batch(name, quick, fabric):
    same_as_alone(name, quick[name], fabric)


@pytest.mark.slow
def test_two_processes_train_every_other_system_as_one_does(tmp_path, fabric):
    names = tuple(name for name in ALL if name not in QUICK)
    for name, ends in in_two(names, tmp_path).items():
        same_as_alone(name, ends, fabric)


KINDS = ("frames", "landmarks", "actions", "validated", "guide")
CGAN = {"width": 4, "discriminator_width": 4, "dropout": 0.0, "bottleneck_dropout": 0.0, "discriminator_dropout": 0.0}
BRANCH = {"system": "cgan", "variant": "full", "seed": 0}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    write_corpus(folder)
    make_guide(folder)
    return folder


def step_of(root, home, **settings):
    """Arguments of `train_in_processes` for a short training whose records lie below `home`."""
    train = {
        "size": 32, "samples": 24, "batch": 4, "log_every": 4, "validate_every": 12, "validate_pairs": 6, "probes": 2,
        **settings,
    }  # fmt: skip
    database, files = f"sqlite:///{root}/mlflow/mlflow.db", f"{root}/mlflow/artifacts"  # setting one up takes seconds
    tracking = {"uri": database, "artifacts": files, "experiment": str(home)}
    told = {
        "settings": train, "tracking": tracking, "systems": {"cgan": CGAN}, "threads": 1,
        "checkpoints": {"uri": f"{home}/checkpoints", "every_samples": 8, "every_seconds": 0.0},
        "runtime": {"threads": 1, "workers": 1, "device": "cpu"},
    }  # fmt: skip
    folders = {**{kind: root / kind for kind in KINDS}, "segments": root / "segments"}
    return {"job": home / "job", "told": told, "folders": folders, "branch": BRANCH, "out": home / "out"}


def history(out):
    """Logged values by step and name."""
    table = pd.read_parquet(out / "history.parquet")
    return table[table["name"] != "samples_per_second"].set_index(["step", "name"])["value"]


def children():
    """Processes on this machine that run our worker or agent."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if "reenact.cluster.worker" in line or "reenact.cluster.agent" in line:
                found.append((int(entry.name), line))
    return found


@pytest.mark.slow
def test_two_processes_are_one_training_with_one_record_and_another_number_goes_on(root, tmp_path, monkeypatch):
    step, alone = step_of(root, tmp_path), step_of(root, tmp_path / "alone")
    with monkeypatch.context() as patch:
        patch.setenv("REENACT_FAULT", "cgan-full-0:5:exit")
        for each in (step, alone):
            with pytest.raises(ProcessLost, match=r"train cgan-full-0: process \d ended with code 70"):
                train_in_processes(2, **each)
    assert not (tmp_path / "out" / "stage.json").exists()
    result = train_in_processes(2, **step)
    assert result.counts["samples"] == 24
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert (status["status"], status["processes"], status["continued_from"]) == ("trained", 2, 4)
    client = MlflowClient(tracking_uri=step["told"]["tracking"]["uri"])
    runs = client.search_runs([client.get_experiment_by_name(str(tmp_path)).experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"]
    train_in_processes(1, **alone)
    status = json.loads((tmp_path / "alone" / "out" / "status.json").read_text())
    assert (status["processes"], status["continued_from"]) == (1, 4)
    ours, theirs = history(tmp_path / "out"), history(tmp_path / "alone" / "out")
    assert list(ours.index) == list(theirs.index)
    assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=2e-2, abs=2e-3)


def test_a_sick_training_ends_all_its_processes_and_is_a_failed_record(root, tmp_path, monkeypatch):
    monkeypatch.setenv("REENACT_FAULT", "cgan-full-0:2:nan")
    result = train_in_processes(2, **step_of(root, tmp_path))
    status = json.loads((tmp_path / "out" / "status.json").read_text())
    assert status["status"] == "failed"
    assert status["reason"].startswith("step 2: loss terms pixel, ")
    assert result.notes == (status["reason"],)


def test_what_one_process_finds_wrong_comes_through_with_its_kind_and_sentence(root, tmp_path, capfd):
    step = step_of(root, tmp_path)
    step["told"]["settings"]["samples"] = 0
    with pytest.raises(SettingsError, match=r"train\.samples"):
        train_in_processes(2, **step)
    assert "Traceback" not in capfd.readouterr().err


def test_a_process_that_fails_alone_ends_the_other_and_its_sentence_comes_through(root, tmp_path):
    step = step_of(root, tmp_path)
    (tmp_path / "checkpoints").write_text("no folder")  # only the first process writes them
    with pytest.raises(StorageError, match=r"step-000000002.*\.pt: can't write here"):
        train_in_processes(2, **step)
    assert not [line for _, line in children() if str(tmp_path) in line]


@pytest.mark.slow
def test_a_killed_process_is_told_from_those_that_lost_it(root, tmp_path, monkeypatch):
    monkeypatch.setenv("REENACT_FAULT", "cgan-full-0:1:kill")
    with pytest.raises(ProcessLost, match=r"process [01] was ended by signal 9. Often that is the memory"):
        train_in_processes(2, **step_of(root, tmp_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_cancelled_training_leaves_no_process(root, tmp_path, number):
    step = step_of(root, tmp_path, samples=40_000)
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in step.items()}
    plain["folders"] = {kind: str(folder) for kind, folder in step["folders"].items()}
    (tmp_path / "told.json").write_text(json.dumps(plain))
    code = (
        "import json, sys; from pathlib import Path; from reenact.cluster.processes import train_in_processes as train;"
        "told = json.loads(Path(sys.argv[1]).read_text());"
        "told |= {key: Path(told[key]) for key in ('job', 'out')};"
        "told['folders'] = {kind: Path(folder) for kind, folder in told['folders'].items()}; train(2, **told)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "told.json")])
    deadline = time.monotonic() + 120
    while not list((tmp_path / "checkpoints").rglob("step-*.pt")):
        assert process.poll() is None
        assert time.monotonic() < deadline, "no checkpoint after two minutes"
        time.sleep(0.2)
    assert len([line for _, line in children() if str(tmp_path) in line]) == 3
    process.send_signal(number)
    assert process.wait(60) == (143 if number == signal.SIGTERM else -signal.SIGKILL)
    while left := [line for _, line in children() if str(tmp_path) in line]:
        assert time.monotonic() < deadline + 60, f"still there: {left}"
        time.sleep(0.2)


def test_the_first_cause_is_told_and_not_what_followed_from_it(tmp_path):
    write_step(tmp_path, {})
    write_end(tmp_path, 1, RuntimeError("connection closed by peer"))
    write_end(tmp_path, 0, BadInput("clips/ana.mp4: no face."))
    error = read_error(tmp_path, "train cgan-full-0")
    assert (type(error), str(error)) == (BadInput, "clips/ana.mp4: no face.")
    write_step(tmp_path, {})
    assert "without a word" in str(read_error(tmp_path, "train cgan-full-0"))
    write_end(tmp_path, 0, TypeError("no such thing"))
    (tmp_path / "agent.json").write_text(json.dumps({"0": 1, "1": -signal.SIGTERM}))
    assert "process 0 broke off (TypeError: no such thing)." in str(read_error(tmp_path, "train cgan-full-0"))
    (tmp_path / "agent.json").write_text(json.dumps({"0": -signal.SIGTERM, "1": -signal.SIGKILL}))
    assert "process 1 was ended by signal 9" in str(read_error(tmp_path, "train cgan-full-0"))


@pytest.mark.slow
def test_two_machines_train_as_trainer_starts_them(root, tmp_path):
    """Two agents on this machine, told about each other by the variables that Kubeflow Trainer sets in its pods."""
    step = step_of(root, tmp_path)
    file = write_step(step.pop("job"), job_step("train", **step))
    told = {"NNODES": 2, "NPROC_PER_NODE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    torchrun = [str(Path(sys.executable).parent / "torchrun"), "-m", "reenact.cluster.worker", str(file)]
    agents = []
    for rank in range(2):
        names = {f"PET_{name}": str(value) for name, value in {**told, "NODE_RANK": rank}.items()}
        agents.append(subprocess.Popen(torchrun, env={**os.environ, **names, "GLOO_SOCKET_IFNAME": "lo"}))
    assert [agent.wait(250) for agent in agents] == [0, 0]
    assert read_result(file.parent).counts["samples"] == 24
    assert json.loads((tmp_path / "out" / "status.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_the_component_trains_in_as_many_processes_as_it_has_gpus(root, tmp_path):
    from components.train import train

    step = step_of(root, tmp_path)
    told = json.dumps({**step["told"], "code": code_hash("train")})
    folders = {kind: SimpleNamespace(path=str(folder)) for kind, folder in step["folders"].items()}
    logged = {}
    metrics = SimpleNamespace(
        path=str(tmp_path / "metrics"), log_metric=lambda name, value: logged.update({name: value})
    )
    train.python_func(
        told=told, results=str(tmp_path / "run"), **BRANCH, gpus=2, nodes=1, accelerator="nvidia.com/gpu",
        deadline_hours=24.0, **folders, model=SimpleNamespace(path=str(tmp_path / "model")), metrics=metrics,
    )  # fmt: skip
    assert logged["samples"] == 24
    published = tmp_path / "run" / "branches" / "cgan-full-0" / "train"
    assert json.loads((published / "status.json").read_text())["processes"] == 2
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_more_processes_than_devices_is_a_sentence(monkeypatch):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "4")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match=r"4 processes, but torch finds 2 CUDA devices here.*cluster\.gpus"):
        make_fabric(Runtime(device="cuda"))
