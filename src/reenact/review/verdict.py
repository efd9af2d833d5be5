"""What the gate found: every rule with its numbers, for a person and as JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from reenact.atomic import write_json
from reenact.corpus.tables import FORMAT, check_format
from reenact.errors import BadInput

Kind = Literal["metric", "improvement", "faces", "alarm", "champion"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, what was found and whether that is enough; None where a number is not known or makes no sense."""

    name: str  # for example "csim_truth on self"
    kind: Kind
    ok: bool  # False: the gate is not passed
    wanted: str  # what the rule asks, in words
    sentence: str  # what was found, in words
    metric: str = ""
    protocol: str = ""
    challenger: float | None = None
    champion: float | None = None  # over the same pairs, where the metric has a value per pair
    difference: float | None = None  # challenger - champion, whichever of them is better
    low: float | None = None  # of its 95 % interval
    high: float | None = None
    p: float | None = None  # two-sided, corrected for the number of metrics (Holm)
    better: bool | None = None  # whether it counts as an improvement; None where nobody asks


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of a challenger against a champion, or against nobody (`champion` is "")."""

    challenger: str
    champion: str
    rules: tuple[Rule, ...]
    judge: str = ""
    pairs_sha256: str = ""  # of the list of test pairs
    settings: Mapping[str, Any] = field(default_factory=dict)  # block `gate` as it was

    @property
    def passed(self) -> bool:
        """Whether every rule is kept."""
        return all(rule.ok for rule in self.rules)

    @property
    def failed(self) -> tuple[Rule, ...]:
        """The rules that are not."""
        return tuple(rule for rule in self.rules if not rule.ok)

    @property
    def broken_first(self) -> list[Rule]:
        """The rules in the order in which a person reads them."""
        return sorted(self.rules, key=lambda rule: rule.ok)

    def sentence(self) -> str:
        """In short, for a log."""
        against = f" against {self.champion}" if self.champion else ", there is no champion"
        if self.passed:
            return f"{self.challenger}{against}: gate passed, {len(self.rules)} rules"
        broken = "; ".join(rule.sentence for rule in self.failed)
        return f"{self.challenger}{against}: gate failed, {len(self.failed)} of {len(self.rules)} rules: {broken}"

    def plain(self) -> dict[str, Any]:
        """As JSON types; `from_plain` gives it back."""
        return {
            "format": FORMAT,
            "kind": "verdict",
            "passed": self.passed,
            **{name: getattr(self, name) for name in ("challenger", "champion", "judge", "pairs_sha256")},
            "settings": dict(self.settings),
            "rules": [asdict(rule) for rule in self.rules],
        }

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Verdict":
        """The inverse of `plain`; raises KeyError or TypeError for anything else."""
        names = ("challenger", "champion", "judge", "pairs_sha256", "settings")
        rules = tuple(Rule(**rule) for rule in values["rules"])
        return cls(**{name: values[name] for name in names}, rules=rules)


def number(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return None if value is None or not math.isfinite(value) else float(value)


def write_verdict(path: Path, verdict: Verdict, facts: Mapping[str, Any]) -> None:
    """Write a verdict, with further facts (of the versions) below `facts`."""
    write_json(path, {**verdict.plain(), "facts": dict(facts)})


def read_verdict(path: Path) -> tuple[Verdict, dict[str, Any]]:
    """The verdict in a file and the facts beside it. Raises BadInput for a missing, damaged or foreign file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["kind"] != "verdict":
            raise ValueError(f'expected "verdict", found "{values["kind"]}"')
        check_format(path, values["format"])
        verdict = Verdict.from_plain(values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: no verdict of the gate ({error}). Run gate again.") from None
    if verdict.passed != values["passed"]:
        raise BadInput(f"{path}: says passed: {values['passed']}, but its rules say otherwise. Run gate again.")
    return verdict, dict(values.get("facts", {}))
