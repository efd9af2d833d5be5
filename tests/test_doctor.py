"""`reenact doctor` sees what is there, and says in one sentence what is wrong and what to do."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlflow_server import MlflowServer
from reenact.cluster import machine_checks
from reenact.cluster.doctor import Asked, examine, judge
from reenact.cluster.finding import Finding, failed, ok
from reenact.cluster.machine_checks import (
    check_caches,
    check_code,
    check_folder,
    check_gpus,
    check_libraries,
    check_shared_memory,
)
from reenact.cluster.mlflow_check import check_mlflow
from reenact.cluster.store_checks import check_data_remote, check_object_store
from reenact.errors import DoctorFound
from s3_server import free_port, s3

__all__ = ["s3"]
pytestmark = pytest.mark.xdist_group("doctor")


@pytest.fixture
def store(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment leads to a real S3 server; returns the folder of its bucket."""
    for name, value in s3.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Path(s3["folder"])


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("mlflow")
    server = MlflowServer(folder, f"sqlite:///{folder}/mlflow.db")
    server.start()
    yield server
    server.stop()


@contextmanager
def answering(code: int, body: str) -> Iterator[str]:
    """A server that says the same to everybody; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def is_one_sentence_or_two(finding: Finding) -> bool:
    return "\n" not in finding.sentence and len(finding.sentence) < 400 and finding.sentence.endswith((".", ")"))


def test_a_store_is_written_read_and_left_as_it_was(store: Path) -> None:
    (store / "kept").write_text("kept")
    found = check_object_store("s3://bucket/some/prefix")
    assert found.verdict == "ok", found.sentence
    assert [path.name for path in store.rglob("*") if path.is_file()] == ["kept"]


def test_a_wrong_key_is_told_from_a_store_that_is_away(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-key")
    refused = check_object_store("s3://bucket/prefix")
    assert refused.verdict == "failed"
    assert "doesn't accept the credentials" in refused.sentence
    assert "not-the-secret-key" not in refused.sentence
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    away = check_object_store("s3://bucket/prefix")
    assert away.verdict == "failed"
    assert "can't be reached" in away.sentence
    assert is_one_sentence_or_two(away)


def test_a_missing_bucket_is_named(store: Path) -> None:
    found = check_object_store("s3://no-such-bucket/prefix")
    assert found.verdict == "failed"
    assert 'no bucket "no-such-bucket"' in found.sentence


def test_missing_credentials_are_said(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    found = check_object_store("s3://bucket/prefix")
    assert found.verdict == "failed"
    assert "no credentials" in found.sentence


def test_a_right_that_is_missing_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    with answering(403, refusal) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        written = check_object_store("s3://bucket/prefix")
        listed = check_data_remote("s3://bucket/prefix")
    assert (written.verdict, listed.verdict) == ("failed", "failed")
    assert "nothing may be written" in written.sentence
    assert "nothing may be listed" in listed.sentence


@pytest.mark.parametrize("address", ["bucket/prefix", "s3:///prefix", "https://bucket/prefix"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    assert "not of the form s3://BUCKET/PREFIX" in check_object_store(address).sentence
    assert check_data_remote(address).verdict == "failed"


def test_a_data_remote_is_full_or_empty(store: Path) -> None:
    assert check_data_remote("s3://bucket/dvc").verdict == "warning"
    (store / "dvc/files/md5/ab").mkdir(parents=True)
    (store / "dvc/files/md5/ab/cdef").write_text("data")
    found = check_data_remote("s3://bucket/dvc")
    assert found.verdict == "ok", found.sentence


def test_mlflow_is_asked_and_a_run_made_only_on_demand(mlflow: MlflowServer) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(mlflow.uri)
    home = client.create_experiment("doctor-test")
    found = check_mlflow(mlflow.uri)
    assert found.verdict == "ok", found.sentence
    assert "experiments can be read" in found.sentence
    assert client.search_runs([home], run_view_type=ViewType.ALL) == []
    found = check_mlflow(f"{mlflow.uri}/", experiment="doctor-test")
    assert found.verdict == "ok", found.sentence
    (run,) = client.search_runs([home], run_view_type=ViewType.ALL)
    assert run.info.lifecycle_stage == "deleted"
    absent = check_mlflow(mlflow.uri, experiment="nowhere")
    assert absent.verdict == "failed"
    assert 'no experiment "nowhere"' in absent.sentence


def test_a_server_that_knows_itself_by_another_name(mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *more: Any, **named: Any) -> Any:
        return real("127.0.0.1" if host == "mlflow.reenact.svc.cluster.local" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    found = check_mlflow(f"http://mlflow.reenact.svc.cluster.local:{mlflow.port}")
    assert found.verdict == "failed"
    assert "--allowed-hosts" in found.sentence
    assert "mlflow.reenact.svc.cluster.local" in found.sentence


def test_mlflow_away_closed_or_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    away = check_mlflow(f"http://user:hidden@127.0.0.1:{free_port()}")
    assert away.verdict == "failed"
    assert "no MLflow server answers" in away.sentence
    assert "hidden" not in away.sentence
    with answering(401, "You are not authenticated.") as address:
        closed = check_mlflow(address)
    assert closed.verdict == "failed"
    assert "doesn't let us in (401)" in closed.sentence
    assert "reenact-mlflow" in closed.sentence
    with answering(200, "<html>hello</html>") as address:
        other = check_mlflow(address)
    assert other.verdict == "failed"
    assert "something else answers there" in other.sentence
    assert all(map(is_one_sentence_or_two, (away, closed, other)))


def test_a_database_file_is_looked_at_not_made(tmp_path: Path) -> None:
    found = check_mlflow(f"sqlite:///{tmp_path}/none/mlflow.db")
    assert found.verdict == "ok"
    assert "pods need a server" in found.sentence
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_address_of_mlflow_is_not_taken_for_a_database() -> None:
    for uri in ("127.0.0.1:5000", "ftp://mlflow", "mlflow"):
        found = check_mlflow(uri)
        assert (found.verdict, "http://HOST:PORT" in found.sentence) == ("failed", True)
    assert check_mlflow("postgresql+psycopg2://u:hidden@db/mlflow").verdict == "ok"


def test_libraries_that_are_there_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_LIBRARIES", {"numpy": "numpy", "absent": "no-such-distribution"})
    monkeypatch.setattr(machine_checks, "_ALWAYS", ("numpy",))
    found = check_libraries()
    assert found.verdict == "ok"
    assert "not in this image: absent" in found.sentence
    monkeypatch.setattr(machine_checks, "_ALWAYS", ("absent",))
    assert check_libraries().verdict == "failed"
    monkeypatch.setattr(machine_checks, "_LIBRARIES", {"no_such_module": "numpy"})
    monkeypatch.setattr(machine_checks, "_ALWAYS", ())
    assert "can't be loaded" in check_libraries().sentence


def test_code_without_a_commit_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENACT_IMAGE", "reenact-train:9")
    monkeypatch.setenv("REENACT_GIT_COMMIT", "0123456789abcdef0123456789abcdef01234567")
    found = check_code()
    assert found.verdict == "ok"
    assert "reenact-train:9" in found.sentence
    assert "0123456789ab" in found.sentence
    monkeypatch.setenv("REENACT_GIT_COMMIT", "0123456789abcdef0123456789abcdef01234567-dirty")
    assert check_code().verdict == "warning"
    monkeypatch.delenv("REENACT_GIT_COMMIT")
    monkeypatch.setenv("PATH", "/nowhere")  # no git, as in an image
    assert check_code().verdict == "warning"


def test_gpus_that_are_wanted_and_not_there() -> None:
    import torch

    count = torch.cuda.device_count()
    assert check_gpus(count).verdict == "ok"
    assert check_gpus(None).verdict == "ok"
    found = check_gpus(count + 1)
    assert found.verdict == "failed"
    assert f"{count + 1} wanted" in found.sentence


def test_little_shared_memory_matters_to_several_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_ENOUGH_SHARED", 1 << 62)
    assert check_shared_memory(1, tmp_path).verdict == "warning"
    found = check_shared_memory(2, tmp_path)
    assert found.verdict == "failed"
    assert "emptyDir" in found.sentence
    monkeypatch.setattr(machine_checks, "_ENOUGH_SHARED", 1)
    assert check_shared_memory(2, tmp_path).verdict == "ok"


def test_folders_are_tried_and_left_clean(tmp_path: Path) -> None:
    found = check_folder(tmp_path)
    assert found.verdict in ("ok", "warning"), found.sentence  # a warning where the disk is nearly full
    assert list(tmp_path.iterdir()) == []
    assert check_folder(tmp_path / "missing").verdict == "failed"
    assert not (tmp_path / "missing").exists(), "a volume that isn't mounted must not look as if it were"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system nobody can write to")
def test_a_folder_that_is_closed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_folder(Path("/proc/self"))
    assert found.verdict == "failed"
    assert "can't be written by user" in found.sentence
    monkeypatch.setenv("TORCH_HOME", "/proc/self/torch")
    caches = check_caches()
    assert caches.verdict == "failed"
    assert "TORCH_HOME" in caches.sentence


def test_every_check_that_was_asked_for_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_LIBRARIES", {name: name for name in ("numpy", "pandas", "pyarrow")})
    monkeypatch.setattr(machine_checks, "_ALWAYS", ())
    asked = Asked(folders=[tmp_path], s3="nowhere", mlflow=f"http://127.0.0.1:{free_port()}", data_remote="nowhere")
    names = [finding.name for finding in examine(asked)]
    assert names == [
        *("code", "caches", "libraries", "gpu", "shared memory", f"folder {tmp_path}"),
        *("object store", "data remote", "mlflow"),
    ]


def test_the_verdict_names_what_failed() -> None:
    judge([ok("code", "."), Finding("gpu", "warning", ".")])
    with pytest.raises(DoctorFound, match="2 of 3 checks failed: gpu, mlflow"):
        judge([ok("code", "."), failed("gpu", "."), failed("mlflow", ".")])


def test_the_command_prints_json_and_ends_with_its_code(tmp_path: Path) -> None:
    reenact = str(Path(sys.executable).parent / "reenact")
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [reenact, "doctor", "--json", "--folder", str(tmp_path / "missing")],
        env={**environment, "REENACT_DEBUG": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 14, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found[f"folder {tmp_path / 'missing'}"]["verdict"] == "failed"
    assert found["libraries"]["verdict"] == "ok"
    assert "1 of" in done.stderr
    assert "Traceback" not in done.stderr
