"""`cross`: the source shows one person, the driving frame another."""

from collections.abc import Mapping, Sequence

from reenact.corpus.corpus import Corpus
from reenact.evaluation.pairs.people import NO_FRAME, Person, Row, rng_of


def cross_pairs(corpus: Corpus, people: Sequence[Person], count: int, seed: int) -> list[Row]:
    """Every person is source and driver equally often: in a round of a shuffled ring each drives the k-th next.

    Where the data set publishes who drives whom (the column `partner` of its clips), that is kept in every round.
    """
    if len({person.person for person in people}) < 2:
        return []
    rng = rng_of(seed, "cross")
    ring = [people[i] for i in rng.permutation(len(people))]
    steps = [int(step) + 1 for step in rng.permutation(len(ring) - 1)]
    published = _published(corpus, people)
    rows: list[Row] = []
    for round_ in range(count):
        for place, source in enumerate(ring):
            driver = published.get(source.person, ring[(place + steps[round_ % len(steps)]) % len(ring)])
            if driver.person == source.person:
                continue
            a = source.sources[round_ % len(source.sources)]
            b = driver.drivings[round_ % len(driver.drivings)]
            rows.append(("cross", source, a, driver, b, NO_FRAME))
    return rows


def _published(corpus: Corpus, people: Sequence[Person]) -> Mapping[str, Person]:
    """Person of the source -> driver, of those who are among the people."""
    if "partner" not in corpus.table:
        return {}
    by_person = {person.person: person for person in people}
    whose = {clip.clip: clip.person for clip in corpus.clips}
    listed = zip(corpus.table["clip"].astype(str), corpus.table["partner"].fillna("").astype(str), strict=True)
    return {whose[clip]: by_person[partner] for clip, partner in listed if partner in by_person}
