"""A paper's claims, told from the data: better than what, in how many metrics, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reenact.evaluation.metrics.catalogue import METRICS
from reenact.studies.figures import Difference, Figures
from reenact.studies.settings import Claim, Study

Verdict = Literal["holds", "does not hold", "can't be told", "not measured"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a claim says is better, against one row, with its verdict."""

    better: str  # titles
    than: str
    needed: int
    differences: Sequence[Difference]
    verdict: Verdict

    def sentence(self) -> str:
        """What was found, in words."""
        if self.verdict == "not measured":
            return f"{self.better} against {self.than}: not measured."
        found = "; ".join(_said(one) for one in self.differences)
        count = f"Better in {sum(one.better is True for one in self.differences)} of {len(self.differences)}"
        return f"{self.better} against {self.than}: {found}. {count}, {self.needed} needed: {self.verdict}."

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {**vars(self), "differences": [{**vars(one), "better": one.better} for one in self.differences]}


@dataclass(frozen=True, kw_only=True)
class Told:
    """A claim with its comparisons, one for each row that something is said to be better than."""

    says: str
    comparisons: Sequence[Comparison]

    @property
    def verdict(self) -> Verdict:
        """Of the whole claim: it holds where it holds against every row, and not where it fails against any."""
        found = {one.verdict for one in self.comparisons}
        if "does not hold" in found:
            return "does not hold"
        return next(iter(found)) if len(found) == 1 else "can't be told"

    def plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {"says": self.says, "verdict": self.verdict, "comparisons": [one.plain() for one in self.comparisons]}


def tell(study: Study, figures: Figures) -> list[Told]:
    """Every claim of a study."""
    return [
        Told(says=claim.says, comparisons=[_compared(study, figures, claim, than) for than in claim.than])
        for claim in study.claims
    ]


def verdict(differences: Sequence[Difference], needed: int) -> Verdict:
    """Holds: better in as many metrics as needed. Does not hold: worse in so many that the rest can't make it."""
    if all(one.value is None for one in differences):
        return "not measured"
    better, worse = (sum(one.better is wanted for one in differences) for wanted in (True, False))
    if better >= needed:
        return "holds"
    return "does not hold" if len(differences) - worse < needed else "can't be told"


def _compared(study: Study, figures: Figures, claim: Claim, than: str) -> Comparison:
    found = figures.differences(claim.better, than, claim.metrics, claim.protocol)
    better, other = study.title_of(claim.better), study.title_of(than)
    return Comparison(better=better, than=other, needed=claim.needed, differences=found,
                      verdict=verdict(found, claim.needed))  # fmt: skip


def _said(one: Difference) -> str:
    title = METRICS[one.metric].title
    if one.value is None:
        return f"{title} not measured"
    if one.untested:
        return f"{title} {one.value:+.3g} {one.untested}"
    word = {True: "better", False: "worse", None: "not told apart"}[one.better]
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.3g}, {one.high:+.3g}]"
    p = "" if one.p_holm is None else f", p {one.p_holm:.2g}"
    return f"{title} {one.value:+.3g}{interval}{p}: {word}"
