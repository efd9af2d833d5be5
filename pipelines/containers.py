"""Steps in containers on this machine: kfp's DockerRunner, told all that the steps need, and made to see failures.

kfp takes a container that is gone before it looks for one that ended well, so that a step that failed could pass for
done, and its last lines were lost. Here a container stays until its log and its exit code have been read.
"""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.container_engine import container_engine
from reenact.cluster.pod import USER
from reenact.errors import ReenactError, StorageError
from reenact.hashing import hash_code, hash_json
from reenact.progress import event
from reenact.review.workers import may_be_at_work, this_worker

OWNER = "reenact.dev/owner"  # label: the process that started a container and removes it
_YEAR = 365 * 24 * 3600.0
_PASSED_ON = (
    "MLFLOW_", "AWS_", "REENACT_", "KFP_", "GX_",
    # Which kernels numeric libraries choose, and with how many threads, decides over the last bits of a result.
    "OMP_", "OPENBLAS_", "MKL_", "NPY_", "ONEDNN_", "DNNL_", "ATEN_", "CUBLAS_",
)  # fmt: skip
_ALSO = {"GLIBC_TUNABLES", "DO_NOT_TRACK", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


@contextmanager
def container_runner(told: Mapping[str, Any], *, images: set[str]) -> Iterator[tuple[Any, str]]:
    """(kfp's runner, a name for what these images make) for the run that `told` (runner.json) describes.

    images: all that the pipeline names; each must be there, nothing is pulled. Containers are removed however this
    ends, also by SIGTERM; those of a run that was killed, when the next one starts. Raises StorageError.
    """
    from kfp import local
    from kfp.local import docker_task_handler

    with ExitStack() as stack:
        with _said_as_a_step():
            client = stack.enter_context(container_engine())
            remove_left_over(client)
            found = {name: find_image(client, told["images"].get(name, name)) for name in sorted(images)}
            given = _run_arguments(told, client)
            ending = stack.enter_context(_removed_in_the_end(client, given["labels"][OWNER]))
            for name, image in found.items():
                _same_code(client, image, name, given)
        before = docker_task_handler.run_docker_container
        stack.callback(setattr, docker_task_handler, "run_docker_container", before)

        def run(client: Any, image: str, command: list[str], volumes: Mapping[str, Any], **more: Any) -> int:
            return 1 if ending.is_set() else run_container(client, found[image], command, volumes=volumes, **more)

        docker_task_handler.run_docker_container = run
        yield local.DockerRunner(**given), hash_json(found)[:12]


def run_container(client: Any, image: str, command: list[str], **given: Any) -> int:
    """Run a container to its end, its log to stdout; returns its exit code (125 where it could not be started)."""
    from docker.errors import APIError, NotFound

    client.api.timeout = None  # a step may be silent for longer than the minute that is the default
    try:
        container = client.containers.run(image=image, command=command, detach=True, **given)
    except APIError as error:
        event("step", name="containers", state="failed", seconds=0.0, reason=f"{error.explanation or error}", code=6)
        print(f"The container could not be started: {error}")
        return 125
    try:
        for chunk in container.logs(stream=True, follow=True):
            print(chunk.decode(errors="replace"), end="")
        code = int(container.wait()["StatusCode"])
    except NotFound:  # somebody removed it
        code = 137
    finally:
        with suppress(NotFound):
            container.remove(force=True)
    if code:
        killed = " (killed: by somebody, or for want of memory)" if code == 137 else ""
        print(f"The container ended with exit code {code}{killed}.")
    return code


def find_image(client: Any, name: str) -> str:
    """Id of an image of this machine; raises StorageError where there is none of that name."""
    from docker.errors import DockerException, ImageNotFound

    for place in ("", "localhost/"):  # podman's name for what was built here
        try:
            return str(client.images.get(place + name).id)
        except ImageNotFound:
            continue
        except DockerException as error:
            raise StorageError(f"containers: the engine can't say whether it has {name} ({error}).") from None
    raise StorageError(f"containers: the image {name} is not on this machine. `make images` builds it.")


def _same_code(client: Any, image: str, name: str, given: Mapping[str, Any]) -> None:
    """Raise StorageError where an image holds other code than this process: its results would pass for this code's."""
    from docker.errors import DockerException

    command = ["python3", "-c", "from reenact.hashing import hash_code; print(hash_code('.'))"]
    try:
        code = client.containers.run(image=image, command=command, remove=True, **given).decode().strip()
    except DockerException as error:
        raise StorageError(f"containers: the image {name} does not run here ({error}).") from None
    if code != hash_code("."):
        raise StorageError(f"containers: the image {name} holds other code than this folder. `make images` renews it.")


def remove_left_over(client: Any) -> None:
    """Remove the containers of runs whose process is gone: it was killed, and they may still be at work."""
    for container in client.containers.list(all=True, filters={"label": OWNER}):
        if not may_be_at_work(container.labels[OWNER], patience=_YEAR):
            _remove(container)


def give(folder: Path, uid: int, gid: int) -> None:
    """Make a folder, and where we are root give it and all in it to the user of the containers."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, gid, follow_symlinks=False)


def _run_arguments(told: Mapping[str, Any], client: Any) -> dict[str, Any]:
    """Arguments of docker-py's `containers.run`; makes the folders that steps write to."""
    from docker.types import DeviceRequest, Mount

    podman = any(part["Name"] == "Podman Engine" for part in client.version().get("Components", []))
    rootless = "name=rootless" in client.info().get("SecurityOptions", [])
    uid, gid = (os.getuid(), os.getgid()) if os.getuid() else (USER, USER)
    for folder in told["writable"]:
        give(Path(folder), uid, gid)
    given: dict[str, Any] = {
        # Rootless Docker maps its root to the user who runs it.
        "user": "0:0" if rootless and not podman else f"{uid}:{gid}",
        "mounts": [
            Mount(mount["path"], mount["path"], type="bind", read_only=mount["read_only"]) for mount in told["mounts"]
        ],
        "working_dir": told["mounts"][0]["path"],
        "environment": step_environment(told["environment"]),
        "network_mode": "host",
        "shm_size": told["shm_size"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "labels": {OWNER: this_worker()},
    }
    if rootless and podman:
        given["userns_mode"] = "keep-id"
    if told["gpus"] and podman:
        given["devices"] = ["nvidia.com/gpu=all"]
    elif told["gpus"]:
        given["device_requests"] = [DeviceRequest(count=told["gpus"], capabilities=[["gpu"]])]
    return given


def step_environment(more: Mapping[str, str]) -> dict[str, str]:
    """What steps take from the environment: where MLflow and S3 are, who trains, how progress is shown."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON) or name.upper() in _ALSO}
    # The working folder is a checkout: what lies there must not hide the image's packages.
    return {**passed, "PYTHONSAFEPATH": "1", **more}


@contextmanager
def _removed_in_the_end(client: Any, owner: str) -> Iterator[threading.Event]:
    """Remove what this process has started, also on SIGTERM; the event says that nothing is to be started any more."""
    ending = threading.Event()

    def end(*_: object) -> None:
        ending.set()
        _remove_of(client, owner)
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)
        _remove_of(client, owner)


def _remove_of(client: Any, owner: str) -> None:
    for container in client.containers.list(all=True, filters={"label": OWNER}):
        if container.labels[OWNER] == owner:
            _remove(container)


def _remove(container: Any) -> None:
    from docker.errors import APIError

    with suppress(APIError):  # it is being removed already
        container.remove(force=True)


@contextmanager
def _said_as_a_step() -> Iterator[None]:
    """What stands in the way before the first step is shown as a step that failed."""
    try:
        yield
    except ReenactError as error:
        event("step", name="containers", state="failed", seconds=0.0, reason=str(error), code=error.exit_code)
        raise
