"""The people of a split, and the frames that are chosen of each."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import Part
from reenact.corpus.stills import pool_of

Frame = tuple[str, int]  # clip, frame
Pool = tuple[str, str]  # what frames are drawn from together: a clip, or one person's single pictures
NO_FRAME: Frame = ("", -1)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many pairs per person."""

    sources: int  # different source frames
    self_pairs: int
    cross_pairs: int
    lsim: int
    cross_truth: int = 0  # of the cross pairs, those of which a true picture is known
    sequences: int = 0  # of selfvideo, and of crossvideo
    sequence_frames: int = 8


@dataclass(frozen=True)
class Person:
    """One identity of a split: its usable frames and the frames chosen for it."""

    identity: str
    person: str  # of the video: two of one person make no pair of two people
    frames: tuple[Frame, ...]
    pairs: tuple[tuple[Frame, Frame], ...]  # (source, driving) of one clip, or of one person's single pictures
    pools: Mapping[Pool, tuple[Frame, ...]]  # all frames that may be sources

    @property
    def sources(self) -> tuple[Frame, ...]:
        return tuple(dict.fromkeys(source for source, _ in self.pairs)) or self.frames

    @property
    def drivings(self) -> tuple[Frame, ...]:
        return tuple(dict.fromkeys(driving for _, driving in self.pairs)) or self.frames


# protocol, source, its frame, driver, its frame, truth
Row = tuple[str, Person, Frame, Person, Frame, Frame]


def people_of(
    corpus: Corpus, parts: Sequence[Part], training: Sequence[Part], counts: Counts, seed: int
) -> list[Person]:
    """Everybody in the parts who has two frames of a clip, two single pictures, or one picture and no more."""
    known = _pools(corpus, training)
    by_identity: dict[str, list[tuple[Pool, list[Frame], list[Frame]]]] = {}
    alone: dict[str, Frame] = {}
    for pool, frames in _pools(corpus, parts).items():
        identity, elsewhere = corpus.by_name[frames[0][0]].identity, known.get(pool, [])
        if len(frames) >= (1 if elsewhere else 2):
            by_identity.setdefault(identity, []).append((pool, frames, elsewhere))
        elif corpus.by_name[frames[0][0]].still:
            alone[identity] = frames[0]
    wanted = max(counts.self_pairs, counts.cross_pairs, counts.lsim)
    people = []
    for identity, pools in by_identity.items():
        rng = rng_of(seed, identity)
        share = -(-counts.sources // len(pools))  # the sources are spread over the clips
        queues = [_queue(frames, elsewhere, share, rng) for _, frames, elsewhere in pools]
        pairs = [queue[i] for i in range(wanted) for queue in queues if i < len(queue)][:wanted]
        everything = tuple(frame for _, frames, _ in pools for frame in frames)
        sources = {pool: tuple(elsewhere or frames) for pool, frames, elsewhere in pools}
        person = corpus.by_name[everything[0][0]].person
        people.append(Person(identity, person, everything, tuple(pairs), sources))
    people += [
        Person(identity, corpus.by_name[frame[0]].person, (frame,), (), {})
        for identity, frame in alone.items() if identity not in by_identity
    ]  # fmt: skip
    return people


def actions_of(corpus: Corpus, frame: Frame) -> NDArray[np.float64]:
    """(17,) intensities of one frame."""
    return np.asarray(corpus.actions(corpus.by_name[frame[0]])[frame[1]], dtype=np.float64)


def rng_of(seed: int, name: str) -> np.random.Generator:
    """Numbers that depend on the seed and the name alone."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])


def _pools(corpus: Corpus, parts: Sequence[Part]) -> dict[Pool, list[Frame]]:
    """Usable frames of each clip, and of each person's single pictures; nothing empty."""
    found: dict[Pool, list[Frame]] = {}
    for part in sorted(parts, key=lambda part: (part.identity, part.clip, part.start)):
        found.setdefault(pool_of(corpus.by_name[part.clip]), []).extend(_usable(corpus, part))
    return {pool: frames for pool, frames in found.items() if frames}


def _usable(corpus: Corpus, part: Part) -> list[Frame]:
    found = np.flatnonzero(corpus.found(corpus.by_name[part.clip])[part.start : part.stop]) + part.start
    return [(part.clip, int(frame)) for frame in found]


def _queue(
    frames: list[Frame], elsewhere: list[Frame], share: int, rng: np.random.Generator
) -> list[tuple[Frame, Frame]]:
    """(source, driving) of one clip, in drawn order; no frame is both. Sources lie `elsewhere` where there are such."""
    drivings = [frames[i] for i in rng.permutation(len(frames))]
    if elsewhere:
        sources = [elsewhere[i] for i in rng.permutation(len(elsewhere))[:share]]
    else:
        n = max(1, min(share, len(frames) // 2))
        sources, drivings = drivings[:n], drivings[n:]
    return [(sources[i % len(sources)], driving) for i, driving in enumerate(drivings)]
