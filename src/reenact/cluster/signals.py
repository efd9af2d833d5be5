"""Signals that ask this process to end, noted instead of obeyed: who watches others ends them first. And a deadline."""

import math
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

_NAP = 0.2  # seconds


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """Yield the list of such signals as they come; only a process's main thread can have them."""
    received: list[int] = []
    ours = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGINT) if ours else ()
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def pause(seconds: float, received: Sequence[int]) -> None:
    """Sleep, but no longer than until a signal is noted: who is ended on a cluster has little time to tidy up."""
    for _ in range(math.ceil(seconds / _NAP)):
        if received:
            return
        time.sleep(min(_NAP, seconds))


@contextmanager
def within(seconds: float, late: Exception) -> Iterator[None]:
    """Raise `late` in the block if it takes longer; 0: it may take as long as it likes. Only in the main thread."""
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise late

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
