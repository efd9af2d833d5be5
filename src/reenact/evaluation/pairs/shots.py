"""Further frames of the source's person, for systems that take K pictures."""

from collections.abc import Sequence

import pandas as pd

from reenact.corpus.corpus import Corpus
from reenact.corpus.stills import pool_of
from reenact.evaluation.pairs.people import Frame, Person, rng_of

MOST = 16  # source pictures of a pair, the first among them
AROUND = 0.5  # s beside the truth that nobody may look up
COLUMNS = ("more_source_clips", "more_source_frames")  # lists of equal length, in the order in which they are added


def add_shots(pairs: pd.DataFrame, people: Sequence[Person], corpus: Corpus, seed: int) -> pd.DataFrame:
    """The list with `COLUMNS`: up to 15 further frames of the source's clip, or of its person's single pictures.

    K shots are the source and the first K - 1 of these, so that more shots are never other shots. Frames within half a
    second of what is to be drawn are left out; all pairs of a stretch of video have the same.
    """
    by_identity = {person.identity: person for person in people}
    orders: dict[tuple[str, str], list[Frame]] = {}
    whole = pairs["sequence"].where(pairs["sequence"] != "", pairs["pair"])
    found: dict[str, tuple[list[str], list[int]]] = {}
    for name, group in pairs.groupby(whole, sort=False):
        first = group.iloc[0]
        source = (str(first["source_clip"]), int(first["source_frame"]))
        pool = pool_of(corpus.by_name[source[0]])
        if pool not in orders:
            frames = by_identity[str(first["source_identity"])].pools.get(pool, ())
            drawn = rng_of(seed, f"shots {pool}").permutation(len(frames))
            orders[pool] = [frames[i] for i in drawn]
        truths = list(zip(group["truth_clip"].astype(str), group["truth_frame"].astype(int), strict=True))
        more = [one for one in orders[pool] if one != source and not _seen(one, truths, corpus)][: MOST - 1]
        found[str(name)] = ([clip for clip, _ in more], [frame for _, frame in more])
    chosen = [found[str(name)] for name in whole]
    result = pairs.copy()
    result[COLUMNS[0]] = [clips for clips, _ in chosen]
    result[COLUMNS[1]] = [frames for _, frames in chosen]
    return result


def shots_of(pairs: pd.DataFrame, count: int) -> list[list[Frame]]:
    """(N, count) source frames of pairs, the source first; where there are fewer, they are taken in turns again."""
    result = []
    for pair in pairs.to_dict("records"):
        more = zip(pair.get(COLUMNS[0], ()), pair.get(COLUMNS[1], ()), strict=True) if count > 1 else ()
        frames = [(str(pair["source_clip"]), int(pair["source_frame"])), *((str(c), int(f)) for c, f in more)]
        result.append([frames[k % min(count, len(frames))] for k in range(count)])
    return result


def fewer_than(pairs: pd.DataFrame, count: int) -> int:
    """How many pairs have fewer than `count` source frames."""
    return int((pairs[COLUMNS[0]].map(len) + 1 < count).sum()) if count > 1 and COLUMNS[0] in pairs else 0


def _seen(frame: Frame, truths: Sequence[Frame], corpus: Corpus) -> bool:
    reach = round(AROUND * corpus.by_name[frame[0]].fps)
    return any(frame[0] == clip and abs(frame[1] - number) <= reach for clip, number in truths)
