"""A training in several processes of one machine, one for each of its accelerators: `torchrun --standalone`."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from reenact.cluster.job_files import first_traceback, read_error, read_result, step_of, write_step
from reenact.cluster.signals import asked_to_end
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
    step = write_step(job, step_of("train", told=told, folders=folders, branch=branch, out=out))
    threads = max(1, min(int(told["threads"]), len(os.sched_getaffinity(0)) // count))
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nothing of this is for the network
    code = _run(torchrun(count, step), environment)
    result = read_result(job)
    if code == 0 and result is not None:
        return result
    print(first_traceback(job), end="", file=sys.stderr, flush=True)
    raise read_error(job, f"train {Branch.of(branch).name}")


def torchrun(count: int, step: Path) -> list[str]:
    """The command that runs a step in `count` processes here; the first one's output is shown."""
    agent = [sys.executable, "-m", "reenact.cluster.agent", str(step.parent)]
    how = ["--standalone", "--nproc-per-node", str(count), "--local-ranks-filter", "0"]
    return [*agent, *how, "-m", "reenact.cluster.worker", str(step)]


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """The exit code of a command that gets our signals; a signal to end also ends us, after it."""
    with asked_to_end() as received:
        process = subprocess.Popen(command, env=environment)
        handed_on, code = 0, None
        try:
            while code is None:
                for number in received[handed_on:]:
                    process.send_signal(number)
                handed_on = len(received)
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(_LOOK_EVERY)
        finally:
            if code is None:  # something in us broke off, a deadline for one
                process.terminate()
                process.wait()
    if received:
        raise SystemExit(128 + received[0])
    return code
