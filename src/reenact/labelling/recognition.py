"""Who is who in the tracks of one video, by embeddings of a few of their faces.

A face is another person's where its embedding is farther than `limit` from the mean of a person's. dlib's authors give
0.6 for two single photographs of adults seen from the front; means are steadier, and 0.5 parts people better (see
docs/labels.md). The network errs on profiles, on blurred faces, on children; it can't tell drawn people apart.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reenact.labelling.tracks import Followed, Track

Embedding = NDArray[np.float64]


def recognised(followed: Followed, *, limit: float, across: bool) -> tuple[Followed, list[int]]:
    """The tracks, split where another person goes on, and for each its person: without `across` one of its own."""
    tracks, notes = [], list(followed.notes)
    for track in followed.tracks:
        parts = split_by_person(track, limit=limit)
        tracks += parts
        notes += [f"another person from frame {part.first}" for part in parts[1:]]
    people = group_people(tracks, limit=limit) if across else list(range(len(tracks)))
    return replace(followed, tracks=tracks, notes=notes), people


def split_by_person(track: Track, *, limit: float) -> list[Track]:
    """Pieces of a track each of which shows one person, as far as its samples tell.

    A sample counts as another person where it is far from the mean of those before and the next one (if there is one)
    agrees; one odd face among others is a bad picture. Frames between the last sample of one and the first of the
    other belong to nobody, unless the face was away in between: then the break lies where it came back.
    """
    changes = _changes([embedding for _, embedding in track.samples], limit)
    if not changes:
        return [track]
    places = [place for place, _ in track.samples]
    parts: list[Track] = []
    start = 0
    for change in [*changes, len(places)]:
        first, last = changes[len(parts) - 1] if parts else 0, change
        stop = len(track.frames) if last == len(places) else _stop(track, places[last - 1], places[last])
        samples = [(place - start, embedding) for place, embedding in track.samples[first:last]]
        why = f"another person at frame {track.frames[start].frame}" if parts else track.why
        parts.append(Track(why, track.frames[start:stop], track.colours, samples))
        start = places[last] if last < len(places) else start
    return parts


def group_people(tracks: Sequence[Track], *, limit: float) -> list[int]:
    """A number per track, equal for one person: the heaviest tracks first, each joins the nearest person within limit.

    Tracks seen at the same time are never one person; a track without samples is somebody of its own.
    """
    people: list[list[int]] = []
    who = [-1] * len(tracks)
    for index in sorted(range(len(tracks)), key=lambda i: (-tracks[i].weight, i)):
        track = tracks[index]
        near = []
        for person, members in enumerate(people):
            if track.samples and not any(track.beside(tracks[other]) for other in members):
                away = min(_distance(track, tracks[other]) for other in members)
                near.append((away, person))
        best = min(near, default=(np.inf, -1))
        if best[0] <= limit:
            people[best[1]].append(index)
            who[index] = best[1]
        else:
            people.append([index])
            who[index] = len(people) - 1
    return who


def _changes(embeddings: Sequence[Embedding], limit: float) -> list[int]:
    """Indices of the samples with which another person begins."""
    changes: list[int] = []
    own: list[Embedding] = []
    for index, embedding in enumerate(embeddings):
        if own and _away(embedding, own) > limit:
            following = embeddings[index + 1] if index + 1 < len(embeddings) else None
            if following is None or _away(following, own) > limit:
                changes.append(index)
                own = []
            else:
                continue
        own.append(embedding)
    return changes


def _stop(track: Track, before: int, after: int) -> int:
    """Where the earlier piece ends between two samples: at a gap that the later sample follows, else at the sample."""
    away = track.frames[after].frame - track.frames[after - 1].frame
    usual = min((b.frame - a.frame for a, b in zip(track.frames, track.frames[1:], strict=False)), default=1)
    return after if away > usual else before + 1


def _away(embedding: Embedding, own: Sequence[Embedding]) -> float:
    return float(np.linalg.norm(embedding - np.mean(own, axis=0)))


def _distance(a: Track, b: Track) -> float:
    if not a.samples or not b.samples:
        return float("inf")
    return _away(np.mean([e for _, e in a.samples], axis=0), [e for _, e in b.samples])
