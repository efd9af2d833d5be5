"""Names of a system's further rows (further_rows.py); free of torch, for those who read tables."""

import re
from collections.abc import Iterable

RAW, RETARGETED = "raw landmarks", "retargeted landmarks"
LANDMARKS = "landmarks"  # kind and state of the first two in the comparison: figures, but nobody who could win
DRIVEN = (
    "rows in brackets: the same network driven by other landmarks; retargeted: the driver's motion on the source's "
    "shape, by the shape model, nothing learned; raw: without what the system learned about other people's landmarks"
)  # a note of tables that have such rows
_SHOTS = re.compile(r"(\d+) shots?")


def further(name: str, what: str) -> str:
    """The row of a system under other conditions."""
    return f"{name} ({what})"


def shots_name(count: int) -> str:
    """What a row of so many source pictures is called."""
    return f"{count} shot{'s' if count > 1 else ''}"


def landmark_rows(name: str, rows: Iterable[str]) -> list[str]:
    """Of all rows those of a system with other landmarks, raw ones first."""
    known = set(rows)
    return [row for row in (further(name, RAW), further(name, RETARGETED)) if row in known]


def is_driven(row: str, own: str) -> bool:
    """Whether a row is another one's system with other landmarks."""
    return row in (further(own, RAW), further(own, RETARGETED))


def shot_rows(name: str, rows: Iterable[str]) -> dict[int, str]:
    """Number of source pictures -> row, in their order."""
    found = {}
    for row in rows:
        if row.startswith(f"{name} (") and (match := _SHOTS.fullmatch(row[len(name) + 2 : -1])):
            found[int(match[1])] = row
    return dict(sorted(found.items()))


def renamed(row: str, old: str, new: str) -> str:
    """A system's row, or a further one of it, when the system is called otherwise."""
    return new + row[len(old) :] if row == old or row.startswith(f"{old} (") else row
