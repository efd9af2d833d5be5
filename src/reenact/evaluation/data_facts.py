"""What reports say about the data: how good labels are, checks, split."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import read_table
from reenact.faces.landmarks import GROUPS
from reenact.labelling.label_quality import label_quality
from reenact.labelling.truth import TURN

QUALITY = "label_quality.json"
Record = dict[str, str]


def data_facts(corpus: Corpus, validated: Path) -> dict[str, Any]:
    """`label_quality` (records of label, value, meaning), `checks` and `split` (records), as plain JSON types."""
    facts: dict[str, Any] = {"label_quality": quality_records(_quality(corpus, validated))}
    for kind in ("checks", "split"):
        path = validated / f"{kind}.parquet"
        if path.exists():  # a split made by hand comes without checks, and the report says so
            facts[kind] = json.loads(read_table(path, kind=kind).to_json(orient="records"))
    return facts


def quality_records(quality: Mapping[str, Any]) -> list[Record]:
    """`label_quality.json` in plain words: records of label, value, meaning; what is not known is left out."""
    records = list(_own(quality))
    if quality["truth"]:
        records += [*_found(quality), *_landmarks(quality), *_pose(quality), *_actions(quality), *_visibility(quality)]
        records += _segments(quality)
    else:
        records += _record("truth", "none", "no video comes with true labels, so errors can't be measured")
    unreadable = quality.get("unreadable", [])
    if unreadable:
        records += _record("truth", str(len(unreadable)), f"files can't be used: {', '.join(unreadable)}")
    return records


def _quality(corpus: Corpus, validated: Path) -> Mapping[str, Any]:
    """As `validate_data` left it; a split made by hand comes without, then what needs no truth is measured here."""
    path = validated / QUALITY
    if path.exists():
        return dict(json.loads(path.read_text()))
    frames, landmarks, actions = (Path(str(corpus.folders[kind])) for kind in ("frames", "landmarks", "actions"))
    return label_quality(frames=frames, landmarks=landmarks, actions=actions)


def _own(quality: Mapping[str, Any]) -> Iterator[Record]:
    """Measures that need no truth."""
    frames = f"{quality['stored_frames']:,}"
    yield from _record("landmarks", _share(quality["found"]), f"of {frames} frames have landmarks that can be trusted")
    fit = quality["fit_error"] or {"median": None, "high": None}
    yield from _record("fit", _number(fit["median"]), "median distance of landmarks and fit, outer eye distances")
    yield from _record("fit", _number(fit["high"]), "the same, exceeded by 5 % of frames")


def _found(quality: Mapping[str, Any]) -> Iterator[Record]:
    watched = f"{quality['video_frames']:,} frames of {quality['videos']} videos with known truth"
    yield from _record("face", _share(quality["face"]), f"of {watched} are in the corpus")
    for side, words in _SIDES.items():
        part = quality["turn"][side]
        meaning = f"of {part['frames']:,} such frames with the head {words} have landmarks that can be trusted"
        yield from _record("landmarks", _share(part["found"]), meaning)


def _landmarks(quality: Mapping[str, Any]) -> Iterator[Record]:
    found = quality.get("landmarks")
    if not found:
        return
    yield from _record("landmarks", _number(found["error"]), "mean distance to the truth, outer eye distances")
    for side, words in _SIDES.items():
        yield from _record("landmarks", _number(found[side]), f"mean distance to the truth, head {words}")
    for name in GROUPS:
        meaning = f"mean distance to the truth, {name.replace('_', ' ')} only"
        yield from _record("landmarks", _number(found["groups"][name]), meaning)


def _pose(quality: Mapping[str, Any]) -> Iterator[Record]:
    for name in ("pitch", "yaw", "roll"):
        yield from _record(
            "pose", _number(quality.get("pose", {}).get(name), 1), f"degrees: mean absolute error of {name}"
        )


def _actions(quality: Mapping[str, Any]) -> Iterator[Record]:
    for name, unit in quality.get("actions", {}).items():
        if unit["all"] is not None:
            within = f"{unit['clip']:.2f}, mean of {unit['clips']} clips" if unit["clips"] else "not known"
            meaning = f"correlation with the true intensity over all frames; within a clip: {within}"
            yield from _record(name, _number(unit["all"], 2), meaning)


def _visibility(quality: Mapping[str, Any]) -> Iterator[Record]:
    seen = quality.get("visibility", {})
    hidden = f"of points are rightly labelled seen or hidden; truly hidden are {_share(seen.get('hidden'), 2)}"
    yield from _record("visibility", _share(seen.get("agreement")), hidden)
    yield from _record("visibility", _share(seen.get("hidden_found")), "of the truly hidden points are labelled hidden")


def _segments(quality: Mapping[str, Any]) -> Iterator[Record]:
    found = quality.get("segments", {})
    for name in ("face", "hair"):
        meaning = f"segments: intersection over union of {name} with the truth, all {found.get('frames', 0):,} frames"
        yield from _record(name, _number(found.get(name), 2), meaning)


_SIDES = {"within": f"turned by at most {TURN:.0f} degrees", "over": f"turned by more than {TURN:.0f} degrees"}


def _share(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _record(label: str, value: str, meaning: str) -> Iterator[Record]:
    """One record, none where there is no value."""
    if value:
        yield {"label": label, "value": value, "meaning": meaning}
