"""`self`: source and driving frame are two frames of one clip, or two single pictures of one person."""

from collections.abc import Iterator, Sequence

from reenact.evaluation.pairs.people import Person, Row


def self_pairs(people: Sequence[Person], count: int) -> Iterator[Row]:
    """`count` of each person; the driving frame is the truth."""
    for person in people:
        for source, driving in person.pairs[:count]:
            yield "self", person, source, person, driving, driving
