"""Work on shards: which are finished, which are to be done, and several at a time.

A shard is finished when its marker `SHARD.done.json` says so: written after all its files, it holds their sizes and
the key (a hash of inputs, code and settings) they were made under. Any other state is done again.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from reenact.atomic import write_json
from reenact.errors import ReenactError

Task = TypeVar("Task")
Result = TypeVar("Result")


def is_current(folder: Path, shard: str, key: str) -> bool:
    """Whether the shard's files are all there, made under this key."""
    facts = marker(folder, shard)
    if facts.get("key") != key:
        return False
    sizes: dict[str, int] = facts["files"]
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in sizes.items())


def marker(folder: Path, shard: str) -> dict[str, Any]:
    """The marker's contents; empty where there is none or it can't be read."""
    try:
        facts = json.loads((folder / f"{shard}.done.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and isinstance(facts.get("files"), dict) else {}


def clear_shard(folder: Path, shard: str) -> None:
    """Forget a shard: the marker first, so that being killed in between leaves no marker without files."""
    (folder / f"{shard}.done.json").unlink(missing_ok=True)
    for path in folder.glob(f"{shard}.*"):
        path.unlink(missing_ok=True)


def finish_shard(folder: Path, shard: str, key: str, **facts: Any) -> None:
    """Write the marker for all files that the shard has now."""
    files = {path.name: path.stat().st_size for path in sorted(folder.glob(f"{shard}.*")) if path.suffix != ".json"}
    write_json(folder / f"{shard}.done.json", {"key": key, "files": files, **facts})


def begin_stage(folder: Path, shards: Sequence[str]) -> None:
    """Open a stage folder for writing: unfinished, without half files or shards that the corpus no longer has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stage.json").unlink(missing_ok=True)
    wanted = set(shards)
    for path in folder.glob("shard-*"):
        if path.name.partition(".")[0] not in wanted:
            path.unlink(missing_ok=True)
    for path in folder.glob(".shard-*"):
        path.unlink(missing_ok=True)


def in_processes(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Results in the order of the tasks, from up to `workers` fresh processes; in this process where one is enough."""
    tasks = list(tasks)
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    # Not forked: threads of OpenCV, BLAS or torch in the parent would make a forked child hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool:
            raise ReenactError(
                "A worker process was killed, probably for lack of memory. Lower runtime.workers and run the same "
                "command again; finished shards are kept."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
