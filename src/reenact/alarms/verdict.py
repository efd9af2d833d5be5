"""An alarm's measure held against its limits."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from reenact.config import Settings

Word = Literal["fine", "warning", "alarm", "unknown"]


class Limits(Settings):
    """From where a measure is doubtful, and from where it is sick."""

    warning: float
    alarm: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an alarm says of one system on one kind of pairs."""

    name: str
    verdict: Word
    value: float | None  # None: not known
    limit: float | None  # the limit that was passed; of a fine value the one that would warn
    meaning: str  # what the value is; of a sick one also what to do
    split: str = ""
    protocol: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    def sentence(self) -> str:
        """For a person who reads a log or a note below a table."""
        where = " ".join(part for part in (self.split, self.protocol) if part)
        value = "unknown" if self.value is None else f"{self.value:.3g} (limit {self.limit:.3g})"
        return f"{self.name.replace('_', ' ')}{f' on {where}' if where else ''}: {value}; {self.meaning}"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One way of being sick: which side of its limits is, what its measure means, what helps."""

    name: str
    sick: Literal["low", "high", "far"]  # far: above a limit, or below its inverse
    measures: str
    advice: str

    def of(
        self, value: float | None, limits: Limits, *, split: str = "", protocol: str = "", note: str = ""
    ) -> Verdict:
        """The verdict on a value; None or not-a-number is unknown, and `note` may say why."""
        where = {"name": self.name, "split": split, "protocol": protocol}
        if value is None or math.isnan(value):
            return Verdict(**where, verdict="unknown", value=None, limit=None, meaning=note or self.measures)
        sign = -1.0 if self.sick == "low" or (self.sick == "far" and value < 1) else 1.0
        warning, alarm = (1 / limit if self.sick == "far" and value < 1 else limit
                          for limit in (limits.warning, limits.alarm))  # fmt: skip
        word: Word = "fine"
        if sign * value > sign * warning:
            word = "alarm" if sign * value > sign * alarm else "warning"
        limit = alarm if word == "alarm" else warning
        parts = [self.measures, note, self.advice if word in ("warning", "alarm") else ""]
        meaning = ". ".join(part for part in parts if part)
        return Verdict(**where, verdict=word, value=float(value), limit=limit, meaning=meaning)


def unknown(alarm: Alarm, why: str, *, split: str = "", protocol: str = "") -> Verdict:
    """The verdict of an alarm that can't be asked here."""
    return Verdict(
        name=alarm.name, verdict="unknown", value=None, limit=None, meaning=why, split=split, protocol=protocol
    )


def notes_on(alarms: Iterable[Mapping[str, Any]], row: str) -> list[str]:
    """A sentence per alarm or warning among records of verdicts on a row of a table, but for those on val."""
    sick = [Verdict(**each) for each in alarms if each["verdict"] in ("alarm", "warning") and each["split"] != "val"]
    return [f"{verdict.verdict} for {row}: {verdict.sentence()}" for verdict in sick]
