"""The model card: what a version is for and not for, data, training, limits, and how well the judge measures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from reenact.evaluation.judge_tables import AGREEMENT, ERRORS, agreeing, agreement_lines, error_lines
from reenact.review.differences import SPLIT
from reenact.review.subject import Record, Review, Side
from reenact.systems.catalogue import SYSTEMS

FOR = (
    "Research on face reenactment with videos of people who agreed to it: drawing a person with somebody's motion, and "
    "measuring how well that works.",
    "Comparing methods, losses and ablations on the same pairs.",
)
NOT_FOR = (
    "Showing people who did not agree to it, or passing drawn pictures off as filmed ones.",
    "Recognising, verifying or judging people, or saying how they feel.",
    "Anything commercial: unless clips brought labels of their own, landmarks come from dlib's 68-point model, whose "
    "training data (iBUG 300-W) are for research only.",
)
UNKNOWN = "not recorded"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A titled list of sentences, plain text."""

    title: str
    lines: tuple[str, ...]


def model_card(review: Review) -> list[Part]:
    """The parts in the order in which they are read; what is not known is said."""
    side = review.challenger
    return [
        Part(title="What it is", lines=tuple(_what(side))),
        Part(title="For", lines=FOR),
        Part(title="Not for", lines=NOT_FOR),
        Part(title="Data, licence and consent", lines=tuple(_data(side))),
        Part(title="Training", lines=tuple(_training(side))),
        Part(title="Limits", lines=tuple(_limits(review))),
        Part(title="How well the judge measures", lines=tuple(_judge(side))),
    ]


def cost_sentence(side: Side) -> str:
    """Drawing and training in a sentence; the page has a table."""
    cost, seconds = side.left("cost.json"), side.status.get("training_seconds")
    drawn = cost.get("seconds_per_picture")
    parts = [f"drawing {drawn * 1000:.1f} ms a picture on {cost.get('device', 'a device not named')}"] if drawn else []
    parts += [f"training {float(seconds) / 3600:.2f} hours"] if seconds is not None else []
    count = sum((cost.get("parameters") or {}).values())
    parts += [f"{count / 1e6:.2f} M parameters"] if count else []
    return f"{side.name}: {', '.join(parts) or UNKNOWN}."


def _what(side: Side) -> Iterator[str]:
    card, tags = side.card, side.tags
    system = SYSTEMS.get(str(tags.get("system", "")))
    name = tags.get("branch") or UNKNOWN
    yield f"{name}" + (f": {system.title}." if system else ".")
    if system:
        yield f"Besides source pictures it reads {', '.join(system.labels)}, of source and driver."
    many = "exactly as many" if card.get("exact_sources") else "any number"
    yield (
        f"Pictures of {card.get('size', '?')} px; trained with K = {card.get('shots', tags.get('shots', '?'))} source "
        f"pictures of a person, takes {many}."
    )


def _data(side: Side) -> Iterator[str]:
    yield side.tags.get("lineage.rights") or f"Licence and consent of its training clips: {UNKNOWN}."
    split = pd.DataFrame(side.left("data.json").get("split") or ())
    if split.empty:
        yield f"Persons of each part: {UNKNOWN}."
        return
    persons = split.groupby("split")["identity"].nunique()
    said = ", ".join(f"{persons.get(part, 0)} to {verb}" for part, verb in _PARTS.items())
    yield f"Persons in the corpus of this review: {said}."


_PARTS = {"train": "train", "val": "choose", "test": "test"}


def _training(side: Side) -> Iterator[str]:
    status = side.status
    if not status:
        yield f"Its record ({UNKNOWN}) is not with its run: length, hours and machine can't be said."
    else:
        seconds, runtime = status.get("training_seconds"), status.get("runtime") or {}
        hours = UNKNOWN if seconds is None else f"{float(seconds) / 3600:.2f}"
        yield (
            f"{status.get('samples', '?')} samples in {status.get('steps', '?')} steps, {hours} hours on "
            f"{runtime.get('device', 'a device not named')}, ended by {status.get('ended_by') or UNKNOWN}."
        )
        yield from (str(note) for note in status.get("notes") or ())
    chosen = side.card.get("chosen") or {}
    rule = chosen.get("rule") or {}
    if chosen:
        yield f"Weights of step {chosen.get('step', '?')}, by {rule.get('metric', '?')} on the validation part."
    features = side.card.get("features")
    yield f"Feature network of the losses: {_network(features) if features else 'none'}."


def _network(features: Record) -> str:
    return f"{features.get('name', '?')} (sha256 {str(features.get('sha256', '?'))[:12]})"


def _limits(review: Review) -> Iterator[str]:
    side = review.challenger
    faces = side.entry.faces
    own = faces[(faces["row"] == side.name) & (faces["split"] == SPLIT)]
    if own.empty:
        yield "Scored on no test pair."
    else:
        lost = int((own["drawn"].astype(bool) & ~own["face_found"].astype(bool)).sum())
        undrawn = int((~own["drawn"].astype(bool)).sum())
        yield (
            f"Scored on {len(own)} test pairs; in {lost} of its pictures the judge finds no face"
            + (f", {undrawn} could not be drawn." if undrawn else ".")
        )
        if not (own["identities"] == "unseen").any():
            yield "Every test person was seen in training: what it does with strangers is not known."
    yield from (f"{note}." if not str(note).endswith(".") else str(note) for note in side.entry.record.get("notes", ()))
    if review.champion and review.champion.tags.get("lineage.data_hash") != side.tags.get("lineage.data_hash"):
        yield (
            "The champion was trained on other data: whether the test persons are strangers to it, too, is not known "
            "from its record."
        )


def _judge(side: Side) -> Iterator[str]:
    errors, agreed = error_lines([side.entry]), agreement_lines([side.entry])
    for judge, where, *cells in errors:
        yield f"{judge}, {where}{_named(ERRORS[2:], cells)}."
    for name, *cells in agreed:
        yield f"Two judges on {name}{_named(AGREEMENT[1:], cells)}."
    if agreed:
        yield agreeing([side.entry])
    if not errors:
        yield f"How far the judges are off: {UNKNOWN}."


def _named(heads: Sequence[str], cells: Sequence[str]) -> str:
    said = [f"{head} {cell}" for head, cell in zip(heads, cells, strict=True) if cell not in ("", "-")]
    return f": {', '.join(said)}" if said else ""
