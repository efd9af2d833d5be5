"""What a run in containers on this machine needs beside the pipeline's arguments: `runner.json` of its folder."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reenact.cluster.settings import Images, cluster_settings
from reenact.params import Params


def container_run(params: Params, *, folder: Path) -> dict[str, Any]:
    """Mounts, folders that containers write to, and devices of the run in `folder`, an absolute path.

    `images` says which image to take for each that the pipeline names. The working folder is mounted where it is and is
    every step's working folder too, so a relative path means the same inside; absolute paths of the settings that lie
    elsewhere are mounted as well, to be read.
    """
    project = Path.cwd()
    plain, chosen = params.plain(), cluster_settings(params).images.plain()
    writable = [folder, folder.parent / ".shards", *_written(plain, project)]
    mounts = {project: False}
    for path in writable:
        if not _within(path, mounts):
            mounts[path] = False
    for path in _named(plain):
        if not _within(path, mounts):
            mounts[path] = True
    return {
        "runner": "containers",
        "images": {name: chosen[role] for role, name in Images().plain().items()},
        "mounts": [{"path": str(path), "read_only": read_only} for path, read_only in mounts.items()],
        "writable": sorted({str(path) for path in writable}),
        "environment": {},
        "gpus": _gpus(plain, cluster_settings(params).gpus),
        "shm_size": "2g",
    }


def _written(plain: Mapping[str, Any], project: Path) -> Iterator[Path]:
    """Folders of the settings that steps write to; addresses of servers are none."""
    evaluate, tracking = plain["evaluate"], plain["tracking"]
    database = os.environ.get("MLFLOW_TRACKING_URI") or tracking["uri"]
    texts = [plain["fetch_data"]["cache"], evaluate["cache"], evaluate["networks"]["cache"]]
    # Numbers that a server which is away could not take lie beside the artifacts, wherever those are.
    texts += [plain["checkpoints"]["uri"], str(Path(tracking["artifacts"]).parent)]
    if database.startswith("sqlite:///"):
        texts += [str(Path(database.removeprefix("sqlite:///")).parent), tracking["artifacts"]]
    for text in texts:
        local = text.removeprefix("file://")
        if local and "://" not in local:
            yield project / local


def _named(value: Any) -> Iterator[Path]:
    """Every absolute path among the settings that is there."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _named(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _named(item)
    elif isinstance(value, str) and value.startswith("/") and len(value) > 1 and Path(value).exists():
        yield Path(value)


def _within(path: Path, mounts: Mapping[Path, bool]) -> bool:
    return any(path.is_relative_to(mounted) for mounted in mounts)


def _gpus(plain: Mapping[str, Any], wanted: int) -> int:
    """GPUs to hand to each container: as many as are wanted, this machine has, and may be used."""
    here = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return 0 if plain["runtime"]["device"] == "cpu" else min(here, wanted)
