"""Progress that every caller can show: a line protocol in a file if REENACT_EVENTS names one, else plain lines."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def event(kind: str, **facts: object) -> None:
    """Append one JSON line to the file that REENACT_EVENTS names; nothing where it names none.

    One write per line in append mode, so that parallel steps may share the file; REENACT_STEP tells them apart.
    """
    path = os.environ.get("REENACT_EVENTS")
    if path:
        within = {"within": os.environ["REENACT_STEP"]} if "REENACT_STEP" in os.environ else {}
        line = json.dumps({"time": time.time(), "kind": kind, **within, **facts}) + "\n"
        with open(path, "a", encoding="utf-8") as stream:  # noqa: PTH123 - append in one write
            stream.write(line)


def say(text: str) -> None:
    """A sentence for the person who watches."""
    event("say", text=text)
    print(text, file=sys.stderr, flush=True)


def progress(items: Iterable[Item], label: str, *, total: int | None = None, every: float = 5.0) -> Iterator[Item]:
    """Pass items through, reporting count and rate at most every `every` seconds and once at the end."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    count, said = 0, -1
    for item in items:
        yield item
        count += 1
        now = time.monotonic()
        if now - last >= every:
            last, said = now, count
            _report(label, count, total, now - start)
    if said != count:
        _report(label, count, total, time.monotonic() - start)


def _report(label: str, count: int, total: int | None, seconds: float) -> None:
    event("progress", label=label, count=count, total=total, seconds=round(seconds, 2))
    if not os.environ.get("REENACT_EVENTS"):
        of = f"/{total}" if total is not None else ""
        print(f"{label}: {count}{of} in {seconds:.1f} s", file=sys.stderr, flush=True)
