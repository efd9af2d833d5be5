"""The small record that every stage returns and writes."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What a stage did: counts for people and for KFP metadata."""

    stage: str
    counts: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def problem_notes(problems: Iterable[str]) -> tuple[str, ...]:
    """The first few sentences, and how many more there are."""
    listed = list(problems)
    more = (f"and {len(listed) - 5} clips more with such problems",) if len(listed) > 5 else ()
    return (*listed[:5], *more)
