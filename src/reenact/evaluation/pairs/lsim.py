"""`lsim`: triplets of FACEGAN's measure of landmark similarity."""

from collections.abc import Sequence

import numpy as np

from reenact.corpus.corpus import Corpus
from reenact.evaluation.pairs.people import Person, Row, actions_of


def lsim_triplets(corpus: Corpus, people: Sequence[Person], count: int) -> list[Row]:
    """Source A and truth B are frames of one person, the driver C is the frame of another with the nearest actions."""
    if len({person.person for person in people}) < 2 or not count:
        return []
    owners = [person for person in people for _ in person.frames]
    frames = [frame for person in people for frame in person.frames]
    actions = np.stack([actions_of(corpus, frame) for frame in frames])
    names = np.array([owner.person for owner in owners])
    rows: list[Row] = []
    for person in people:
        others = np.flatnonzero(names != person.person)
        for source, truth in person.pairs[:count]:
            distances = np.linalg.norm(actions[others] - actions_of(corpus, truth), axis=1)
            nearest = others[int(distances.argmin())]
            rows.append(("lsim", person, source, owners[nearest], frames[nearest], truth))
    return rows
