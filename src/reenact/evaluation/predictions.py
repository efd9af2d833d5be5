"""Pictures of another method as a row of the table, and a record of what was wrong with them.

A pair whose picture is missing or refused is in no figure of this row, and stands in the record under its reason.
"""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reenact.corpus.shards import Image
from reenact.corpus.video import open_video
from reenact.errors import BadInput
from reenact.evaluation.picture_files import Refused, Taken, as_rgb, read_picture
from reenact.evaluation.prediction_files import Matched, Place, match_files
from reenact.evaluation.rows import Drawn
from reenact.hashing import hash_file

NAMED = 5  # examples of each trouble that a record names


class Predictions:
    """The pictures of a folder (or video) for the pairs of a list; `row` draws them, `record` says what was found."""

    def __init__(self, source: Path, pairs: pd.DataFrame, *, size: int, resize: bool) -> None:
        self.source, self.size = source, size
        self.pairs = list(map(str, pairs["pair"]))
        self.matched: Matched = match_files(source, pairs)
        self.taken: dict[str, Taken] = {}
        self.refused: dict[str, Refused] = {}
        for file, wanted in _by_file(self.matched).items():
            for pair, read in _read(file, wanted, size=size, resize=resize):
                if isinstance(read, Taken):
                    self.taken[pair] = read
                else:
                    self.refused[pair] = read
        if not self.taken:
            raise BadInput(self._all_refused())

    def row(self, pairs: pd.DataFrame) -> Drawn:
        """What stands for each pair; see rows.Row."""
        found = [self.taken.get(str(pair)) for pair in pairs["pair"]]
        blank: Image = np.zeros((self.size, self.size, 3), dtype=np.uint8)
        return Drawn(
            pictures=np.stack([blank if one is None else one.picture for one in found]),
            usable=np.array([one is not None for one in found], dtype=bool),
        )

    def sha256(self) -> str:
        """Of names and contents of all files used, whatever folder they lie in."""
        files = sorted({place.file for place in self.matched.places.values()})
        text = "\n".join(sorted(f"{file.name} {hash_file(file)}" for file in files))
        return hashlib.sha256(text.encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """Counts and first names of everything that is not as expected, as plain JSON types."""
        missing = [p for p in self.pairs if p not in self.matched.places and p not in self.matched.duplicates]
        troubles: dict[str, list[str]] = {
            "missing": missing,
            "several files": [f"{pair}: {', '.join(map(self._inside, files))}"
                              for pair, files in self.matched.duplicates.items()],
            "extra files": [self._inside(file) for file in self.matched.extra],
        }  # fmt: skip
        for pair, refused in self.refused.items():
            said = f"{pair} ({refused.detail})" if refused.detail else pair
            troubles.setdefault(refused.reason, []).append(said)
        changes = Counter(change for taken in self.taken.values() for change in taken.changes)
        videos = {place.file.name for place in self.matched.places.values() if place.frame is not None}
        return {
            "pairs": len(self.pairs),
            "used": len(self.taken),
            "troubles": {name: {"count": len(all_), "first": all_[:NAMED]} for name, all_ in troubles.items() if all_},
            "changes": dict(sorted(changes.items())),
            "videos": len(videos),
        }

    def _inside(self, file: Path) -> str:
        return str(file.relative_to(self.source))

    def _all_refused(self) -> str:
        reasons = Counter(refused.reason for refused in self.refused.values())
        said = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        first = next((refused.detail for refused in self.refused.values() if refused.detail), "")
        advice = (
            f"Pictures of {self.size}x{self.size} are expected; --resize takes square ones of another size."
            if "another size" in reasons
            else f"Save them as 8-bit RGB pictures of {self.size}x{self.size}."
        )
        twice = f", {len(self.matched.duplicates)} in several files" if self.matched.duplicates else ""
        return f"{self.source}: no picture can be used: {said}{f' ({first})' if first else ''}{twice}. {advice}"


def notes_of(name: str, record: dict[str, Any]) -> list[str]:
    """What a reader of the table has to know of these pictures, as sentences."""
    notes = []
    for trouble, found in record["troubles"].items():
        examples = ", ".join(found["first"][:2]) + (", ..." if found["count"] > 2 else "")
        if trouble == "extra files":
            notes.append(f"{name}: {found['count']} files belong to no pair and were left aside ({examples})")
        else:
            notes.append(
                f"{name}: {found['count']} of {record['pairs']} pairs have no picture, {_WORDS.get(trouble, trouble)} "
                f"({examples}); its figures are over the rest"
            )
    if record["changes"]:
        done = ", ".join(f"{change}: {count}" for change, count in record["changes"].items())
        notes.append(f"{name}: pictures were changed before scoring ({done})")
    if record["videos"]:
        notes.append(f"{name}: read from video, whose compression counts as its error")
    return notes


_WORDS = {
    "missing": "there is no such file",
    "several files": "since several files claim to be it",
    "unreadable": "since the file can't be read",
    "not finite": "since values are not finite",
    "another size": "since it has another size",
    "transparent": "since it is transparent",
    "values out of range": "since values are out of range",
}


def _by_file(matched: Matched) -> dict[Path, list[tuple[str, Place]]]:
    """A video is read once, whatever number of pairs it shows."""
    files: dict[Path, list[tuple[str, Place]]] = {}
    for pair, place in matched.places.items():
        files.setdefault(place.file, []).append((pair, place))
    return files


def _read(file: Path, wanted: list[tuple[str, Place]], *, size: int, resize: bool) -> list[tuple[str, Taken | Refused]]:
    if wanted[0][1].frame is None:
        return [(pair, read_picture(file, size=size, resize=resize)) for pair, _ in wanted]
    names = {place.frame: pair for pair, place in wanted}
    with open_video(file) as frames:
        return [
            (names[number], as_rgb(frame, size=size, resize=resize))
            for number, frame in frames.numbered() if number in names
        ]  # fmt: skip
