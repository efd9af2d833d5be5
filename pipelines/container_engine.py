"""The engine that runs containers on this machine: the one DOCKER_HOST names, Docker's, or podman's.

Podman has no daemon: `podman system service` is started on a socket in a temporary folder and ended with us. Where
podman needs other settings than the system's, name their file in CONTAINERS_CONF.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reenact.errors import StorageError

_DOCKER = Path("/var/run/docker.sock")
_START = 180.0  # s that podman's service may take: it waits for builds that hold podman's store


@contextmanager
def container_engine() -> Iterator[Any]:
    """A client (of the package docker) of an engine that answers; DOCKER_HOST names it to kfp meanwhile.

    Raises StorageError where there is none. The client waits without end: a step that says nothing for a minute is no
    reason to give up on it.
    """
    with _address() as address:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = address
        client = _answering(address)
        try:
            yield client
        finally:
            client.close()
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before


@contextmanager
def _address() -> Iterator[str]:
    named = os.environ.get("DOCKER_HOST", "")
    if named:
        yield named
    elif os.access(_DOCKER, os.R_OK | os.W_OK):
        yield f"unix://{_DOCKER}"
    elif podman := shutil.which("podman"):
        with _podman_service(podman) as address:
            yield address
    else:
        raise StorageError(
            "containers: there is neither Docker nor podman on this machine. Install one of them, name a Docker engine "
            "in DOCKER_HOST, or run without containers."
        )


@contextmanager
def _podman_service(podman: str) -> Iterator[str]:
    """The address of a service that ends with us, by its process id."""
    # A socket's path may have 107 characters: run folders lie too deep.
    folder = Path(tempfile.mkdtemp(prefix="reenact-podman-", dir="/tmp"))
    address = f"unix://{folder}/podman.sock"
    with (folder / "log.txt").open("wb") as log:
        service = subprocess.Popen(
            [podman, "system", "service", "--time=600", address], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        ends = time.monotonic() + _START
        while not (folder / "podman.sock").exists():
            if service.poll() is not None or time.monotonic() > ends:
                said = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
                raise StorageError(
                    f"containers: podman's service did not start ({said[-1] if said else 'no word'}). "
                    "`podman info` should work first."
                )
            time.sleep(0.05)
        yield address
    finally:
        service.terminate()
        with suppress(subprocess.TimeoutExpired):
            service.wait(10)
        if service.poll() is None:
            service.kill()
            service.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answering(address: str) -> Any:
    from docker.client import DockerClient
    from docker.errors import DockerException

    try:
        client = DockerClient(base_url=address, version="auto", timeout=60)
        client.ping()
    except DockerException as error:
        raise StorageError(
            f"containers: no engine answers at {address} ({error}). Start it, or set DOCKER_HOST."
        ) from None
    client.api.timeout = None
    return client
