"""Worker processes that files from anywhere can't take down: who hangs or dies costs its task alone.

A decoder may crash or never return on a damaged file, and no exception tells of it. So each worker reports progress,
and one that is silent for too long, or gone, is replaced; the task is answered for by `lost`. Waiting for a processor
that others keep busy is not silence.
"""

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from reenact.errors import ReenactError
from reenact.process import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
Beat = Callable[[], None]

_BEAT = 0.5  # s between two signs of life, at least
_START = 60.0  # s that a worker may need until it has loaded what its first task stands on
_TRIES = 2  # of a task whose worker died: memory may have run out through another one's fault


@dataclass
class _Worker:
    process: Any
    connection: Connection
    task: int = -1  # its place in the list of tasks, -1 while idle
    heard: float = 0.0
    waited: float = 0.0  # s for a processor, when it was heard

    def hear(self, allowance: float = 0.0) -> None:
        """Something was heard just now, or will be in `allowance` seconds at the latest."""
        self.heard = time.monotonic() + allowance
        self.waited = waited_for_processor(self.process.pid)


class GuardedProcesses:
    """Fresh processes that live as long as the pool and are replaced when they hang or die."""

    def __init__(self, count: int, patience: float) -> None:
        self.count, self.patience = max(1, count), patience
        self._workers: list[_Worker] = []

    def map(
        self,
        function: Callable[[Task, Beat], Result],
        tasks: Sequence[Task],
        lost: Callable[[Task, str], Result] | None = None,
    ) -> Iterator[Result]:
        """Results in the order of the tasks. `function(task, beat)` calls `beat` whenever it got on.

        `lost(task, why)` gives the result of a task that hung or died; without it such a task is an error.
        """
        waiting = deque(enumerate(tasks))
        tries = dict.fromkeys(range(len(tasks)), 0)
        done: dict[int, Result] = {}
        following = 0
        try:
            while following < len(tasks):
                self._hand_out(function, waiting)
                for worker in self._heard_or_overdue():
                    task, (kind, value) = worker.task, self._message(worker)
                    if kind == "error":
                        raise value
                    if kind == "beat":
                        worker.hear()
                    elif kind == "result":
                        worker.task, done[task] = -1, value
                    else:
                        self._end(worker)
                        tries[task] += 1
                        if kind == "died" and tries[task] < _TRIES:
                            waiting.appendleft((task, tasks[task]))
                        else:
                            done[task] = (lost or _refuse)(tasks[task], value)
                while following in done:
                    yield done.pop(following)
                    following += 1
        finally:
            # Of a map that was left early nobody waits for the rest.
            for worker in [worker for worker in self._workers if worker.task >= 0]:
                self._end(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers):
            self._end(worker)

    def _hand_out(self, function: Callable[[Task, Beat], Result], waiting: "deque[tuple[int, Task]]") -> None:
        idle = [worker for worker in self._workers if worker.task < 0]
        while waiting and (idle or len(self._workers) < self.count):
            worker = idle.pop() if idle else self._start()
            number, task = waiting.popleft()
            try:
                worker.connection.send((function, task))
            except OSError:  # died while it was idle
                self._end(worker)
                waiting.appendleft((number, task))
                continue
            worker.task = number
            worker.hear(_START)

    def _start(self) -> _Worker:
        # Not forked: threads of OpenCV, BLAS or torch in the parent would make a forked child hang.
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=_serve, args=(far,), daemon=True)
        process.start()
        far.close()
        worker = _Worker(process, near)
        self._workers.append(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.join()
        worker.connection.close()

    def _heard_or_overdue(self) -> list[_Worker]:
        busy = [worker for worker in self._workers if worker.task >= 0]
        heard = wait([worker.connection for worker in busy], timeout=min(1.0, self.patience / 4))
        late = time.monotonic() - self.patience
        return [worker for worker in busy if worker.connection in heard or _is_overdue(worker, late)]

    def _message(self, worker: _Worker) -> tuple[str, Any]:
        try:
            if not worker.connection.poll():
                return "hung", f"gave no sign of life for {self.patience:g} s and was stopped."
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            return "died", f"died ({_cause(worker.process.exitcode)})."
        return kind, value


@contextmanager
def guarded_processes(count: int, *, patience: float) -> Iterator[GuardedProcesses]:
    """A pool of `count` workers for one stage; patience: seconds without a beat after which a worker is stopped."""
    pool = GuardedProcesses(count, patience)
    try:
        yield pool
    finally:
        pool.close()


def waited_for_processor(pid: int) -> float:
    """Seconds that a process was ready to run and had to wait, by its most patient thread; 0 where nobody counts."""
    nanoseconds = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError, IndexError):
            nanoseconds = max(nanoseconds, int(file.read_text().split()[1]))
    return nanoseconds / 1e9


def _is_overdue(worker: _Worker, late: float) -> bool:
    """Nothing heard since `late`, though it could have run."""
    return worker.heard < late and worker.heard + waited_for_processor(worker.process.pid) - worker.waited < late


def _serve(connection: Connection) -> None:
    """A worker's life: tasks in; beats, then a result or an error out; it ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    last = 0.0

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _BEAT:
            last = now
            connection.send(("beat", None))

    with suppress(EOFError, OSError):
        while True:
            function, task = connection.recv()
            connection.send(("beat", None))
            try:
                answer = ("result", function(task, beat))
            except (BrokenPipeError, KeyboardInterrupt):
                return
            except Exception as error:
                answer = ("error", error)
            try:
                connection.send(answer)
            except OSError:
                return
            except Exception as error:  # what can't be pickled
                connection.send(("error", ReenactError(f"{type(answer[1]).__name__}: {answer[1]} ({error})")))


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"{name}: memory ran out" if name == "SIGKILL" else f"{name}: a crash in a library"
    return f"exit code {code}"


def _refuse(task: object, why: str) -> Any:
    raise ReenactError(f"A worker process {why} Run the same command again: what is done is kept.")
