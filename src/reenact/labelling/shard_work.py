"""Work on shards: which are there, which are to be made, and several at a time.

A shard is a folder that is named by the hash of all that decides its contents. It is written beside its name and moved
there when it is whole, and never changed afterwards: what has the name has the contents. `done.json` holds the sizes of
its files and what its stage wants to know of it without opening them.
"""

import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from reenact.atomic import link_tree, storage_errors, write_json
from reenact.errors import ReenactError
from reenact.hashing import hash_code
from reenact.process import end_with_parent
from reenact.progress import progress

Task = TypeVar("Task")
Result = TypeVar("Result")
_BESIDE = ".making-"
_ABANDONED = 24 * 3600.0  # s since anything changed in it


@dataclass
class NewShard:
    """A shard that is being written: files go to `folder / name` (see corpus/shards.py), facts to its `done.json`."""

    folder: Path
    name: str
    facts: dict[str, Any] = field(default_factory=dict)


def shard_code(*modules: str) -> str:
    """Hash of the code that every shard stands on and of these modules of the package: a part of a shard's name."""
    return hash_code("labelling", "faces", "corpus/shards.py", *modules)


def shard_facts(folder: Path, name: str) -> dict[str, Any] | None:
    """What `done.json` says; None where the shard isn't there, or not whole."""
    try:
        facts: dict[str, Any] = json.loads((folder / name / "done.json").read_text(encoding="utf-8"))
        whole = all((folder / name / file).stat().st_size == size for file, size in facts["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return facts if whole else None


def missing_shards(folder: Path, names: Iterable[str], *, store: Path | None = None) -> list[str]:
    """Open a stage's folder for writing, take from the store what it has, and name the shards that are to be made.

    store: a folder of shards that outlives the stage's folder; its files are linked where that is possible.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stage.json").unlink(missing_ok=True)
        for left in folder.glob(f"{_BESIDE}*"):
            shutil.rmtree(left, ignore_errors=True)
    if store is not None:
        _sweep(store)
    lacking = []
    for name in dict.fromkeys(names):
        if shard_facts(folder, name) is None:
            shutil.rmtree(folder / name, ignore_errors=True)
            if store is not None and shard_facts(store, name) is not None:
                _place(store / name, folder, name)
            else:
                lacking.append(name)
    return lacking


@contextmanager
def new_shard(folder: Path, name: str, *, store: Path | None = None) -> Iterator[NewShard]:
    """Write a shard beside its name; it takes the name, and is shared by the store, when the block ends well."""
    with storage_errors(folder):
        temporary = Path(tempfile.mkdtemp(prefix=f"{_BESIDE}{name}-", dir=folder))
        try:
            shard = NewShard(folder, temporary.name)
            yield shard
            files = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
            write_json(temporary / "done.json", {"files": files, **shard.facts})
            temporary.chmod(0o755)
            _take_name(temporary, folder, name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if store is not None and shard_facts(store, name) is None:
            shutil.rmtree(store / name, ignore_errors=True)
            _place(folder / name, store, name)


def make_shards(
    work: Callable[[Task, NewShard], None],
    tasks: Mapping[str, Task],
    *,
    out: Path,
    store: Path | None,
    workers: int,
    what: str,
) -> int:
    """Make those shards of a stage that aren't there yet, by `work(task, shard)` in processes; returns how many."""
    lacking = missing_shards(out, tasks, store=store)
    jobs = [(name, tasks[name]) for name in lacking]
    for _ in progress(in_processes(partial(_make, work, out, store), jobs, workers), what, total=len(jobs)):
        pass
    return len(jobs)


def keep_only(folder: Path, names: Iterable[str]) -> None:
    """Remove the shards that a finished stage no longer names."""
    wanted = set(names)
    for path in folder.iterdir():
        if path.is_dir() and path.name not in wanted:
            shutil.rmtree(path, ignore_errors=True)


def in_processes(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Results in the order of the tasks, from up to `workers` fresh processes; in this process where one is enough."""
    tasks = list(tasks)
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    # Not forked: threads of OpenCV, BLAS or torch in the parent would make a forked child hang.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent) as pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool:
            raise ReenactError(
                "A worker process was killed, probably for lack of memory. Lower runtime.workers and run the same "
                "command again; finished shards are kept."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _make(work: Callable[[Task, NewShard], None], out: Path, store: Path | None, job: tuple[str, Task]) -> None:
    name, task = job
    with new_shard(out, name, store=store) as shard:
        work(task, shard)


def _place(origin: Path, folder: Path, name: str) -> None:
    """A shard under its name in another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_BESIDE}{name}-", dir=folder))
    try:
        link_tree(origin, temporary)
        temporary.chmod(0o755)
        _take_name(temporary, folder, name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(store: Path) -> None:
    """Remove what killed runs left half written; what others are writing just now is younger."""
    for left in store.glob(f"{_BESIDE}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _take_name(temporary: Path, folder: Path, name: str) -> None:
    """Move a whole shard to its name; whoever else brought the same one at the same time is as good."""
    try:
        temporary.replace(folder / name)
    except OSError:
        if shard_facts(folder, name) is None:
            raise
