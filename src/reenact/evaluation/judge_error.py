"""How far judges are off, so that their figures can be weighed: stands beside every table.

On the real driving frames of the test pairs: where the corpus' videos have a truth (rendered clips), landmarks, pose
and action units against it; on every corpus, how well the descriptor tells its people apart. What was measured
beforehand, on other rendered people and on a real clip that OpenFace has read, comes with the package
(`judge_errors.json`, made by benchmarks/judges.py) and counts for the judge with the same files only.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import Image
from reenact.evaluation.judge import Judge, People
from reenact.evaluation.judges import Judges
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.metric import Floats
from reenact.evaluation.pictures import Frames, Pictures
from reenact.faces.actions import ACTION_UNITS
from reenact.labelling.label_quality import read_truth
from reenact.labelling.truth import Labels, compare, mean

MOST = 128  # frames that errors are measured on
MEASURED = Path(__file__).parent / "judge_errors.json"
PARTS = ("landmarks", "fit", "recognition")  # what metrics ask a judge for; see metrics.metric.Metric.backbone


@dataclass(frozen=True, kw_only=True)
class Shown:
    """N real pictures, who they are of, and what is known of them."""

    pictures: Sequence[Image]
    people: People
    clips: NDArray[np.str_]  # (N,)
    identities: NDArray[np.str_]  # (N,)
    truth: Labels  # landmarks in crop coordinates; NaN rows where nothing is known


def shown_frames(pairs: pd.DataFrame, pictures: Pictures, videos: Path | None, *, most: int = MOST) -> Shown:
    """Driving frames of the test pairs, the same number of each person's as far as they go."""
    test = pairs[(pairs["split"] == "test") & pairs["protocol"].isin(["self", "cross"])]
    listed = test.drop_duplicates(["driving_clip", "driving_frame"])
    turn = listed.groupby("driving_identity").cumcount().to_numpy()
    listed = listed.iloc[np.sort(np.argsort(turn, kind="stable")[:most])]
    frames = [(str(c), int(f)) for c, f in zip(listed["driving_clip"], listed["driving_frame"], strict=True)]
    return Shown(
        pictures=list(pictures.many(frames)),
        people=pictures.people([clip for clip, _ in frames]),
        clips=listed["driving_clip"].to_numpy(dtype=str),
        identities=listed["driving_identity"].to_numpy(dtype=str),
        truth=true_labels(pictures.corpus, videos, frames),
    )


def true_labels(corpus: Corpus, videos: Path | None, frames: Frames) -> Labels:
    """The truth of stored frames, landmarks in crop coordinates; NaN rows where there is none that can be used."""
    count = len(frames)
    found = Labels(
        landmarks=np.full((count, 68, 2), np.nan), actions=np.full((count, len(ACTION_UNITS)), np.nan),
        pose=np.full((count, 3), np.nan), visibility=np.full((count, 68), np.nan),
    )  # fmt: skip
    listed = corpus.table[["clip", "file"]].itertuples(index=False) if "file" in corpus.table else ()
    names = {str(clip): str(file) for clip, file in listed}
    for clip in dict.fromkeys(name for name, _ in frames):
        path = (videos / names[clip]).with_suffix(".truth.npz") if videos and clip in names else None
        truth = _truth(path) if path and path.is_file() else None
        if truth is None:
            continue
        table = corpus.frame_table(corpus.by_name[clip])
        for row in [row for row, frame in enumerate(frames) if frame[0] == clip]:
            stored = table.iloc[frames[row][1]]
            if int(stored["frame"]) < len(truth):
                true = truth.at(np.array([int(stored["frame"])]))
                corner = stored[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)
                found.landmarks[row] = (true.landmarks[0] - corner) / float(stored["crop_side"])
                found.actions[row], found.pose[row] = true.actions[0], true.pose[0]
    return found


