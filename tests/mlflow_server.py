"""A real MLflow server on loopback, on SQLite or Postgres, that can be stopped and started again."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s3_server import free_port

_START = 120  # s, on a busy machine


class MlflowServer:
    """`mlflow server` in a process of its own; `uri` stays the same over restarts."""

    def __init__(self, folder: Path, database: str) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.command = [
            str(Path(sys.executable).with_name("mlflow")), "server", "--backend-store-uri", database,
            "--artifacts-destination", (folder / "artifacts").as_uri(), "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", "1",
        ]  # fmt: skip

    def start(self) -> None:
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env={**os.environ, **quiet}, start_new_session=True
            )
        ends = time.monotonic() + _START
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Ask the main process to end, which ends its children; killing it would leave them."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database; skips the test where its programs, or a driver for them, are missing."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    # Debian keeps them out of the way
    path = os.pathsep.join([os.environ["PATH"], *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin")))])
    initdb, pg_ctl = shutil.which("initdb", path=path), shutil.which("pg_ctl", path=path)
    if not (initdb and pg_ctl):
        pytest.skip("the programs of Postgres are not installed")
    user = "nobody" if os.geteuid() == 0 else None  # Postgres refuses to run as root
    # Not below pytest's folders, which are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="reenact-pg-"))
    try:
        if user:
            shutil.chown(folder, user)
        port, data, log = free_port(), folder / "data", folder / "log"

        def call(*command: str) -> None:
            # the server inherits what is open: a pipe here would never be closed
            subprocess.run(command, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=True)  # fmt: skip

        call(initdb, "-D", str(data), "-U", "reenact", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        call(pg_ctl, "-D", str(data), "-w", "-l", str(log), "-o", f"-p {port} -k {folder} -h 127.0.0.1", "start")
        try:
            yield f"postgresql+psycopg2://reenact@127.0.0.1:{port}/postgres"
        finally:
            call(pg_ctl, "-D", str(data), "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
