"""A training in several processes of one machine, one for each of its accelerators: `torchrun --standalone`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reenact.cluster.job_files import first_traceback, read_error, read_result, write_step
from reenact.stages.result import StageResult
from reenact.systems.branch import Branch

_LOOK_EVERY = 0.5  # seconds between looks for a signal


def train_in_processes(
    count: int,
    *,
    job: Path,
    told: Mapping[str, Any],
    folders: Mapping[str, Path],
    branch: Mapping[str, Any],
    out: Path,
) -> StageResult:
    """Run the step `train` in `count` processes, and return what the first says at the end.

    job: a folder for what they tell us. Their log is ours. A signal to end reaches them, and ends this process
    when they are gone. Raises the error that ended the first of them: each kind as in one process, else ProcessLost.
    """
    step = write_step(job, "train", told=told, folders=folders, branch=branch, out=out)
    threads = max(1, min(int(told["threads"]), len(os.sched_getaffinity(0)) // count))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nothing of this is for the network
    code = _run(torchrun(count, step), environment)
    result = read_result(job)
    if code == 0 and result is not None:
        return result
    print(first_traceback(job), end="", file=sys.stderr, flush=True)
    raise read_error(job, f"train {Branch(**{**branch, 'seed': int(branch['seed'])}).name}")


def torchrun(count: int, step: Path) -> list[str]:
    """The command that runs a step in `count` processes here; the first one's output is shown."""
    agent = [sys.executable, "-m", "reenact.cluster.agent", str(step.parent)]
    how = ["--standalone", "--nproc-per-node", str(count), "--local-ranks-filter", "0"]
    return [*agent, *how, "-m", "reenact.cluster.worker", str(step)]


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """The exit code of a command that gets our signals; a signal to end also ends us, after it."""
    with _received() as received:
        process = subprocess.Popen(command, env=environment)
        handed_on = 0
        while True:
            for number in received[handed_on:]:
                process.send_signal(number)
            handed_on = len(received)
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_LOOK_EVERY)
                break
    if received:
        raise SystemExit(128 + received[0])
    return code


@contextmanager
def _received() -> Iterator[list[int]]:
    """Yield the list of the signals that ask us to end, as they come; only a process's main thread can have them."""
    received: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGINT) if ours else ()
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
