"""Pictures of one evaluation for the report: pairs to be shown side by side with other branches, and cases.

The pairs of the strips depend on the list of pairs alone, so that all branches leave the same ones. The cases are the
best, the median and the worst pair by every metric that has a value per pair: which metric counts is settled later, by
whoever compares.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import read_table, write_table
from reenact.evaluation.metrics.catalogue import metrics_of
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.rows import frames_of
from reenact.evaluation.scoring import Scored

LARGEST = 256  # px, side of a stored picture
ROLES = ("source", "driving", "truth", "generated")
NO_FACE = "no face"
_QUALITY = 95  # of JPEG: for looking at, figures are of the pictures themselves

Picture = NDArray[np.uint8]


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


def read_samples(path: Path) -> pd.DataFrame:
    """The table that `write_samples` wrote, by pair and protocol; see `decoded`."""
    return read_table(path, kind="samples")


def decoded(sample: Mapping[Any, Any], role: str) -> Picture | None:
    """(S, S, 3) RGB uint8 picture of a row of samples; None where there is none."""
    data = sample.get(role)
    if not isinstance(data, bytes):
        return None
    picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def cases(faces: pd.DataFrame, metric: Metric) -> list[tuple[str, str, float]]:
    """(best | median | worst, pair, value) of a row's lines of one protocol, by a metric; fewer where few were judged.

    Equal values are ordered by pair. The median is the better one of two in the middle.
    """
    known = faces[faces[metric.id].notna()].sort_values("pair", kind="stable")
    known = known.sort_values(metric.id, ascending=metric.direction == "lower", kind="stable")
    if known.empty:
        return []
    places = dict(zip(("best", "median", "worst"), (0, (len(known) - 1) // 2, len(known) - 1), strict=True))
    chosen = {place: name for name, place in reversed(places.items())}
    pairs, values = known["pair"].astype(str).to_list(), known[metric.id].to_list()
    return [(chosen[place], pairs[place], float(values[place])) for place in sorted(chosen)]


def without_face(faces: pd.DataFrame) -> list[str]:
    """Pairs of a row's lines whose picture was drawn, but shows no face to the judge."""
    return sorted(faces.loc[faces["drawn"].astype(bool) & ~faces["face_found"].astype(bool), "pair"].astype(str))


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
            **{role: _encoded(view.pictures[place]) if view.usable[place] else None for role, view in views.items()},
        }


def _encoded(picture: Picture) -> bytes:
    if picture.shape[0] > LARGEST:
        picture = np.asarray(cv2.resize(picture, (LARGEST, LARGEST), interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    full_colour = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, *full_colour])[1].tobytes())


def _name(pair: "pd.Series[Any]") -> str:
    source = f"{pair.source_clip} #{pair.source_frame}"
    driver = f"{pair.driving_clip} #{pair.driving_frame}"
    return f"{source} driven by {driver}"
