"""Workers that hang or die cost their task alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reenact.errors import BadInput, ReenactError
from reenact.labelling import guarded
from reenact.labelling.guarded import Beat, guarded_processes


def work(task: str, beat: Beat) -> str:
    what, _, rest = task.partition(":")
    if what == "hang":
        time.sleep(600)
    elif what == "slow":
        for _ in range(35):
            time.sleep(0.1)
            beat()
    elif what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "exit":
        os._exit(3)
    elif what == "killed_once" and not Path(rest).exists():
        Path(rest).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "error":
        raise BadInput("a sentence")
    return f"done {task}"


def lost(task: str, why: str) -> str:
    return f"lost {task}: {why}"


def test_who_hangs_or_dies_costs_its_task_alone(tmp_path: Path) -> None:
    tasks = ["a", "hang", "slow", "crash", f"killed_once:{tmp_path}/flag", "exit", "b"]
    with guarded_processes(2, patience=3.0) as workers:
        results = list(workers.map(work, tasks, lost))
        assert list(workers.map(work, ["c", "d"], lost)) == ["done c", "done d"]
    assert [result.split()[0] for result in results] == ["done", "lost", "done", "lost", "done", "lost", "done"]
    assert "no sign of life for 3 s" in results[1]
    assert "SIGSEGV" in results[3]
    assert "exit code 3" in results[5]


def silent(seconds: float, beat: Beat) -> str:
    time.sleep(seconds)
    return "done"


def test_waiting_for_a_busy_processor_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setattr(guarded, "waited_for_processor", lambda pid: 0.8 * (time.monotonic() - began))
    with guarded_processes(1, patience=1.0) as workers:
        assert list(workers.map(silent, [3.0, 600.0], lambda task, why: why)) == [
            "done",
            "gave no sign of life for 1 s and was stopped.",
        ]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the kernel doesn't count")
def test_two_processes_on_one_processor_wait_for_each_other() -> None:
    code = (
        "import os, time\nfrom reenact.labelling.guarded import waited_for_processor\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nos.fork()\nbegan = time.process_time()\n"
        "while time.process_time() < began + 0.5: pass\n"
        "os.write(1, b'%f\\n' % waited_for_processor(os.getpid()))"
    )
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert max(float(waited) for waited in said.split()) > 0.2


def test_an_error_of_the_task_comes_through_and_a_death_without_an_answer_is_one() -> None:
    with guarded_processes(1, patience=30.0) as workers:
        with pytest.raises(BadInput, match="a sentence"):
            list(workers.map(work, ["error"], lost))
        with pytest.raises(ReenactError, match="A worker process died"):
            list(workers.map(work, ["exit"]))


def say_who_and_wait(_: int) -> None:
    print(os.getpid(), flush=True)
    time.sleep(60)


GUARDED = """
    with guarded_processes(1, patience=30.0) as workers:
        list(workers.map(work, ['a']))
        print(multiprocessing.active_children()[0].pid, flush=True)
        list(workers.map(work, ['slow'] * 50))
"""


@pytest.mark.parametrize("body", [GUARDED, "list(in_processes(say_who_and_wait, [1, 2], 2))"])
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, body: str) -> None:
    code = (
        "import multiprocessing; from test_guarded import say_who_and_wait, work\n"
        "from reenact.labelling.guarded import *; from reenact.labelling.shard_work import in_processes\n"
        f"if __name__ == '__main__':\n    {body.strip()}\n"
    )
    (tmp_path / "parent.py").write_text(code)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        stat = Path(f"/proc/{child}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the worker outlives its parent")
