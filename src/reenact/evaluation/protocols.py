"""Which frames are compared: lists of pairs, drawn with a seed, stored, and the same for every branch.

    self   source and driving frame are two frames of one clip, or two single pictures of one person; the driving
           frame is the truth
    cross  the source shows one person, the driving frame another; there is no truth
    lsim   source A and truth B are frames of one person, the driving frame C is the frame of another person whose
           action units are nearest to B's
    selfvideo, crossvideo
           the same with frames on end as drivers, a `sequence`: for measures of flicker and jitter

Of a clip that was split by time, sources are frames of its training part: only the driving frames have to be new, and
within the second or so of a test part a face hardly moves, so that handing back the source would pass for reenacting.

Of whom there is one single picture only, that is source and driver of cross pairs.

A list depends on the corpus, its split and the seed alone, never on a system. What is drawn for one person does not
depend on who else there is, except that drivers are other people.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import Part
from reenact.corpus.stills import sequence_of
from reenact.evaluation.sequences import stretch
from reenact.hashing import hash_json

Frame = tuple[str, int]  # clip, frame
NO_FRAME: Frame = ("", -1)
COLUMNS = (
    "pair", "protocol", "split", "identities", "source_clip", "source_identity", "source_frame",
    "driving_clip", "driving_identity", "driving_frame", "truth_clip", "truth_frame",
    "sequence",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many pairs per person."""

    sources: int  # different source frames
    self_pairs: int
    cross_pairs: int
    lsim: int
    sequences: int = 0  # of selfvideo, and of crossvideo
    sequence_frames: int = 8


@dataclass(frozen=True)
class _Person:
    """One identity of a split: its usable frames and the frames chosen for it."""

    identity: str
    person: str  # of the video: two of one person make no pair of two people
    frames: tuple[Frame, ...]
    pairs: tuple[tuple[Frame, Frame], ...]  # (source, driving) of one clip, or of one person's single pictures

    @property
    def sources(self) -> tuple[Frame, ...]:
        return tuple(dict.fromkeys(source for source, _ in self.pairs)) or self.frames

    @property
    def drivings(self) -> tuple[Frame, ...]:
        return tuple(dict.fromkeys(driving for _, driving in self.pairs)) or self.frames


_Row = tuple[str, _Person, Frame, _Person, Frame, Frame]  # protocol, source, its frame, driver, its frame, truth


def pair_list(
    corpus: Corpus, parts: Sequence[Part], *, split: str, training: Sequence[Part], counts: Counts, seed: int
) -> pd.DataFrame:
    """The pairs of one split, a row each (`COLUMNS`); truth_frame is -1 where there is no true picture.

    `identities` is `seen` where the source's or the driver's identity has parts in `training`, else `unseen`.
    """
    trained_on = {part.identity for part in training}
    people = _people(corpus, parts, training, counts, seed)
    rows = [
        *(("self", p, source, p, driving, driving) for p in people for source, driving in p.pairs[: counts.self_pairs]),
        *_cross(people, counts.cross_pairs, seed),
        *_lsim(corpus, people, counts.lsim),
        *_video(people, counts, seed),
    ]
    records = [
        {
            "protocol": protocol,
            "split": split,
            "identities": "seen" if {source.identity, driver.identity} & trained_on else "unseen",
            "source_clip": a[0],
            "source_identity": source.identity,
            "source_frame": a[1],
            "driving_clip": b[0],
            "driving_identity": driver.identity,
            "driving_frame": b[1],
            "truth_clip": truth[0],
            "truth_frame": truth[1],
        }
        for protocol, source, a, driver, b, truth in rows
    ]
    table = pd.DataFrame(records, columns=list(COLUMNS[1:-1]))
    # A pair is named by what it is, so that lists of different lengths agree on what they share.
    table.insert(0, "pair", [hash_json(record)[:16] for record in records])
    shown = table["protocol"].str.endswith("video")
    table["sequence"] = (table["source_clip"] + " by " + table["driving_clip"]).where(shown, "")
    return table.drop_duplicates("pair", ignore_index=True)


def pairs_hash(pairs: pd.DataFrame) -> str:
    """sha256 of a list of pairs, whatever its order: tables refuse to mix different lists."""
    return hash_json(sorted(pairs["pair"]))


