"""The small record that every stage returns and writes."""

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
