"""What a reviewer would look for and nobody left: said on the page, so that no gap passes for a clean record."""

from collections.abc import Iterator

from reenact.reports.strips import samples_of
from reenact.review.against import same_size
from reenact.review.subject import Review, Side

_TAGS = {
    "lineage.rights": "licence and consent of its training clips",
    "lineage.git_commit": "the code that trained it (git commit)",
    "lineage.data_hash": "the data that it was trained on (hash)",
    "lineage.params_hash": "the settings of its training (hash)",
    "weights_sha256": "the checksum of its weights",
}
_TRAINER = "who trained it, so nobody can be kept from approving their own"
_RECORD = {
    "judge": "who judged it",
    "judge_error": "how far the judges are off",
    "alarms": "alarms",
    "pairs_sha256": "which pairs it was scored on",
}
_FILES = {
    "cost.json": "what drawing costs",
    "data.json": "label quality, data checks and split",
}


def missing(review: Review) -> list[str]:
    """A sentence per thing that is not known; empty where nothing is missing."""
    found = [] if review.verdict else ["verdict: the gate has not been asked."]
    if review.champion is None:
        why = f"no figures of the {review.unscored}; the verdict says why" if review.unscored else "there is none"
        found.append(f"champion: {why}, so nothing is compared and no difference is tested.")
    elif not same_size(review):
        sizes = " and ".join(f"{side.entry.record.get('image_size')} px" for side in review.sides)
        found.append(
            f"differences: the two draw pictures of {sizes}, so their figures are not about the same pictures."
        )
    for side in review.sides:
        lost = list(_lost(side))
        if side is review.challenger and not side.tags.get("trainer"):
            lost.append(_TRAINER)
        found += [f"{side.name}: not known: {'; '.join(lost)}."] if lost else []
    return found


def _lost(side: Side) -> Iterator[str]:
    yield from (what for tag, what in _TAGS.items() if not side.tags.get(tag))
    yield from (what for name, what in _RECORD.items() if not side.entry.record.get(name))
    yield from (what for name, what in _FILES.items() if not side.left(name))
    if not side.status:
        yield "how it was trained (steps, samples, hours)"
    samples = samples_of([side.entry]).get(side.name)
    if samples is None or samples.empty:
        yield "pictures, so none are shown of it"
