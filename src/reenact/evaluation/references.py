"""Rows that no system drew: what stands in every table so that its figures mean something.

copy source     what a system scores that ignores the driver
ground truth    the ceiling, where a protocol has a truth
nearest frame   a real frame of the source's person with the pose and expression nearest to the driver's: what
                looking up would score with all of that person's video, but for half a second around the truth
other identity  a real frame of somebody else, with the nearest pose and expression: the floor of identity metrics
"""

import hashlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Clip, Corpus
from reenact.evaluation.pairs.people import NO_FRAME
from reenact.evaluation.pairs.shots import AROUND
from reenact.evaluation.pictures import Frames

ANGLE = 6.0  # degrees that count as much as one step of an action unit

_Labels = Callable[[Clip], NDArray[np.float64]]


def nearest_frames(corpus: Corpus, pairs: pd.DataFrame) -> Frames:
    """A (clip, frame) per pair; NO_FRAME where the person has no other frame."""
    clips, labels = _by_identity(corpus), _labels_of(corpus)
    sources = pairs["source_identity"].astype(str)
    return [
        _nearest(corpus, labels, clips[who], driving) for who, driving in zip(sources, _driving(pairs), strict=True)
    ]


def other_people(corpus: Corpus, pairs: pd.DataFrame) -> Frames:
    """A (clip, frame) per pair of a person who is neither source nor driver, drawn by the pair's name."""
    clips, labels = _by_identity(corpus), _labels_of(corpus)
    within = {str(name) for role in ("source", "driving") for name in pairs[f"{role}_identity"]}
    persons = {name: clips[name][0].person for name in sorted(within)}
    names = zip(*(pairs[name].astype(str) for name in ("pair", "source_identity", "driving_identity")), strict=True)
    chosen = []
    for (pair, source, driver), driving in zip(names, _driving(pairs), strict=True):
        others = [name for name, person in persons.items() if person not in (persons[source], persons[driver])]
        if others:
            digest = int.from_bytes(hashlib.sha256(pair.encode()).digest()[:8])
            chosen.append(_nearest(corpus, labels, clips[others[digest % len(others)]], driving))
        else:
            chosen.append(NO_FRAME)
    return chosen


def _driving(pairs: pd.DataFrame) -> Frames:
    return [(str(clip), int(frame)) for clip, frame in zip(pairs["driving_clip"], pairs["driving_frame"], strict=True)]


def _by_identity(corpus: Corpus) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = {}
    for clip in corpus.clips:
        found.setdefault(clip.identity, []).append(clip)
    return found


def _nearest(corpus: Corpus, labels: _Labels, clips: list[Clip], driving: tuple[str, int]) -> tuple[str, int]:
    """Of the clips' usable frames the one with labels nearest to the driving frame's, but not that frame itself."""
    wanted = labels(corpus.by_name[driving[0]])[driving[1]]
    best, nearest = np.inf, NO_FRAME
    for clip in clips:
        distance = np.linalg.norm(labels(clip) - wanted, axis=1)
        distance[~corpus.found(clip)] = np.inf
        if clip.clip == driving[0]:
            reach = round(AROUND * clip.fps)
            distance[max(0, driving[1] - reach) : driving[1] + reach + 1] = np.inf
        frame = int(np.argmin(distance)) if len(distance) else 0
        if len(distance) and distance[frame] < best:
            best, nearest = float(distance[frame]), (clip.clip, frame)
    return nearest


def _labels_of(corpus: Corpus) -> _Labels:
    """Of a clip (count, 20): intensities, and angles in steps that weigh as much; put together once."""

    @cache
    def labels(clip: Clip) -> NDArray[np.float64]:
        pose = np.asarray(corpus.pose(clip), dtype=np.float64) / ANGLE
        return np.concatenate([np.asarray(corpus.actions(clip), dtype=np.float64), pose], axis=1)

    return labels
