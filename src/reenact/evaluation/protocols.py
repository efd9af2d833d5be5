"""Which frames are compared: lists of pairs, drawn with a seed, stored, and the same for every branch.

    self         source and driving frame are two frames of one clip, or two single pictures of one person; the driving
                 frame is the truth
    cross        the source shows one person, the driving frame another; there is no truth
    cross_truth  those of the cross pairs of which the true picture is known all the same
    lsim         source A and truth B are frames of one person, the driving frame C is the frame of another person whose
                 action units are nearest to B's
    selfvideo, crossvideo
                 as self and cross with frames on end as drivers: for measures of flicker and jitter

Of a clip that was split by time, sources are frames of its training part: only the driving frames have to be new, and
within the second or so of a test part a face hardly moves, so that handing back the source would pass for reenacting.

Of whom there is one single picture only, that is source and driver of cross pairs.

A list depends on the corpus, its split and the seed alone, never on a system. What is drawn for one person does not
depend on who else there is, except that drivers are other people.
"""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import Part
from reenact.evaluation.pairs.cross import cross_pairs
from reenact.evaluation.pairs.facts import COLUMNS as FACTS
from reenact.evaluation.pairs.facts import add_facts
from reenact.evaluation.pairs.known_truth import with_known_truth
from reenact.evaluation.pairs.lsim import lsim_triplets
from reenact.evaluation.pairs.own import self_pairs
from reenact.evaluation.pairs.people import NO_FRAME, Counts, Frame, Person, Row, people_of
from reenact.evaluation.pairs.shots import COLUMNS as SHOTS
from reenact.evaluation.pairs.shots import add_shots
from reenact.evaluation.pairs.video import stretches
from reenact.hashing import hash_json

__all__ = ["COLUMNS", "NO_FRAME", "RULES", "Counts", "Frame", "pair_list", "pairs_hash"]

RULES = 2  # counts up when the same corpus and seed give other pairs; 2: cross_truth, further source frames
NAMED = (
    "protocol", "split", "identities", "source_clip", "source_identity", "source_frame", "driving_clip",
    "driving_identity", "driving_frame", "truth_clip", "truth_frame",
)  # fmt: skip
COLUMNS = ("pair", *NAMED, "sequence", *FACTS, *SHOTS)


def pair_list(
    corpus: Corpus,
    parts: Sequence[Part],
    *,
    split: str,
    training: Sequence[Part],
    counts: Counts,
    seed: int,
    scenes: Collection[str] = (),
    split_by: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The pairs of one split, a row each (`COLUMNS`); truth_frame is -1 where no frame of the corpus is the truth.

    `identities` is `seen` where the source's or the driver's identity has parts in `training`, else `unseen`. `pair`
    names a pair by what it is; `sequence` the stretch of video that it belongs to. `scenes`: clips that can be drawn
    again; `split_by`: what put each clip into the split. Further columns: pairs/facts.py, pairs/shots.py.
    """
    trained_on = {part.identity for part in training}
    people = people_of(corpus, parts, training, counts, seed)
    cross = cross_pairs(corpus, people, counts.cross_pairs, seed)
    rows = [
        *self_pairs(people, counts.self_pairs),
        *cross,
        *lsim_triplets(corpus, people, counts.lsim),
        *stretches(people, counts, seed),
        *with_known_truth(corpus, cross, counts.cross_truth, scenes),
    ]
    table = _table(rows, split, trained_on)
    shown = table["protocol"].str.endswith("video")
    table["sequence"] = (table["source_clip"] + " by " + table["driving_clip"]).where(shown, "")
    table = table.drop_duplicates("pair", ignore_index=True)
    return add_shots(add_facts(table, corpus, split_by or {}), people, corpus, seed)[list(COLUMNS)]


def pairs_hash(pairs: pd.DataFrame) -> str:
    """sha256 of a list of pairs, whatever its order: tables refuse to mix different lists."""
    return hash_json(sorted(pairs["pair"]))


def _table(rows: Sequence[Row], split: str, trained_on: Collection[str]) -> pd.DataFrame:
    records = [_record(row, split, trained_on) for row in rows]
    table = pd.DataFrame(records, columns=list(NAMED))
    # A pair is named by what it is, so that lists of different lengths agree on what they share.
    table.insert(0, "pair", [hash_json(record)[:16] for record in records])
    return table


def _record(row: Row, split: str, trained_on: Collection[str]) -> dict[str, str | int]:
    protocol, source, a, driver, b, truth = row
    return {
        "protocol": protocol,
        "split": split,
        "identities": _identities((source, driver), trained_on),
        "source_clip": a[0],
        "source_identity": source.identity,
        "source_frame": a[1],
        "driving_clip": b[0],
        "driving_identity": driver.identity,
        "driving_frame": b[1],
        "truth_clip": truth[0],
        "truth_frame": truth[1],
    }


def _identities(people: Sequence[Person], trained_on: Collection[str]) -> str:
    return "seen" if any(person.identity in trained_on for person in people) else "unseen"
