"""What a check of `reenact doctor` finds."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One check's outcome; the sentence says what was seen, and what to do where that is not good."""

    name: str
    verdict: Verdict
    sentence: str


def ok(name: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", sentence)


def warning(name: str, sentence: str) -> Finding:
    """It works, but not for everything or not for long."""
    return Finding(name, "warning", sentence)


def failed(name: str, sentence: str) -> Finding:
    """Steps that need this will fail."""
    return Finding(name, "failed", sentence)
