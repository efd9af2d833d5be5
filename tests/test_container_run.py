"""What a run in containers is told, and what becomes of a container's end; without an engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound, NotFound
from pipelines.containers import OWNER, find_image, remove_left_over, run_container, step_environment

from reenact.cluster.container_run import container_run
from reenact.errors import StorageError
from reenact.params import parse, read_raw
from reenact.review.workers import this_worker
from tiny_project import ROOT


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *changes: str) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    params = parse(read_raw(ROOT / "params.yaml", overrides=["runtime.device=cpu", *changes]))
    return container_run(params, folder=tmp_path / "runs" / "one")


def test_the_project_is_mounted_where_it_is_and_is_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = told(tmp_path, monkeypatch)
    assert run["mounts"] == [{"path": str(tmp_path), "read_only": False}]
    written = {str(Path(path).relative_to(tmp_path)) for path in run["writable"]}
    assert {"runs/one", "runs/.shards", "out/checkpoints", "mlflow", "mlflow/artifacts", "out/judged"} <= written
    assert run["gpus"] == 0
    json.dumps(run)


def test_what_lies_elsewhere_is_mounted_to_be_read_and_servers_are_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, videos, kept = (tmp_path / name for name in ("project", "videos", "kept"))
    for folder in (project, videos, kept):
        folder.mkdir()
    changes = (f"fetch_data.videos={videos}", f"checkpoints.uri={kept}", "tracking.uri=http://127.0.0.1:5000")
    run = told(project, monkeypatch, *changes)
    mounts = {mount["path"]: mount["read_only"] for mount in run["mounts"]}
    assert mounts == {str(project): False, str(kept): False, str(videos): True}
    assert str(project / "mlflow/artifacts") not in run["writable"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'records' / 'mlflow.db'}")
    params = parse(read_raw(ROOT / "params.yaml", overrides=["checkpoints.uri=s3://bucket/checkpoints"]))
    assert str(tmp_path / "records") in container_run(params, folder=project / "runs/two")["writable"]


def test_images_of_the_settings_take_the_places_of_those_the_pipeline_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = told(tmp_path, monkeypatch, "cluster.images.train=registry.example/team/reenact-train:7")
    assert run["images"]["reenact-train:0.1.0"] == "registry.example/team/reenact-train:7"
    assert run["images"]["reenact-data:0.1.0"] == "reenact-data:0.1.0"


class Container:
    """A container that ended before anybody looked."""

    def __init__(self, code: int, *, owner: str = "", gone: bool = False) -> None:
        self.code, self.gone, self.removed = code, gone, False
        self.labels = {OWNER: owner}

    def logs(self, **_: Any) -> list[bytes]:
        if self.gone:
            raise NotFound("no such container")
        return ["the last wörd\n".encode()]

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self.code}

    def remove(self, *, force: bool) -> None:
        self.removed = force


def client(*containers: Container, error: Exception | None = None) -> Any:
    def run(**given: Any) -> Container:
        assert not {"auto_remove", "remove"} & set(given), "it would be gone before it was read"
        if error:
            raise error
        return containers[0]

    listed = SimpleNamespace(run=run, list=lambda **_: list(containers))
    return SimpleNamespace(api=SimpleNamespace(timeout=60), containers=listed)


@pytest.mark.parametrize("code", [0, 1, 6, 137])
def test_exit_code_and_last_words_of_a_container_come_through(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    container = Container(code)
    assert run_container(client(container), "image", ["true"]) == code
    assert container.removed
    said = capsys.readouterr().out
    assert said.startswith("the last wörd\n")
    assert (f"exit code {code}" in said) == (code != 0)


def test_a_container_that_is_gone_or_never_started_has_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_container(client(Container(0, gone=True)), "image", ["true"]) == 137
    assert run_container(client(error=APIError("no rights")), "image", ["true"]) == 125
    assert "could not be started: no rights" in capsys.readouterr().out


def test_only_containers_of_dead_processes_are_left_over() -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "from reenact.review.workers import this_worker; print(this_worker())"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    left, ours = Container(0, owner=dead.strip()), Container(0, owner=this_worker())
    remove_left_over(client(left, ours))
    assert (left.removed, ours.removed) == (True, False)


def test_an_image_that_is_not_there_is_a_sentence_and_podmans_names_are_known() -> None:
    def get(name: str) -> Any:
        if name != "localhost/reenact-data:0.1.0":
            raise ImageNotFound(name)
        return SimpleNamespace(id="sha256:1")

    images = SimpleNamespace(images=SimpleNamespace(get=get))
    assert find_image(images, "reenact-data:0.1.0") == "sha256:1"
    with pytest.raises(StorageError, match=r"reenact-train:0\.1\.0 is not on this machine\. `make images`"):
        find_image(images, "reenact-train:0.1.0")


def test_servers_and_what_decides_over_the_last_bits_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "OPENBLAS_CORETYPE": "Haswell", "https_proxy": "http://p:1"}
    for name, value in {**passed, "SOMEBODYS_PASSWORD": "secret", "PYTHONPATH": "/elsewhere"}.items():
        monkeypatch.setenv(name, value)
    environment = step_environment({"MORE": "1"})
    assert {**passed, "MORE": "1"}.items() <= environment.items()
    assert not {"SOMEBODYS_PASSWORD", "PYTHONPATH", "HOME", "PATH"} & set(environment)


def test_where_there_is_no_engine_the_run_says_so(tmp_path: Path) -> None:
    code = (
        "import pipelines.container_engine as engine; from pathlib import Path; engine._DOCKER = Path('/none')\n"
        "with engine.container_engine(): pass"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert "there is neither Docker nor podman on this machine" in done.stderr
