"""The page of a version under review: one HTML file that needs nothing else."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reenact.atomic import write_text
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.reports.background import alarms_html, alarms_of, checks_html, cost_html, labels_html
from reenact.reports.cases import cases_html
from reenact.reports.comparison import LICENCES, SYNTHETIC
from reenact.reports.judges import judges_html
from reenact.reports.page import page, section
from reenact.reports.strips import reading, samples_of, strips_html
from reenact.review.card import model_card
from reenact.review.missing import missing
from reenact.review.subject import Review
from reenact.review.tables import figures_html, lineage_html, verdict_html

MOST = 4  # metrics whose cases are shown
_CASES = (("csim_truth", "self"), ("pose_angle", "self"), ("csim_source", "cross"))  # where no verdict names any
_FIGURES = (
    "Means over test pairs with 95 % intervals below; arrows say which way is better. Difference: challenger less "
    "champion on the pairs that both could be judged on, p of a permutation test by persons, corrected for all lines "
    "(Holm); no more than chance from p = 0.05 on. References are real pictures scored as if they were drawn."
)
_WORST = (
    "Each model's own best, median and worst test pair by the metric in the heading, and one where no face was found; "
    "nothing was picked by hand. Source, truth (or driver, where there is none), generated, and where they differ."
)
_LABELS = "What the challenger's corpus says of the labels that everything here was learned from and is scored on."


def write_page(path: Path, review: Review) -> None:
    """Write the page; a part that nobody left is named under `Not known`, and its section says so, too."""
    title = f"Review of {review.model}, version {review.challenger.version}"
    entries = [side.entry for side in review.sides]
    samples = samples_of(entries)
    data = review.challenger.left("data.json")
    parts = [
        _headline(title, review),
        section("Not known", _list(missing(review)) or "<p>Nothing is missing.</p>",
                lead="What a reviewer would look for and nobody left."),
        section("Verdict of the gate", verdict_html(review), lead="Every rule, broken ones first."),
        section("Model card", _card(review)),
        section("Against the champion", figures_html(review), lead=_FIGURES),
        section("The same held-out faces", strips_html(samples), lead=f"{reading()} {SYNTHETIC}"),
        section("Worst cases", _cases(review, samples), lead=_WORST),
        section("Alarms", alarms_html(entries), lead="Ways of failing that figures alone may hide."),
        section("How well the judges measure", judges_html(entries)),
        section("Label quality", labels_html(data), lead=_LABELS),
        section("Data checks and split", checks_html(data)),
        section("Cost", cost_html(entries, {side.name: dict(side.status) for side in review.sides}),
                lead="Drawing is timed with labels at hand, in batches, without reading and writing files."),
        section("Lineage", lineage_html(review)),
        section("Notes", _notes(review)),
        section("Licences and use", _list((SYNTHETIC, *_rights(review), *LICENCES))),
    ]  # fmt: skip
    write_text(path, page(title, "\n".join(parts), wide=True))


def _headline(title: str, review: Review) -> str:
    side, champion = review.challenger, review.champion
    against = f"version {champion.version} ({champion.tags.get('branch') or '?'})" if champion else "nobody"
    against = f"the {review.unscored}, which could not be scored" if review.unscored else against
    said = f"{side.tags.get('branch') or 'a branch that is not recorded'}, against {against}."
    if review.verdict is None:
        pills = [("warn", "gate not asked")]
    else:
        pills = [("good", "gate passed") if review.verdict.passed else ("bad", "gate failed")]
    verdicts = [alarm["verdict"] for alarm in alarms_of([side.entry])]
    for verdict, colour in (("alarm", "bad"), ("warning", "warn")):
        count = verdicts.count(verdict)
        pills += [(colour, f"{count} {verdict}{'' if count == 1 else 's'}")] if count else []
    shown = " ".join(f'<span class="pill {colour}">{html.escape(word)}</span>' for colour, word in pills)
    return (
        f"<h1>{html.escape(title)}</h1><p>{html.escape(said)}</p><p>{shown}</p>"
        f'<div class="notice"><b>Synthetic faces.</b> {html.escape(SYNTHETIC)} A person decides: '
        "this page says what is known, the gate only what was measured.</div>"
    )


def _card(review: Review) -> str:
    return "".join(f"<h3>{html.escape(part.title)}</h3>{_list(part.lines)}" for part in model_card(review))


def _cases(review: Review, samples: dict[str, Any]) -> str:
    """By the metrics that the verdict is about: a metric of whole sets or videos picks no picture."""
    rules = review.verdict.broken_first if review.verdict else []
    named = dict.fromkeys((rule.metric, rule.protocol) for rule in rules)
    chosen = [(name, where) for name, where in named if _picks(name, where)][:MOST]
    blocks = []
    for name, protocol in chosen or _CASES:
        shown = cases_html([side.entry for side in review.sides], samples, {"metric": name, "protocol": protocol})
        heading = f"{METRICS[name].title}, {protocol.replace('_', ' ')}"
        blocks.append(f"<h3>{html.escape(heading)}</h3>{shown}")
    return "".join(blocks)


def _picks(metric: str, protocol: str) -> bool:
    known = METRICS.get(metric)
    return known is not None and known.per_pair is not None and not protocol.endswith("video")


def _notes(review: Review) -> str:
    """What the evaluations say has to be known before their figures are believed."""
    notes = [f"{side.name}: {note}" for side in review.sides for note in side.entry.record.get("notes") or ()]
    return _list(notes) or '<p class="soft">The evaluations left none.</p>'


def _rights(review: Review) -> list[str]:
    unknown = "licence and consent of its training clips are not recorded."
    return [f"{side.name}: {side.tags.get('lineage.rights') or unknown}" for side in review.sides]


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(str(sentence))}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""
