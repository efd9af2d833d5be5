"""The training pipeline in real containers, beside servers of MLflow and S3, and the same by both other callers.

`make test-containers` builds the images and sets REENACT_CONTAINERS=required; elsewhere these tests are skipped where
there is no engine, or no images of this code.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from pipelines.container_engine import container_engine
from pipelines.containers import OWNER, container_runner

from mlflow_server import MlflowServer
from reenact.errors import StorageError
from reenact.hashing import hash_file
from s3_server import s3
from tiny_project import REENACT, ROOT, call, make_project

__all__ = ["s3"]
pytestmark = [
    pytest.mark.containers, pytest.mark.slow, pytest.mark.xdist_group("containers"), pytest.mark.timeout(2400),
]  # fmt: skip
IMAGES = {role: f"{os.environ.get('NAMES', '')}reenact-{role}:0.1.0" for role in ("data", "train", "tools")}
BRANCHES = ("cgan-full-0", "cgan-no_pixel-0")


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An engine, and images that hold this code."""
    folder = tmp_path_factory.mktemp("engine")
    told = {
        "images": {}, "mounts": [{"path": str(folder), "read_only": False}], "writable": [str(folder)],
        "environment": {}, "gpus": 0, "shm_size": "64m",
    }  # fmt: skip
    try:
        with container_runner(told, images=set(IMAGES.values())):
            pass
    except StorageError as error:
        if os.environ.get("REENACT_CONTAINERS") == "required":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("mlflow")
    server = MlflowServer(folder, f"sqlite:///{folder / 'mlflow.db'}")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain on a tiny corpus as run by `dvc repro`."""
    changes: dict[str, Any] = {
        "fanout": {"variants": ["full", "no_pixel"]},
        "checkpoints": {"every_samples": 10},
        "cluster": {"images": IMAGES},
    }
    folder = make_project(tmp_path_factory.mktemp("containers") / "project", changes)
    done = call(folder, "dvc", "repro")
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def videos(project: Path, s3: dict[str, str]) -> str:
    """The setting that names its clips as a folder of a DVC remote, by its hash."""
    return (
        f"fetch_data.videos=dvc+s3://bucket/dvc?md5={put_folder(project / 'out/rendered', Path(s3['folder'], 'dvc'))}"
    )


def put_folder(folder: Path, remote: Path) -> str:
    """Lay a folder down as DVC does in a remote; its hash."""
    listed = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        md5 = put(path.read_bytes(), remote)
        listed.append({"md5": md5, "relpath": path.relative_to(folder).as_posix()})
    return put(json.dumps(sorted(listed, key=lambda item: item["relpath"])).encode(), remote, end=".dir") + ".dir"


def put(data: bytes, remote: Path, *, end: str = "") -> str:
    md5 = hashlib.md5(data).hexdigest()
    path = remote / "files/md5" / md5[:2] / (md5[2:] + end)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return md5


def served(s3: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in s3.items() if name.startswith("AWS_")}


def run(project: Path, name: str, *changes: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The pipeline in containers, by the command that people use."""
    command = [REENACT, "pipelines", "run", "--local", "--containers", "--name", name]
    return call(project, *command, *(word for change in changes for word in ("-S", change)), **environment)


@pytest.fixture(scope="module")
def contained(project: Path, videos: str, s3: dict[str, str], server: MlflowServer) -> Path:
    """The whole pipeline in containers: data and checkpoints on S3, records on the server, a training killed once."""
    places = (videos, "checkpoints.uri=s3://bucket/checkpoints", f"tracking.uri={server.uri}")
    done = run(project, "contained", *places, **served(s3), REENACT_FAULT="cgan-full-0:5:once")
    folder = project / "runs/contained"
    assert done.returncode == 0, done.stdout + (folder / "log.txt").read_text()[-6000:]
    return folder


@pytest.fixture(scope="module")
def processes(project: Path, videos: str, s3: dict[str, str], contained: Path) -> Path:
    """The same by kfp's runner of processes; nothing of it may come from what the containers made."""
    shutil.rmtree(project / "runs/.shards")
    changes = ("-S", videos, "-S", "checkpoints.uri=out/other")
    done = call(project, REENACT, "run", "--name", "processes", *changes, **served(s3))
    assert done.returncode == 0, done.stdout
    return project / "runs/processes"


def containers_of(client: Any, project: Path) -> list[Any]:
    """Those of runs of this project, at work or not."""
    found = client.containers.list(all=True, filters={"label": OWNER})
    return [container for container in found if container.attrs["Config"]["WorkingDir"] == str(project)]


