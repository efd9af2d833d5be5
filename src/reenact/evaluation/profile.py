"""What the frames in use look like, in some thousand numbers: what new data is held against (`evaluation/drift.py`).

A profile counts frames by column and bin, with edges that never change, and keeps these counts apart for up to 64
groups of people. Frames of one person are alike, so it is from group to group that one sees how far chance reaches.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.frame_tables import FrameTable
from reenact.corpus.keep import kept_frames
from reenact.corpus.tables import FORMAT, check_format
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS, MAXIMUM

PROFILE = "profile.json"
GROUPS = 64  # the most: a profile stays small, whatever the corpus
PEOPLE = 12  # fewer than these say nothing about people; then each clip is a group

_SHARES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)  # of pixels: most are near 0
_UNIT = tuple(float(edge) for edge in np.linspace(0.0, 1.0, 21).round(3))
_ANGLE = tuple(float(edge) for edge in np.arange(-60.0, 61.0, 5.0))
_TURN = tuple(float(edge) for edge in np.arange(0.0, 76.0, 2.5))
_SIZE_OF: Mapping[str, str] = MappingProxyType({"nod": "pitch", "turn": "yaw", "tilt": "roll"})
# Values beyond the outermost edges fall into the outermost bins.
EDGES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "found": (0.0, 0.5, 1.0),  # of all stored frames; the others are of the frames in use
        **dict.fromkeys(ACTION_UNITS, tuple(float(edge) for edge in np.linspace(0.0, MAXIMUM, 21))),
        **dict.fromkeys(("pitch", "yaw", "roll"), _ANGLE),
        **dict.fromkeys(("nod", "turn", "tilt"), _TURN),  # their sizes: a wider spread is no shift to either side
        "blur": _UNIT,
        "exposure": _UNIT,
        "clipped": _SHARES,
        "occlusion": _SHARES,
        "face_size": tuple(float(round(2**power, 1)) for power in np.arange(4.0, 11.5, 0.5)),
        "fit_error": tuple(float(edge) for edge in np.arange(0.0, 0.31, 0.015).round(4)),
    }
)
Counts = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Counts by column: (groups, bins), of frames in use; `found` of all stored frames."""

    stored: int  # frames
    frames: int  # of them in use: with landmarks that can be trusted and within `validate_data.keep`
    clips: int
    people: tuple[str, ...]  # who: hashes of names, so that they can be told apart and no name is passed on
    by: Literal["person", "clip"]  # what the groups are of
    counts: Mapping[str, Counts]

    def plain(self) -> dict[str, Any]:
        """As JSON types; `from_plain` gives it back."""
        columns = {
            name: {
                "edges": list(EDGES[name]),
                "quantiles": {f"{q:g}": quantile(name, counts.sum(axis=0), q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
                "groups": counts.astype(int).tolist(),
            }
            for name, counts in self.counts.items()
        }
        facts = {name: getattr(self, name) for name in ("stored", "frames", "clips", "by")}
        found = self.counts["found"].sum(axis=0)
        share = float(found[1] / found.sum()) if found.sum() else None
        return {"format": FORMAT, "kind": "profile", **facts, "found": share, "people": list(self.people),
                "columns": columns}  # fmt: skip

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Profile":
        """The inverse of `plain`; columns with other edges than ours are left out. Raises KeyError or the like."""
        counts = {
            name: np.asarray(column["groups"], dtype=np.float64)
            for name, column in values["columns"].items()
            if name in EDGES and tuple(column["edges"]) == EDGES[name]
        }
        if values["kind"] != "profile" or "found" not in counts:
            raise ValueError("not a profile")
        facts = {name: int(values[name]) for name in ("stored", "frames", "clips")}
        return cls(**facts, people=tuple(values["people"]), by=values["by"], counts=counts)


def make_profile(
    tables: Iterable[FrameTable], people: Mapping[str, str], *, limits: FrameLimits | None = None
) -> Profile:
    """Count the frames of all clips in `people` (clip -> person), piece by piece: memory doesn't grow with them."""
    by: Literal["person", "clip"] = "person" if len(set(people.values())) >= PEOPLE else "clip"
    group_of = {clip: person if by == "person" else clip for clip, person in people.items()}
    places, groups = _places(group_of.values())
    counts: dict[str, Counts] = {}
    stored = used = 0
    for table in tables:
        rows = table.rows[table.rows["clip"].isin(group_of)]
        place = rows["clip"].map(lambda clip: places[group_of[clip]]).to_numpy(dtype=np.intp)
        in_use = _in_use(rows, limits or FrameLimits())
        stored, used = stored + len(rows), used + int(in_use.sum())
        for name in EDGES:
            column = _SIZE_OF.get(name, name)
            if column not in rows:
                continue
            which = np.ones(len(rows), dtype=np.bool_) if name == "found" else in_use
            values = rows[column].to_numpy(dtype=np.float64)
            values = np.abs(values) if name in _SIZE_OF else values
            more = histogram(name, values[which], place[which], groups)
            counts[name] = counts.get(name, np.zeros_like(more)) + more
    counts.setdefault("found", np.zeros((groups, 2)))
    who = tuple(sorted({_hash(person) for person in people.values()}))
    return Profile(stored=stored, frames=used, clips=len(people), people=who, by=by, counts=counts)


def histogram(name: str, values: NDArray[np.float64], place: NDArray[np.intp], groups: int) -> Counts:
    """(groups, bins) counts of (N,) values of a column; missing values are not counted."""
    edges = np.asarray(EDGES[name])
    finite = np.isfinite(values)
    bins = np.searchsorted(edges[1:-1], values[finite], side="right")
    width = len(edges) - 1
    flat = np.bincount(place[finite] * width + bins, minlength=groups * width)
    return flat.reshape(groups, width).astype(np.float64)


def quantile(name: str, counts: NDArray[np.float64], q: float) -> float | None:
    """Of a histogram, as if values were spread evenly within a bin; None of an empty one."""
    total = counts.sum()
    if not total:
        return None
    up_to = np.concatenate([[0.0], np.cumsum(counts)]) / total
    return round(float(np.interp(q, up_to, EDGES[name])), 4)


def read_profile(path: Path) -> Profile:
    """Raises BadInput for a missing, damaged or foreign file, NewerFormat for a newer one."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        check_format(path, int(values["format"]))
        return Profile.from_plain(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: no profile of the data ({error}). Run validate_data again.") from None


def _in_use(rows: pd.DataFrame, limits: FrameLimits) -> NDArray[np.bool_]:
    used = rows["found"].to_numpy(dtype=np.bool_)
    if "actions_valid" in rows:
        used = used & rows["actions_valid"].to_numpy(dtype=np.bool_)
    return used & kept_frames(rows, limits).rows


def _places(names: Iterable[str]) -> tuple[dict[str, int], int]:
    """The group of each name, and how many there are: one each, or by hash where there are too many."""
    ordered: Sequence[str] = sorted(set(names))
    if len(ordered) <= GROUPS:
        return {name: number for number, name in enumerate(ordered)}, len(ordered)
    return {name: int(_hash(name), 16) % GROUPS for name in ordered}, GROUPS


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
