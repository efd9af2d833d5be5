"""`selfvideo` and `crossvideo`: drivers are frames on end, for measures of flicker and jitter."""

from collections.abc import Iterator, Sequence

from reenact.evaluation.pairs.people import NO_FRAME, Counts, Person, Row, rng_of
from reenact.evaluation.sequences import stretch


def stretches(people: Sequence[Person], counts: Counts, seed: int) -> Iterator[Row]:
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
                rng = rng_of(seed, f"{driver.identity} {turn}")
                own = first if source is driver else driver.sources[turn % len(driver.sources)]
                frames = stretch(driver.frames, length=counts.sequence_frames, without=own, rng=rng)
                for frame in frames:
                    yield (name, source, first, driver, frame, frame if source is driver else NO_FRAME)
