"""Sweeps: single action units and angles of a face set to one level after the other, and what the judge then reads.

FACEGAN's fourth experiment. The source keeps its own labels but for one: what rises beside the one that was raised is
the system's (or the judge's) doing. Figures: sweep_figures.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from reenact.evaluation.judge import Reading
from reenact.evaluation.judges import Judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.rows import Drawn, as_pictures, frames_of, sources_for
from reenact.evaluation.sample_pairs import encoded
from reenact.faces.actions import ACTION_UNITS, MAXIMUM
from reenact.faces.edits import each_edited
from reenact.faces.pose import ANGLES
from reenact.progress import progress
from reenact.systems.card import Label
from reenact.systems.offers import Edits

FURTHEST = 30.0  # degrees to either side: as far as the tools judge reads reliably
SHOWN = 2  # people whose pictures are kept for the report
ACTION, ANGLE = "action", "angle"
COLUMNS = (
    "identity", "clip", "frame", "kind", "name", "level", "drawn", "found", *ACTION_UNITS, *ANGLES, "picture",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Step:
    """One picture to be drawn of everybody: a label and what it is set to."""

    kind: str  # ACTION or ANGLE
    name: str
    level: float


def steps(levels: int) -> list[Step]:
    """Every action unit, then every angle, each from its least to its greatest level."""
    units = [Step(kind=ACTION, name=name, level=float(level))
             for name in ACTION_UNITS for level in np.linspace(0.0, MAXIMUM, levels)]  # fmt: skip
    angles = [Step(kind=ANGLE, name=name, level=float(level))
              for name in ANGLES for level in np.linspace(-FURTHEST, FURTHEST, levels)]  # fmt: skip
    return units + angles


def swept_people(pairs: pd.DataFrame, count: int) -> pd.DataFrame:
    """A pair of each of `count` test persons at most, whose source is swept; people unseen in training come first.

    The list of pairs alone decides, so that every branch is swept on the same frames.
    """
    test = pairs[pairs["split"] == "test"]
    ordered = test.iloc[np.argsort(test["identities"].ne("unseen").to_numpy(), kind="stable")]
    return ordered.drop_duplicates("source_identity").iloc[:count]


def sweep(
    system: Edits,
    pictures: Pictures,
    pairs: pd.DataFrame,
    judges: Judges,
    *,
    people: int,
    levels: int,
    shots: int,
    batch: int,
    device: torch.device | str,
) -> pd.DataFrame:
    """Draw and read: a row per person and step.

    Columns `identity`, `clip`, `frame` (the source), `kind`, `name`, `level` (0..5, degrees), `drawn` and `found`
    (whether there is a picture, and a face in it for the judges of ED and of pose angle), what those judges read (the
    17 action units, pitch, yaw, roll; NaN where no face was found) and `picture` (JPEG of the first people, else null).
    """
    chosen, plan = swept_people(pairs, people), steps(levels)
    if chosen.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    sources = [chosen.iloc[[place]] for place in range(len(chosen))]
    drawn = [_drawn(system, pictures, pair, plan, shots, batch, device) for pair in progress(sources, "sweeps: people")]
    judges.prepare(picture for one in drawn for picture in one.pictures[one.usable])
    tables = [
        _table(pair, plan, one, pictures, judges, shown=place < SHOWN)
        for place, (pair, one) in enumerate(zip(sources, drawn, strict=True))
    ]
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def _drawn(
    system: Edits,
    pictures: Pictures,
    pair: pd.DataFrame,
    plan: Sequence[Step],
    shots: int,
    batch: int,
    device: torch.device | str,
) -> Drawn:
    """A picture for each step, all of the one pair's source."""
    labels: tuple[Label, ...] = tuple(dict.fromkeys((*system.labels, "actions", "pose")))
    source = sources_for(pair, pictures, labels, shots).to(device)
    own = pictures.faces(frames_of(pair, "source"), labels, blind=True).to(device)
    parts = []
    for start in range(0, len(plan), batch):
        driving = each_edited(own, [{step.name: step.level} for step in plan[start : start + batch]])
        alike = torch.zeros(len(driving.landmarks), dtype=torch.long, device=device)
        with torch.inference_mode():
            parts.append(as_pictures(system.reenact(source[alike], driving).float().cpu()))
    return Drawn(
        pictures=np.concatenate([part.pictures for part in parts]),
        usable=np.concatenate([part.usable for part in parts]),
    )


def _table(
    pair: pd.DataFrame, plan: Sequence[Step], drawn: Drawn, pictures: Pictures, judges: Judges, *, shown: bool
) -> pd.DataFrame:
    people = pictures.people([str(pair["source_clip"].iloc[0])] * len(plan))
    read = Reading(judges.default, drawn.pictures, drawn.usable, people)
    table = pd.DataFrame([{"kind": step.kind, "name": step.name, "level": step.level} for step in plan])
    for column, role in (("identity", "source_identity"), ("clip", "source_clip"), ("frame", "source_frame")):
        table[column] = pair[role].iloc[0]
    table["drawn"] = drawn.usable
    table[list(ACTION_UNITS)] = read.by(judges.of("ed")).actions
    table[list(ANGLES)] = read.by(judges.of("pose_angle")).pose
    table["found"] = table[[*ACTION_UNITS, *ANGLES]].notna().all(axis=1)
    kept = [encoded(picture) if shown and usable else None
            for picture, usable in zip(drawn.pictures, drawn.usable, strict=True)]  # fmt: skip
    return table.assign(picture=pd.Series(kept, dtype=object))
