"""Pictures of one evaluation for the report: pairs to be shown side by side with other branches, and cases.

The pairs of the strips depend on the list of pairs alone, so that all branches leave the same ones. The cases are the
best, the median and the worst pair by every metric that has a value per pair: which metric counts is settled later, by
whoever compares.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import write_table
from reenact.evaluation.metrics.catalogue import metrics_of
from reenact.evaluation.rows import frames_of
from reenact.evaluation.samples import ROLES, Picture, cases, without_face
from reenact.evaluation.scoring import Scored

LARGEST = 256  # px, side of a stored picture
_QUALITY = 95  # of JPEG: for looking at, figures are of the pictures themselves


def write_samples(path: Path, groups: Sequence[Scored], faces: pd.DataFrame, corpus: Corpus, *, persons: int) -> None:
    """Write samples.parquet: a row per pair of the test split that is to be shown.

    `faces` are the row's own lines of the table of scores. Columns: `pair`, `protocol`, `identities`, `identity` (of
    the source), `name` (which frames), `strip` (whether it is one of the strips: the first pair of each person, of
    `persons` at most), `landmarks` (136 numbers, the driver's, crop coordinates) and `ROLES` (JPEG, null where there
    is no such picture).
    """
    rows: list[dict[str, Any]] = []
    for group in groups:
        facts = {name: str(group.pairs[name].iloc[0]) for name in ("split", "protocol", "identities")}
        if facts["split"] == "test" and not facts["protocol"].endswith("video") and persons:
            rows += _rows(group, faces, corpus, strips=_strips(group.pairs, facts["protocol"], persons))
    columns = ["pair", "protocol", "identities", "identity", "name", "strip", "landmarks", *ROLES]
    write_table(path, pd.DataFrame(rows, columns=columns), kind="samples")


def _strips(pairs: pd.DataFrame, protocol: str, persons: int) -> set[str]:
    """The first pair of every person; triplets are chosen for likeness, and are no strips."""
    if protocol == "lsim":
        return set()
    return set(pairs.drop_duplicates("source_identity")["pair"].astype(str).iloc[:persons])


def _rows(group: Scored, faces: pd.DataFrame, corpus: Corpus, *, strips: set[str]) -> Iterator[dict[str, Any]]:
    pairs = group.pairs.reset_index(drop=True)
    protocol = str(pairs["protocol"].iloc[0])
    own = faces[faces["pair"].isin(pairs["pair"]) & (faces["protocol"] == protocol)]
    shown = strips | set(without_face(own)[:1])
    shown |= {pair for metric in metrics_of(protocol, per_pair=True) for _, pair, _ in cases(own, metric)}
    driving = frames_of(pairs, "driving")
    for place in np.flatnonzero(pairs["pair"].astype(str).isin(shown)):
        pair = pairs.iloc[int(place)]
        clip, frame = driving[int(place)]
        views = {role: getattr(group, role) for role in ROLES}
        yield {
            "pair": str(pair["pair"]),
            "protocol": protocol,
            "identities": str(pair["identities"]),
            "identity": str(pair["source_identity"]),
            "name": _name(pair),
            "strip": str(pair["pair"]) in strips,
            "landmarks": np.asarray(corpus.landmarks(corpus.by_name[clip])[frame], np.float32).ravel(),
            **{role: encoded(view.pictures[place]) if view.usable[place] else None for role, view in views.items()},
        }


def encoded(picture: Picture) -> bytes:
    """RGB uint8 (S, S, 3) as JPEG for the report, of `LARGEST` px at most; `samples.decoded` reads it."""
    if picture.shape[0] > LARGEST:
        picture = np.asarray(cv2.resize(picture, (LARGEST, LARGEST), interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, *full_colour])[1].tobytes())


def _name(pair: "pd.Series[Any]") -> str:
    source = f"{pair.source_clip} #{pair.source_frame}"
    driver = f"{pair.driving_clip} #{pair.driving_frame}"
    return f"{source} driven by {driver}"
