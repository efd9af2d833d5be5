"""`reenact doctor`: whether a pod, a container or a machine has what the pipeline's steps need, before they need it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reenact.cluster.finding import Finding
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


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be looked at beside the machine itself; "" or None: nothing is asked of it."""

    gpus: int | None = None  # so many have to be there
    folders: Sequence[Path] = ()  # results, shards, checkpoints
    s3: str = ""  # s3://BUCKET/PREFIX that is written to
    mlflow: str = ""  # address of a server, or of a database
    experiment: str = ""  # of MLflow, in which a run is made and deleted again
    data_remote: str = ""  # s3://BUCKET/PREFIX of the DVC remote, which is read


def examine(asked: Asked) -> Iterator[Finding]:
    """Every check that was asked for, one after another; none of them raises."""
    yield check_code()
    yield check_caches()  # libraries that find theirs closed can't be loaded
    yield check_libraries()
    yield check_gpus(asked.gpus)
    yield check_shared_memory(asked.gpus or 0)
    for folder in asked.folders:
        yield check_folder(folder)
    if asked.s3:
        yield check_object_store(asked.s3)
    if asked.data_remote:
        yield check_data_remote(asked.data_remote)
    if asked.mlflow:
        yield check_mlflow(asked.mlflow, experiment=asked.experiment)


def judge(findings: Sequence[Finding]) -> None:
    """Raise DoctorFound where a check failed."""
    wrong = [finding.name for finding in findings if finding.verdict == "failed"]
    if wrong:
        raise DoctorFound(f"{len(wrong)} of {len(findings)} checks failed: {', '.join(wrong)}.")
