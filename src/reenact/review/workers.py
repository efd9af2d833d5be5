"""Who carries a decision out, written down so that others can tell whether that process may still be at it."""

import json
import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # s after which what a process of another machine left half done is taken over


def this_worker() -> str:
    """This thread of this process, and the time."""
    return json.dumps(
        {"place": _place(), "process": os.getpid(), "thread": threading.get_ident(), "since": time.time()}
    )


def may_be_at_work(worker: str, *, patience: float = PATIENCE) -> bool:
    """Whether the process may still be at it; "" is one that gave up.

    Of another machine's process only the time is known: it stops by itself long before `patience` is over.
    """
    try:
        known: dict[str, Any] = json.loads(worker)
        since, process, place = float(known["since"]), int(known["process"]), str(known["place"])
    except (ValueError, KeyError, TypeError):
        return False
    if place == _place() and not _runs(process):
        return False
    return abs(time.time() - since) < patience


def _place() -> str:
    """The machine, and within it the container: each counts its processes anew."""
    try:
        return f"{platform.node()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, which runs; or no process' number
        return True
    return True