@pytest.mark.parametrize("branch", BRANCHES)
def test_all_three_callers_give_the_same_bits(project: Path, contained: Path, processes: Path, branch: str) -> None:
    places = [place / "branches" / branch for place in (project / "out", processes, contained)]
    for file in ("train/model.safetensors", "evaluate/metrics.json", "evaluate/faces.parquet"):
        assert len({hash_file(place / file) for place in places}) == 1, file
    tables = [pd.read_csv(place.parents[1] / "comparison/table.csv") for place in places]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(figures(table), figures(tables[0]), check_exact=True)


def figures(table: pd.DataFrame) -> pd.DataFrame:
    """All of a comparison's table but what is measured with a clock."""
    timed = [name for name in table.columns if re.search("seconds|time|_ms|per_second", name)]
    return table.drop(columns=timed)


def test_a_training_that_was_killed_in_its_container_went_on_in_the_next(contained: Path) -> None:
    status = json.loads((contained / "branches/cgan-full-0/train/status.json").read_text())
    assert status["continued_from"] == 4
    assert "ended with exit code 137" in (contained / "log.txt").read_text()
    other = json.loads((contained / "branches/cgan-no_pixel-0/train/status.json").read_text())
    assert other["continued_from"] == 0


def test_records_and_checkpoints_are_on_the_servers(contained: Path, s3: dict[str, str], server: MlflowServer) -> None:
    client = mlflow.MlflowClient(server.uri, server.uri)
    version = json.loads((contained / "registered/version.json").read_text())
    assert client.get_model_version(version["model"], str(version["version"])).status == "READY"
    for branch in BRANCHES:
        status = json.loads((contained / "branches" / branch / "train/status.json").read_text())
        run = client.get_run(status["mlflow_run_id"])
        assert run.info.status == "FINISHED"
        assert run.data.tags["lineage.kfp_run_id"] == "contained"
        assert client.list_artifacts(run.info.run_id)
    kept = {path.name.partition("-")[0] for path in Path(s3["folder"], "checkpoints").rglob("*.pt")}
    assert kept == {"finished"}


def test_steps_run_as_nobody_special_and_leave_no_container(contained: Path) -> None:
    made = [path for path in contained.rglob("*") if path.is_file() and "steps" in path.parts]
    uid = 1000 if os.getuid() == 0 else os.getuid()
    assert {path.stat().st_uid for path in made} == {uid}
    with container_engine() as client:
        assert not containers_of(client, contained.parents[1])


def test_a_step_that_fails_in_its_container_fails_the_pipeline_with_its_sentence(
    project: Path, s3: dict[str, str]
) -> None:
    missing = f"fetch_data.videos=dvc+s3://bucket/dvc?md5={'0' * 32}.dir"
    done = run(project, "missing", missing, **served(s3))
    assert done.returncode not in (0, 1), done.stdout
    assert "not on this DVC remote" in done.stdout
    assert not (project / "runs/missing/registered").exists()


def test_a_branch_that_dies_in_its_container_is_a_missing_row(project: Path, videos: str, s3: dict[str, str]) -> None:
    changes = (videos, "fanout.seeds=[3]", "train.samples=10")
    done = run(project, "dead", *changes, **served(s3), REENACT_FAULT="cgan-full-3:1:exit")
    assert done.returncode == 8, done.stdout
    table = pd.read_parquet(project / "runs/dead/comparison/table.parquet").set_index("row")["status"]
    assert table["cgan-full-3"].startswith("missing")
    assert table["cgan-no_pixel-3"] == "trained"


def test_a_run_that_is_ended_leaves_no_container(project: Path, s3: dict[str, str]) -> None:
    command = [REENACT, "pipelines", "run", "--local", "--containers", "--name", "ended", "-S", "fanout.seeds=[4]"]
    process = subprocess.Popen(
        command, cwd=project, env={**os.environ, **served(s3), "PYTHONPATH": f"{ROOT}/src"}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with container_engine() as client:

        def ours() -> list[Any]:
            return containers_of(client, project)

        ends = time.monotonic() + 120
        while not ours() and time.monotonic() < ends:
            time.sleep(0.2)
        assert ours(), "nothing was started"
        process.terminate()
        assert process.wait(60) != 0
        assert not ours()


@pytest.mark.parametrize("role", IMAGES)
def test_each_image_passes_its_own_doctor(role: str, tmp_path: Path) -> None:
    with container_engine() as client:
        given = {"network_mode": "host", "user": "1000:1000", "shm_size": "2g", "detach": True}
        container = client.containers.run(IMAGES[role], ["reenact", "doctor"], **given)
        try:
            code = container.wait()["StatusCode"]
            said = container.logs().decode()
        finally:
            container.remove(force=True)
    assert code == 0, said
