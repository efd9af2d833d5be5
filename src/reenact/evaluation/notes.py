"""What a reader has to know before believing a row: sentences that stand below every table it is in."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from reenact.evaluation.colours import colours_of
from reenact.evaluation.pairs.shots import fewer_than
from reenact.evaluation.scoring import Scored

SINGLE_PICTURES = (
    "self pairs of single pictures are two pictures of one person: light, hair, age and background differ, and count "
    "as errors"
)
OFFICIAL = "test pairs are of the data set's own test list"
ONE_IDENTITY = "pairs of one identity only, no interval is possible"
ONE_JUDGED = "faces of one identity only could be judged, figures that are read from faces have no interval"
SPLITS = ("val", "test")


def notes_on(
    row: str, pairs: pd.DataFrame, groups: Sequence[Scored], results: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Of a row's pairs, pictures and figures: empty splits, too few people, lost pictures, colours."""
    notes = [SINGLE_PICTURES] if _single(pairs) else []
    if _official(pairs):
        notes.append(OFFICIAL)
    notes += [f"no pairs of the {split} split" for split in SPLITS if not (pairs["split"] == split).any()]
    alone = _alone(row, results)
    if ONE_IDENTITY in alone:
        notes.append(f"{', '.join(alone[ONE_IDENTITY])}: {ONE_IDENTITY}")
    if ONE_JUDGED in alone:  # which faces are found is the row's own matter
        notes.append(f"{row}: {ONE_JUDGED} ({', '.join(alone[ONE_JUDGED])})")
    return notes + _lost(row, groups) + _colours(row, groups)


def shot_notes(shots: int, pairs: pd.DataFrame) -> list[str]:
    """What is to be said where some pairs have fewer than `shots` source frames."""
    fewer = fewer_than(pairs, shots)
    return (
        [f"{fewer} of {len(pairs)} pairs have fewer than {shots} source frames: they are taken in turns"]
        if fewer
        else []
    )


def _single(pairs: pd.DataFrame) -> bool:
    """Whether source and truth of a self pair ever are different clips: single pictures of one person."""
    own = pairs[pairs["protocol"] == "self"]
    return bool((own["source_clip"] != own["driving_clip"]).any())


def _official(pairs: pd.DataFrame) -> bool:
    own = pairs[pairs["split"] == "test"]
    return "split_by" in own and len(own) > 0 and bool((own["split_by"] == "official").all())


def _alone(row: str, results: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What is to be said of figures without an interval: of which splits and protocols."""
    sure: dict[str, list[bool]] = {}
    for r in results:
        if r["row"] == row and r["n"]:
            sure.setdefault(f"{r['split']} {r['protocol']}", []).append(r["people"] >= 2)
    return {
        said: places for said, places in (
            (ONE_IDENTITY, [place for place, each in sure.items() if not any(each)]),
            (ONE_JUDGED, [place for place, each in sure.items() if any(each) and not all(each)]),
        ) if places
    }  # fmt: skip


def _lost(row: str, groups: Sequence[Scored]) -> list[str]:
    lost = {f"{g.pairs['split'].iloc[0]} {g.pairs['protocol'].iloc[0]}": int((~g.generated.usable).sum())
            for g in groups}  # fmt: skip
    lost = {name: count for name, count in lost.items() if count}
    if not lost:
        return []
    said = ", ".join(f"{count} of {name}" for name, count in lost.items())
    return [f"{row}: pictures that are missing or not finite stand in no figure: {said}"]


def _colours(row: str, groups: Sequence[Scored]) -> list[str]:
    found = colours_of(groups)
    if found is None or not found.suspect:
        return []
    return [
        f"{row}: red and blue look exchanged: its mean colours are {found.straight:.3f} away from the sources', and "
        f"{found.exchanged:.3f} with red as blue ({found.share:.0%} of the pictures are nearer then)"
    ]
