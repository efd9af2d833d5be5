"""Several rows at a time, each in a process of its own.

A training on small pictures gains next to nothing from a second core, and two of them beside each other lose next to
nothing, so a core each for twice the minutes is nearly twice the training.
"""

import multiprocessing
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

from reenact.errors import StorageError
from reenact.process import end_with_parent, prepare_process


class Task(Protocol):
    """One row's work; it can be pickled."""

    @property
    def threads(self) -> int:
        """Of its process."""

    def __call__(self) -> None:
        """Raises StorageError alone."""

    def died(self, reason: str) -> None:
        """Told when its process ended otherwise than by coming to its end."""


def each_in_a_process(tasks: Sequence[Task], many: int) -> None:
    """Run the tasks in their order, `many` at a time.

    A process that is killed (out of memory, say) is a task that died; the others go on. Raises StorageError where one
    of them does, after ending the others.
    """
    spawn = multiprocessing.get_context("spawn")
    left, running = list(tasks), dict[int, tuple[Task, SpawnProcess]]()
    with TemporaryDirectory(prefix="reenact-study-") as folder:
        try:
            while left or running:
                while left and len(running) < many:
                    task = left.pop(0)
                    child = spawn.Process(target=_child, args=(task, Path(folder)))
                    child.start()
                    running[child.sentinel] = task, child
                for sentinel in wait(list(running)):
                    task, child = running.pop(cast("int", sentinel))
                    child.join()
                    _look(task, child, Path(folder))
        finally:
            for _, child in running.values():
                child.kill()
                child.join()


def _look(task: Task, child: SpawnProcess, folder: Path) -> None:
    if child.exitcode == StorageError.exit_code:
        raise StorageError((folder / str(child.pid)).read_text())
    if child.exitcode:
        named = signal.Signals(-child.exitcode).name if child.exitcode < 0 else f"code {child.exitcode}"
        task.died(f"its process ended with {named}")


def _child(task: Task, folder: Path) -> None:
    end_with_parent()
    prepare_process(task.threads)
    try:
        task()
    except StorageError as error:
        (folder / str(multiprocessing.current_process().pid)).write_text(str(error))
        sys.exit(StorageError.exit_code)
