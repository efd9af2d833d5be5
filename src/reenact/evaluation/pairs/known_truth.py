"""`cross_truth`: those cross pairs of which the true picture is known.

Rendered clips   the source's person is drawn again with the driver's motion (evaluation.redrawn); the list names no
                 frame for that truth
RaFD, Multi-PIE  the source's person was photographed with the driver's expression by the driver's camera, too: the
                 truth is that picture, as seed 002 had it
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from reenact.corpus.corpus import Corpus
from reenact.evaluation.pairs.people import NO_FRAME, Frame, Person, Row

# Columns of stills that say how somebody looked and from where; of Multi-PIE, where a recording's number stands for
# another expression in every session, both together.
MOTION = ("emotion", "gaze", "session", "recording", "camera")
EXPRESSION = ("emotion", "recording")
SURROUNDINGS = ("light",)  # to be as in the source, as far as there is such a picture


def with_known_truth(corpus: Corpus, cross: Sequence[Row], count: int, scenes: Collection[str]) -> Iterator[Row]:
    """Up to `count` of each source's cross pairs; `scenes` are the clips that can be drawn again."""
    pictures = _Pictures(corpus) if count else None
    taken: dict[str, int] = defaultdict(int)
    for _, source, a, driver, b, _ in cross:
        if pictures is None or taken[source.identity] >= count:
            continue
        drawn = a[0] in scenes and b[0] in scenes
        truth = NO_FRAME if drawn else pictures.like(source, a, b)
        if drawn or truth != NO_FRAME:
            taken[source.identity] += 1
            yield "cross_truth", source, a, driver, b, truth


class _Pictures:
    """Finds single pictures by what the data set says of them."""

    def __init__(self, corpus: Corpus) -> None:
        columns = [name for name in (*MOTION, *SURROUNDINGS) if name in corpus.table]
        known = "camera" in columns and any(name in columns for name in EXPRESSION)
        rows = corpus.table[["clip", *columns]].fillna("").astype(str).to_dict("records") if known else []
        self.facts: dict[str, dict[Any, str]] = {row["clip"]: row for row in rows}

    def like(self, person: Person, source: Frame, driving: Frame) -> Frame:
        """The person's picture with the motion of the driving picture; NO_FRAME where there is none."""
        wanted = self.facts.get(driving[0])
        if wanted is None or not wanted["camera"]:
            return NO_FRAME
        found = [
            frame for frame in person.frames
            if frame != source and self._same(frame, driving, MOTION)
        ]  # fmt: skip
        lit = [frame for frame in found if self._same(frame, source, SURROUNDINGS)]
        return (lit or found or [NO_FRAME])[0]

    def _same(self, one: Frame, other: Frame, columns: Sequence[str]) -> bool:
        a, b = self.facts.get(one[0], {}), self.facts.get(other[0], {})
        return all(a.get(name) == b.get(name) for name in columns)