def _people(
    corpus: Corpus, parts: Sequence[Part], training: Sequence[Part], counts: Counts, seed: int
) -> list[_Person]:
    known = _sequences(corpus, training)
    by_identity: dict[str, list[tuple[list[Frame], list[Frame]]]] = {}
    alone: dict[str, Frame] = {}
    for sequence, frames in _sequences(corpus, parts).items():
        identity, elsewhere = corpus.by_name[frames[0][0]].identity, known.get(sequence, [])
        if len(frames) >= (1 if elsewhere else 2):
            by_identity.setdefault(identity, []).append((frames, elsewhere))
        elif corpus.by_name[frames[0][0]].still:
            alone[identity] = frames[0]
    wanted = max(counts.self_pairs, counts.cross_pairs, counts.lsim)
    people = []
    for identity, clips in by_identity.items():
        rng = _rng(seed, identity)
        share = -(-counts.sources // len(clips))  # the sources are spread over the clips
        queues = [_queue(frames, elsewhere, share, rng) for frames, elsewhere in clips]
        pairs = [queue[i] for i in range(wanted) for queue in queues if i < len(queue)][:wanted]
        everything = tuple(frame for frames, _ in clips for frame in frames)
        people.append(_Person(identity, corpus.by_name[everything[0][0]].person, everything, tuple(pairs)))
    people += [
        _Person(identity, corpus.by_name[frame[0]].person, (frame,), ())
        for identity, frame in alone.items() if identity not in by_identity
    ]  # fmt: skip
    return people


def _sequences(corpus: Corpus, parts: Sequence[Part]) -> dict[tuple[str, str], list[Frame]]:
    """Usable frames of each clip, and of each person's single pictures; nothing empty."""
    found: dict[tuple[str, str], list[Frame]] = {}
    for part in sorted(parts, key=_place):
        found.setdefault(sequence_of(corpus.by_name[part.clip]), []).extend(_usable(corpus, part))
    return {sequence: frames for sequence, frames in found.items() if frames}


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


def _usable(corpus: Corpus, part: Part) -> list[Frame]:
    found = np.flatnonzero(corpus.found(corpus.by_name[part.clip])[part.start : part.stop]) + part.start
    return [(part.clip, int(frame)) for frame in found]


def _place(part: Part) -> tuple[str, str, int]:
    return part.identity, part.clip, part.start


def _cross(people: list[_Person], count: int, seed: int) -> list[_Row]:
    """Every person is source and driver equally often: in a round of a shuffled ring each drives the k-th next."""
    if len({person.person for person in people}) < 2:
        return []
    rng = _rng(seed, "cross")
    ring = [people[i] for i in rng.permutation(len(people))]
    steps = [int(step) + 1 for step in rng.permutation(len(ring) - 1)]
    rows = []
    for round_ in range(count):
        for place, source in enumerate(ring):
            driver = ring[(place + steps[round_ % len(steps)]) % len(ring)]
            if driver.person == source.person:
                continue
            a = source.sources[round_ % len(source.sources)]
            b = driver.drivings[round_ % len(driver.drivings)]
            rows.append(("cross", source, a, driver, b, NO_FRAME))
    return rows


def _video(people: list[_Person], counts: Counts, seed: int) -> Iterator[_Row]:
    """Stretches of each person's video, drawn from an own source and from the next person's."""
    if not counts.sequences:
        return
    moving = [person for person in people if person.pairs]
    for number, driver in enumerate(moving):
        for source, name in ((driver, "selfvideo"), (moving[(number + 1) % len(moving)], "crossvideo")):
            if name == "crossvideo" and source.person == driver.person:
                continue
            for turn in range(counts.sequences):
                first = source.sources[turn % len(source.sources)]
                rng = _rng(seed, f"{driver.identity} {turn}")
                own = first if source is driver else driver.sources[turn % len(driver.sources)]
                frames = stretch(driver.frames, length=counts.sequence_frames, without=own, rng=rng)
                for frame in frames:
                    yield (name, source, first, driver, frame, frame if source is driver else NO_FRAME)


def _lsim(corpus: Corpus, people: list[_Person], count: int) -> list[_Row]:
    if len({person.person for person in people}) < 2:
        return []
    owners = [person for person in people for _ in person.frames]
    frames = [frame for person in people for frame in person.frames]
    actions = np.stack([_actions(corpus, frame) for frame in frames])
    names = np.array([owner.person for owner in owners])
    rows = []
    for person in people:
        others = np.flatnonzero(names != person.person)
        for source, truth in person.pairs[:count]:
            distances = np.linalg.norm(actions[others] - _actions(corpus, truth), axis=1)
            nearest = others[int(distances.argmin())]
            rows.append(("lsim", person, source, owners[nearest], frames[nearest], truth))
    return rows


def _actions(corpus: Corpus, frame: Frame) -> NDArray[np.float64]:
    return np.asarray(corpus.actions(corpus.by_name[frame[0]])[frame[1]], dtype=np.float64)


def _rng(seed: int, name: str) -> np.random.Generator:
    """Numbers that depend on the seed and the name alone."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])])
