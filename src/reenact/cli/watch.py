"""Shows how a pipeline that runs in another process is getting on, from the lines its steps write."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

_MARKS = {"waiting": "·", "running": "▸", "done": "✓", "failed": "✗", "cached": "=", "skipped": "-"}
_POLL = 0.25  # s between looks at the events
_LINES_EVERY = 10.0  # s between plain progress lines of one step


@dataclass
class _Seen:
    """What is known of a step."""

    state: str = "waiting"
    seconds: float = 0.0
    since: float = 0.0
    detail: str = ""
    code: int = 0


class Watch:
    """Follows `events` (see reenact.progress) for the steps `names`: a live table; without a terminal, plain lines."""

    def __init__(self, names: list[str], events: Path, *, maybe: Sequence[str] = ()) -> None:
        self.steps = {name: _Seen() for name in names}
        self.events = events
        self._planned = len(names)  # what comes beside them, such as push_data, says nothing of their order
        self._maybe = tuple(maybe)  # steps that all run, or none of them
        self.console = Console(file=sys.stderr)
        self._offset = 0
        self._shown: dict[str, float] = {}

    def follow(self, child: "subprocess.Popen[bytes]") -> None:
        """Show progress until the child ends."""
        if self.console.is_terminal:
            with Live(self._table(), console=self.console, refresh_per_second=4) as live:
                while child.poll() is None:
                    self._read()
                    live.update(self._table())
                    time.sleep(_POLL)
                self._finish(child.returncode)
                live.update(self._table())
        else:
            while child.poll() is None:
                self._read()
                time.sleep(_POLL)
            self._finish(child.returncode)

    def summary(self, seconds: float) -> None:
        """Time of each step."""
        table = Table(title=f"{_clock(seconds)} in all", title_justify="left", box=None)
        table.add_column("step")
        table.add_column("state")
        table.add_column("time", justify="right")
        for name, seen in self.steps.items():
            table.add_row(name, seen.state, _clock(seen.seconds) if seen.seconds else "")
        Console(width=100).print(table)

    def failure(self) -> str:
        """What failed, one sentence for each step."""
        return "\n".join(f"{name}: {seen.detail}" for name, seen in self.steps.items() if seen.state == "failed")

    def code(self) -> int:
        """Exit code of the last step that failed; 1 where a process died without a word."""
        codes = [seen.code for seen in self.steps.values() if seen.state == "failed"]
        return codes[-1] if codes else 1

    def _finish(self, code: int) -> None:
        """What wrote no line was found in the cache, or never came to run."""
        self._read()
        names = list(self.steps)
        ran = [index for index, name in enumerate(names[: self._planned]) if self.steps[name].state != "waiting"]
        if all(self.steps[name].state == "waiting" for name in self._maybe):
            for name in self._maybe:
                self.steps[name].state = "skipped"
        for index, name in enumerate(names):
            seen = self.steps[name]
            if seen.state == "waiting":
                seen.state = "cached" if code == 0 or index < max(ran, default=0) else "skipped"
                if " " in name and code != 0:  # a branch's steps are never cached
                    seen.state = "skipped"
            elif seen.state == "running":
                seen.state, seen.code = "failed", 1
                seen.seconds += time.time() - seen.since
                seen.detail = "its process ended without a word"

    def _read(self) -> None:
        for fact in self._lines():
            kind = fact["kind"]
            name = fact["name"] if kind == "step" else fact.get("within", "")
            seen = self.steps.setdefault(name, _Seen()) if name else None
            if kind == "step" and seen:
                self._step(name, seen, fact)
            elif kind == "progress" and seen:
                of = f"/{fact['total']}" if fact.get("total") is not None else ""
                seen.detail = f"{fact['label']} {fact['count']}{of}"
                self._say_now_and_then(name, seen)
            elif kind == "train" and seen:
                loss = f", loss {fact['total']:.2f}" if "total" in fact else ""  # no generator's step among these
                seen.detail = f"{fact['far']}{loss}"
                self._say_now_and_then(name, seen)
            elif kind == "say":
                self._print(fact["text"])

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.events.exists():
            return
        with self.events.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return  # still being written
                self._offset += len(line)
                yield json.loads(line)

    def _step(self, name: str, seen: _Seen, fact: dict[str, Any]) -> None:
        if fact["state"] == "running":
            if seen.state == "running" and not fact.get("part"):  # the one before died; this is its retry
                seen.seconds += fact["time"] - seen.since
            seen.state, seen.since = "running", fact["time"]
            self._print(f"{name}: started")
            return
        seen.state = fact["state"]
        seen.seconds += fact["seconds"]
        seen.detail = fact.get("reason", "").removeprefix(f"{name}: ")
        seen.code = int(fact.get("code", 0))
        self._print(f"{name}: {seen.state} after {_clock(fact['seconds'])} {seen.detail}".rstrip())

    def _say_now_and_then(self, name: str, seen: _Seen) -> None:
        now = time.monotonic()
        if now - self._shown.get(name, 0.0) >= _LINES_EVERY:
            self._shown[name] = now
            self._print(f"{name}: {seen.detail}")

    def _print(self, text: str) -> None:
        if not self.console.is_terminal:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, show_header=False)
        for name, seen in self.steps.items():
            seconds = seen.seconds + (time.time() - seen.since if seen.state == "running" else 0.0)
            table.add_row(_MARKS[seen.state], name, seen.state, _clock(seconds) if seconds else "", seen.detail)
        return table


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