def judge_errors(judges: Judges, shown: Shown) -> list[dict[str, Any]]:
    """A record per judge: `judge`, `metrics` it reads for, `here` (see `error_of`), `measured` beforehand or None."""
    records = []
    for judge in judges.all():
        read = [name for name, one in METRICS.items() if one.backbone in PARTS and judges.of(name) is judge]
        parts = {METRICS[name].backbone for name in read} if judge is not judges.default else set(PARTS)
        here = error_of(judge, shown, recognition="recognition" in parts)
        records.append({"judge": judge.card["name"], "metrics": read, "here": here, "measured": measured(judge.card)})
    return records


def error_of(judge: Judge, shown: Shown, *, recognition: bool = True) -> dict[str, Any]:
    """What a judge says of pictures beside what is true of them, as plain JSON types; None where nothing is known.

    `frames` with a truth, of which `found`; `landmarks` in outer eye distances; `pose` in degrees; `actions`:
    correlation of each unit, `actions_mean` over those that move, 0 for one read as constant; `same_person`: how
    often two pictures of one person are more alike than two of different ones (area under the curve), over
    `pairs_of_one` and `pairs_of_two`.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(shown.truth.landmarks).all(axis=(1, 2)))
    said = _labels(judge, shown)
    found: NDArray[np.bool_] = np.asarray(np.isfinite(said.landmarks).all(axis=(1, 2)))
    rows = np.flatnonzero(known & found)
    record: dict[str, Any] = {"frames": int(known.sum()), "found": mean(found[known]), "landmarks": None, "pose": None,
                              "actions": None, "actions_mean": None}  # fmt: skip
    if len(rows):
        beside = compare(said.at(rows), shown.truth.at(rows), shown.clips[rows])
        units = {name: one["all"] for name, one in beside["actions"].items()}
        moving = np.ptp(shown.truth.at(rows).actions, axis=0) > 0
        values = [units[name] or 0.0 for name, moves in zip(ACTION_UNITS, moving, strict=True) if moves]
        record |= {"landmarks": beside["landmarks"]["error"], "pose": beside["pose"], "actions": units,
                   "actions_mean": mean(np.array(values))}  # fmt: skip
    return record | (_recognised(judge, shown) if recognition else {"same_person": None})


def measured(card: dict[str, Any]) -> dict[str, Any] | None:
    """What was measured of this very judge beforehand: `rendered`, `real` and `command`; None: not measured."""
    same = ("name", "size", "sha256")
    return next((one for one in _measured() if all(one["card"][key] == card[key] for key in same)), None)


@cache
def _measured() -> list[dict[str, Any]]:
    return list(json.loads(MEASURED.read_text(encoding="utf-8"))["judges"])


def _truth(path: Path) -> Labels | None:
    try:
        return read_truth(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # `validate_data` names it
        return None


def _labels(judge: Judge, shown: Shown) -> Labels:
    pose, actions = judge.pose_and_actions(shown.pictures, shown.people)
    landmarks: Floats = judge.landmarks(shown.pictures)
    return Labels(
        landmarks=np.asarray(landmarks, dtype=np.float64), pose=np.asarray(pose, dtype=np.float64),
        actions=np.asarray(actions, dtype=np.float64), visibility=np.full((len(landmarks), 68), np.nan),
    )  # fmt: skip


def _recognised(judge: Judge, shown: Shown) -> dict[str, Any]:
    described = np.asarray(judge.descriptors(shown.pictures), dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(described).all(axis=1))
    units = described[rows] / np.maximum(np.linalg.norm(described[rows], axis=1, keepdims=True), 1e-12)
    first, second = np.triu_indices(len(rows), k=1)
    alike = (units @ units.T)[first, second]
    same = shown.identities[rows][first] == shown.identities[rows][second]
    counts = {"pairs_of_one": int(same.sum()), "pairs_of_two": int((~same).sum())}
    return {"same_person": area(alike[same], alike[~same]), **counts}


def area(higher: Floats, lower: Floats) -> float | None:
    """How often a value of the first is above one of the second, ties half: the area under the curve; None if empty."""
    if not len(higher) or not len(lower):
        return None
    ranks = stats.rankdata(np.concatenate([higher, lower]))[: len(higher)].sum()
    return float((ranks - len(higher) * (len(higher) + 1) / 2) / (len(higher) * len(lower)))
