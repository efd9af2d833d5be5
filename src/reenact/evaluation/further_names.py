"""Names of a system's further rows (further_rows.py); free of torch, for those who read tables."""

import re
from collections.abc import Iterable

RAW, RETARGETED = "raw landmarks", "retargeted landmarks"
FINETUNED = "fine-tuned"
# kinds and states of these rows in the comparison: figures, but nobody who could win
LANDMARKS = "landmarks"
BESIDE = (LANDMARKS, FINETUNED)
DRIVEN = (
    "rows in brackets: the same network driven by other landmarks; retargeted: the driver's motion on the source's "
    "shape, by the shape model, nothing learned; raw: without what the system learned about other people's landmarks"
)  # a note of tables that have such rows
# and of those with the others
FITTED = "rows fine-tuned: the same network, fitted to each person's source pictures before it draws that person"
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


def rows_beside(name: str, rows: Iterable[str]) -> dict[str, str]:
    """Rows that tables show below a system's own, in their order, with their kind."""
    known = set(rows)
    fitted = further(name, FINETUNED)
    return dict.fromkeys(landmark_rows(name, known), LANDMARKS) | ({fitted: FINETUNED} if fitted in known else {})


def is_beside(row: str, own: str) -> bool:
    """Whether a row is another one's system with other landmarks, or fine-tuned."""
    return row in rows_beside(own, [row])


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
