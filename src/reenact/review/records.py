"""What is written down of a decision: one JSON text that names the text before it by its hash."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Literal
from uuid import uuid4

from reenact.errors import BadInput, NewerFormat, SettingsError

FORMAT = 1
LONGEST = 4900  # characters: the copy is a tag of a registered model, which databases keep 5000 of
Action = Literal["approve", "reject", "rollback"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One decision; `before` and `after` say which version `champion` and `previous` meant."""

    number: int  # from 1
    at: str  # UTC, by the clock of whoever decided
    by: str
    action: Action
    version: str  # the version approved, rejected, or gone back to
    weights: str  # sha256 of its weights
    before: Mapping[str, str]
    after: Mapping[str, str]
    reason: str
    override: str = ""  # why a failed or missing gate was passed over
    gate: str = ""  # what the gate had said: passed, failed, ""
    gate_sha256: str = ""  # of its verdict
    previous: str = ""  # hash of the record before this one, "" of the first
    nonce: str = field(default_factory=lambda: uuid4().hex)  # tells two equal decisions apart
    format: int = FORMAT

    def text(self) -> str:
        """The record as it is kept. Raises SettingsError where the reasons are too long for it."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if len(text) > LONGEST:
            what = "--reason and --override: together" if self.override else "--reason:"
            raise SettingsError(f"{what} {len(text) - LONGEST} characters too long. Say it shorter, or give a link.")
        return text

    def __str__(self) -> str:
        """For people: "decision 3 by ana: approve version 2"."""
        return f"decision {self.number} by {self.by}: {self.action} version {self.version}"


def digest(text: str) -> str:
    """The hash by which the next record names this one."""
    return sha256(text.encode()).hexdigest()


def read_decision(text: str) -> Decision:
    """A kept record. Raises BadInput for a damaged one, NewerFormat for one of a newer version."""
    try:
        values: dict[str, Any] = json.loads(text)
        number = int(values["format"])
        if number > FORMAT:
            raise NewerFormat(f"a decision has format {number}, this version reads up to {FORMAT}. Update reenact.")
        values |= {"number": int(values["number"]), **{name: dict(values[name]) for name in ("before", "after")}}
        return Decision(**values)
    except (ValueError, KeyError, TypeError):
        raise BadInput("this is no record of a decision") from None
