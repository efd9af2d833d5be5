"""The challenger's figures beside the champion's, with the difference between them and whether it could be chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.reference_names import REFERENCES
from reenact.evaluation.significance import NAN, holm
from reenact.evaluation.summary import compare_rows
from reenact.review.differences import SPLIT, sets_apart
from reenact.review.subject import Review, Side

SURE = 0.05  # of the corrected p
PROTOCOLS = {
    "self": "self",
    "selfvideo": "self, video",
    "cross_truth": "cross, true picture known",
    "cross": "cross",
    "lsim": "cross, triplets",
    "crossvideo": "cross, video",
}
Record = Mapping[str, Any]
Word = Literal["better", "worse", "not told apart", "not tested"]
_Place = tuple[str, str, str]  # identities, protocol, metric


@dataclass(frozen=True, kw_only=True)
class Line:
    """One metric on one kind of pairs; records are those of `metrics.json`, None where there is no figure."""

    metric: Metric
    protocol: str
    identities: str
    challenger: Record | None
    champion: Record | None
    references: Mapping[str, Record]  # by name, those with a figure
    difference: Record | None  # challenger - champion, on the pairs that both could be judged on
    p_holm: float  # of that difference, corrected for all lines; NaN: not tested

    @property
    def place(self) -> str:
        """Which pairs, in words."""
        return PROTOCOLS.get(self.protocol, self.protocol) + (", seen people" if self.identities == "seen" else "")

    @property
    def head(self) -> str:
        """The metric with an arrow to where it is better."""
        return f"{self.metric.title} {'↓' if self.metric.direction == 'lower' else '↑'}"

    @property
    def word(self) -> Word:
        """What the corrected test says of the challenger."""
        if self.difference is None or self.p_holm != self.p_holm:
            return "not tested"
        if self.p_holm >= SURE or not self.difference["value"]:
            return "not told apart"
        return "better" if (self.difference["value"] < 0) == (self.metric.direction == "lower") else "worse"


def lines_of(review: Review) -> list[Line]:
    """A line per metric and kind of test pairs that either model has a figure of: unseen people first, self first."""
    rows = _results(review.challenger)
    ours = rows.get(review.challenger.name, {})
    theirs = _results(review.champion).get(review.champion.name, {}) if review.champion else {}
    versus = _differences(review, ours, theirs)
    p_values = holm([_number(difference.get("p")) for difference in versus.values()])
    corrected = dict(zip(versus, p_values, strict=True))
    lines = []
    for place in sorted({*ours, *theirs}, key=_order):
        identities, protocol, metric = place
        references = {name: rows[name][place] for name in REFERENCES if place in rows.get(name, {})}
        lines.append(Line(
            metric=METRICS[metric], protocol=protocol, identities=identities, challenger=ours.get(place),
            champion=theirs.get(place), references=references, difference=versus.get(place),
            p_holm=corrected.get(place, NAN),
        ))  # fmt: skip
    return lines


def _results(side: Side) -> dict[str, dict[_Place, Record]]:
    """The side's figures on the test split, by row: its own and those of the references."""
    found: dict[str, dict[_Place, Record]] = {}
    for result in side.entry.record.get("results") or ():
        if result["split"] == SPLIT and result["metric"] in METRICS and result["value"] is not None:
            place = (str(result["identities"]), str(result["protocol"]), str(result["metric"]))
            found.setdefault(str(result["row"]), {})[place] = result
    return found


def same_size(review: Review) -> bool:
    """Whether both draw pictures of one size: figures of others are not about the same pictures."""
    return len({side.entry.record.get("image_size") for side in review.sides}) == 1


def _differences(
    review: Review, ours: Mapping[_Place, Record], theirs: Mapping[_Place, Record]
) -> dict[_Place, Record]:
    """By place, where there is a champion whose pictures can be compared."""
    if review.champion is None or not same_size(review):
        return {}
    mine, others = (
        side.entry.faces[(side.entry.faces["row"] == side.name) & (side.entry.faces["split"] == SPLIT)]
        for side in review.sides
    )
    found: dict[_Place, Record] = {
        (facts["identities"], facts["protocol"], metric): versus
        for facts, metric, versus in compare_rows(mine, others, repeats=review.repeats, seed=review.seed)
        if versus["n"]
    }
    sets = [place for place in ours if place in theirs and METRICS[place[2]].per_pair is None]
    return found | {place: sets_apart(ours[place], theirs[place]) for place in sets}


def _order(place: _Place) -> tuple[bool, int, int]:
    identities, protocol, metric = place
    known: Sequence[str] = list(PROTOCOLS)
    return identities == "seen", known.index(protocol) if protocol in known else len(known), list(METRICS).index(metric)


def _number(value: Any) -> float:
    return NAN if value is None else float(value)
