"""Signals that ask this process to end, noted instead of obeyed: who watches others ends them first."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
