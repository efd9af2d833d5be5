"""The state of a training, kept outside every stage's output under the hash of code, data and settings.

So a restart by any caller finds it. A blob is named by its step and by its own content's hash: a damaged one is
noticed, and the one before takes its place.
"""

import hashlib
import io
import pickle
import re
import time
from collections.abc import Mapping
from typing import Any

import torch

from reenact.errors import NewerFormat
from reenact.progress import say
from reenact.training.settings import CheckpointSettings
from reenact.training.stores import Store, open_store

FORMAT = 1
_NAME = re.compile(r"(step|finished)-(\d{9})-([0-9a-f]{16})\.pt")


class Checkpoints:
    """Saves, finds and tidies the checkpoints of one training."""

    def __init__(self, store: Store, settings: CheckpointSettings) -> None:
        self.store, self.settings = store, settings
        self.begin(0)

    def begin(self, samples: int) -> None:
        """Count time and samples from here."""
        self._last_time, self._last_samples = time.monotonic(), samples

    def due(self, samples: int) -> bool:
        """Whether the state after `samples` samples should be kept; the clock decides when, never what is trained."""
        s = self.settings
        by_time = bool(s.every_seconds) and time.monotonic() - self._last_time >= s.every_seconds
        by_samples = bool(s.every_samples) and samples - self._last_samples >= s.every_samples
        return by_time or by_samples

    def save(self, step: int, samples: int, state: Mapping[str, Any]) -> None:
        """Keep the state, then drop the oldest beyond `keep`."""
        self._put("step", step, state)
        for name in self._names("step")[: -self.settings.keep]:
            self.store.delete(name)
        # The clock starts anew after the writing, so that a slow store never takes all the time.
        self.begin(samples)

    def finish(self, step: int, state: Mapping[str, Any]) -> None:
        """Keep what a finished training hands on, in place of its steps."""
        self._put("finished", step, state)
        for name in self._names("step"):
            self.store.delete(name)

    def load(self) -> dict[str, Any] | None:
        """The newest step that can be read, on the CPU; a sentence for each that can't."""
        return self._newest("step")

    def finished(self) -> dict[str, Any] | None:
        """What an earlier, finished training under this key handed on."""
        return self._newest("finished")

    def _newest(self, kind: str) -> dict[str, Any] | None:
        for name in reversed(self._names(kind)):
            data = self.store.get(name)
            if data is None:
                continue
            state = _unpacked(name, data)
            if state is not None:
                return state
            say(
                f"{self.store.where}/{name}: this checkpoint is damaged; going back to the one before, if there is one."
            )
        return None

    def _names(self, kind: str) -> list[str]:
        return [name for name in self.store.names() if (match := _NAME.fullmatch(name)) and match[1] == kind]

    def _put(self, kind: str, step: int, state: Mapping[str, Any]) -> None:
        stream = io.BytesIO()
        torch.save({"format": FORMAT, **state}, stream)
        data = stream.getvalue()
        self.store.put(f"{kind}-{step:09d}-{_digest(data)}.pt", data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _unpacked(name: str, data: bytes) -> dict[str, Any] | None:
    match = _NAME.fullmatch(name)
    if match is None or _digest(data) != match[3]:
        return None
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    if state["format"] > FORMAT:
        raise NewerFormat(f"{name}: written in format {state['format']}, this version reads up to {FORMAT}.")
    return state


def open_checkpoints(settings: CheckpointSettings, *, branch: str, key: str) -> Checkpoints:
    """Checkpoints of one branch under the hash of all that decides its weights."""
    return Checkpoints(open_store(settings.uri, branch, key[:32]), settings)
