"""The whole pipeline while the world is unwell: an object store that refuses and hangs up, records that are away.

Real processes on loopback; every disturbed run is held to the numbers of an undisturbed one.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from mlflow_server import MlflowServer
from reenact.hashing import hash_file
from s3_server import Busy, Wire, s3
from tiny_project import REENACT, call, make_project

__all__ = ["s3"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.timeout(1500)]
BRANCH = "cgan-full-0"
_CUT = 50_000  # bytes of answers after which a connection is cut


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny project with a run that nothing has disturbed."""
    changes = {"fanout": {"variants": ["full"]}, "checkpoints": {"every_samples": 10}, "train": {"samples": 100}}
    folder = make_project(tmp_path_factory.mktemp("faults") / "project", changes)
    done = call(folder, REENACT, "run", "--name", "calm", "-S", "checkpoints.uri=out/calm")
    assert done.returncode == 0, done.stdout
    return folder


def served(s3: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in s3.items() if name.startswith("AWS_")}


def same_numbers(project: Path, name: str) -> None:
    """A run's weights and figures are those of the undisturbed one."""
    for file in ("train/model.safetensors", "evaluate/metrics.json", "evaluate/faces.parquet"):
        places = [project / "runs" / run / "branches" / BRANCH / file for run in ("calm", name)]
        assert len({hash_file(place) for place in places}) == 1, file


@contextmanager
def every(seconds: float, trouble: Callable[[], None]) -> Iterator[None]:
    """Make trouble again and again."""
    over = threading.Event()

    def make() -> None:
        while not over.wait(seconds):
            trouble()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_s3_that_says_503_and_cuts_downloads_changes_nothing(project: Path, s3: dict[str, str]) -> None:
    videos = Path(s3["folder"], "videos")
    (rendered,) = (project / "runs/calm/steps").glob("*/render-clips/rendered")
    for path in rendered.iterdir():
        videos.mkdir(exist_ok=True)
        (videos / path.name).write_bytes(path.read_bytes())
    wire = Wire(int(s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]))
    door = Busy(wire.port)

    cuts, asked = [0], [0]

    def trouble() -> None:
        if len(door.asked) >= asked[-1] + 4:  # of four requests one is refused
            asked.append(len(door.asked))
            door.refuse = 1
        if wire.passed > cuts[-1] + _CUT:
            cuts.append(wire.passed)
            wire.cut_at = wire.passed + 1

    environment = {**served(s3), "AWS_ENDPOINT_URL_S3": door.endpoint}
    changes = ("-S", "checkpoints.uri=s3://bucket/checkpoints", "-S", "fetch_data.videos=s3://bucket/videos")
    with every(0.002, trouble):
        done = call(project, REENACT, "run", "--name", "unwell", *changes, **environment)
    assert done.returncode == 0, done.stdout
    assert door.refused >= 5
    assert len(cuts) >= 4
    same_numbers(project, "unwell")
    door.close()
    wire.close()


def test_s3_that_stays_away_ends_the_run_with_a_sentence_and_the_next_goes_on(
    project: Path, s3: dict[str, str]
) -> None:
    door = Busy(int(s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]))
    environment = {**served(s3), "AWS_ENDPOINT_URL_S3": door.endpoint, "AWS_MAX_ATTEMPTS": "2"}
    command = (REENACT, "run", "-S", "checkpoints.uri=s3://bucket/away", "--name")
    folder = Path(s3["folder"], "away")

    def close_the_door() -> None:
        if list(folder.rglob("step-*")):
            door.refuse = 1 << 30

    with every(0.02, close_the_door):
        away = call(project, *command, "away", **environment)
    assert away.returncode in (6, 8), away.stdout
    assert "checkpoints.uri" in away.stdout
    door.refuse = 0
    back = call(project, *command, "back", **environment)
    assert back.returncode == 0, back.stdout
    status = json.loads((project / f"runs/back/branches/{BRANCH}/train/status.json").read_text())
    assert status["continued_from"] > 0
    same_numbers(project, "back")
    door.close()


def test_mlflow_away_for_a_minute_loses_nothing(project: Path, tmp_path: Path) -> None:
    server = MlflowServer(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}")
    server.start()
    command = (REENACT, "run", "-S", "checkpoints.uri=out/minute", "-S", f"tracking.uri={server.uri}", "--name")
    events = project / "runs/minute/events.jsonl"

    def stop() -> None:
        while not (events.exists() and '"kind": "train"' in events.read_text()):
            time.sleep(0.02)
        server.stop()
        time.sleep(60)
        server.start()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    minute = call(project, *command, "minute")
    stopping.join(180)
    assert not stopping.is_alive(), minute.stdout
    if minute.returncode:
        assert minute.returncode == 6, minute.stdout
        assert "MLflow" in minute.stdout
    after = call(project, *command, "after")
    assert after.returncode == 0, after.stdout
    same_numbers(project, "minute")
    same_numbers(project, "after")
    status = json.loads((project / f"runs/after/branches/{BRANCH}/train/status.json").read_text())
    client = mlflow.MlflowClient(server.uri, server.uri)
    run = client.get_run(status["mlflow_run_id"])
    history = pd.read_parquet(project / f"runs/calm/branches/{BRANCH}/train/history.parquet")
    for name, rows in history[history["name"] != "samples_per_second"].groupby("name"):
        logged = {point.step: point.value for point in client.get_metric_history(run.info.run_id, str(name))}
        assert logged == dict(zip(rows["step"], rows["value"], strict=True)), name
    server.stop()


def test_a_killed_training_is_continued_by_the_pipelines_own_retry(project: Path) -> None:
    changes = ("-S", "checkpoints.uri=out/killed")
    done = call(project, REENACT, "run", "--name", "killed", *changes, REENACT_FAULT=f"{BRANCH}:9:once")
    assert done.returncode == 0, done.stdout
    status = json.loads((project / f"runs/killed/branches/{BRANCH}/train/status.json").read_text())
    assert status["continued_from"] == 8
    same_numbers(project, "killed")


def test_an_ablation_survives_a_branch_that_dies(project: Path) -> None:
    command = (REENACT, "pipelines", "run", "--local", "--pipeline", "ablation", "--name", "ablation")
    changes = ("-S", "fanout.variants=[full,no_pixel]", "-S", "fanout.seeds=[3]", "-S", "train.samples=20")
    done = call(project, *command, *changes, REENACT_FAULT="cgan-full-3:1:exit")
    assert done.returncode == 8, done.stdout
    rows = pd.read_parquet(project / "runs/ablation/comparison/table.parquet").set_index("row")["status"]
    assert rows["cgan-full-3"].startswith("missing")
    assert rows["cgan-no_pixel-3"] == "trained"
    assert not (project / "runs/ablation/registered").exists()


def test_a_run_that_is_ended_takes_its_steps_along(project: Path) -> None:
    environment = {**os.environ, "REENACT_FAULT": ""}
    command = [REENACT, "run", "--name", "ended", "-S", "checkpoints.uri=out/ended", "-S", "train.samples=100000"]
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    events = project / "runs/ended/events.jsonl"
    ends = time.monotonic() + 240
    while time.monotonic() < ends and not (events.exists() and '"kind": "train"' in events.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    size = events.stat().st_size
    time.sleep(3)
    assert events.stat().st_size == size, "a step is still at work"
