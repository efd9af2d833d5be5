"""The tables that only a review has: rules of the gate, figures against the champion, lineage of both."""

import html
import json
from typing import Any

from reenact.evaluation.reference_names import REFERENCES
from reenact.reports.figures_table import interval_html
from reenact.reports.page import rows
from reenact.review.against import Line, lines_of
from reenact.review.card import UNKNOWN
from reenact.review.subject import Record, Review, Side

_WORDS = {"better": "good", "worse": "bad", "not told apart": "soft", "not tested": "soft"}
_LINEAGE = {
    "branch": "branch",
    "weights": "weights_sha256",
    "git commit": "lineage.git_commit",
    "changes that were not committed": "lineage.git_dirty",
    "version of the videos": "lineage.data_version",
    "data": "lineage.data_hash",
    "settings": "lineage.params_hash",
    "key of the training": "reenact.key",
    "Kubeflow run": "lineage.kfp_run_id",
    "image": "lineage.image_digest",
    "trained by": "trainer",
}


def verdict_html(review: Review) -> str:
    """A line per rule with its numbers, whether it was kept, and the sentence that says so."""
    if not review.verdict:
        return '<p class="soft">The gate has not been asked.</p>'
    lines = []
    for rule in review.verdict.broken_first:
        word, colour = ("kept", "good") if rule.ok else ("broken", "bad")
        difference = {"value": rule.difference, "low": rule.low, "high": rule.high}
        lines.append(("", [
            html.escape(rule.name), f'<span class="pill {colour}">{word}</span>', _number(rule.challenger),
            _number(rule.champion), _figure(difference, sign=True), _number(rule.p, digits=2),
            html.escape(rule.wanted), html.escape(rule.sentence),
        ]))  # fmt: skip
    heads = ["rule", "", "challenger", "champion", "difference", "p (Holm)", "wanted", "found"]
    judge, pairs = review.verdict.judge or UNKNOWN, review.verdict.pairs_sha256 or UNKNOWN
    said = f'<p class="small soft">{html.escape(f"Judge: {judge}. List of test pairs: {pairs}.")}</p>'
    return rows(heads, lines, text=(1, 6, 7)) + said


def figures_html(review: Review) -> str:
    """A line per metric and kind of pairs."""
    lines = lines_of(review)
    if not lines:
        return '<p class="soft">There are no figures of test pairs.</p>'
    references = [name for name in REFERENCES if any(name in line.references for line in lines)]
    heads = ["", "challenger", "champion", "difference", "told apart", *references, "no face"]
    lacking = f"There are no figures of the {review.unscored}." if review.unscored else "There is no champion."
    first = "" if review.champion else f'<p class="soft">{html.escape(lacking)}</p>'
    return first + rows(heads, [("", _cells(line, references)) for line in lines])


def _cells(line: Line, references: list[str]) -> list[str]:
    word = f'<span class="{_WORDS[line.word]}">{line.word}</span>'
    faces = [_lost(one) for one in (line.challenger, line.champion) if one]
    return [
        _above(html.escape(line.head), html.escape(line.place)), _figure(line.challenger), _figure(line.champion),
        _figure(line.difference, sign=True), _above(word, f"p {_number(line.p_holm, digits=2)}"),
        *(_figure(line.references.get(name)) for name in references), "<br>".join(faces),
    ]  # fmt: skip


def _above(first: str, second: str) -> str:
    """Two lines of one cell: with a column for each the table would be wider than a page."""
    return f'{first}<span class="interval">{second}</span>'


def _figure(record: Record | None, *, sign: bool = False) -> str:
    value = record.get("value") if record else None
    if record is None or value is None:
        return "-"
    return (f"{value:+.3g}" if sign else f"{value:.3g}") + interval_html(record.get("low"), record.get("high"), value)


def _lost(record: Record) -> str:
    return f"{record.get('no_face', '?')}/{record.get('pairs', '?')}"


def _number(value: Any, *, digits: int = 3) -> str:
    return f"{value:.{digits}g}" if isinstance(value, int | float) and value == value else "-"


def lineage_html(review: Review) -> str:
    """A column per model; what nobody recorded is named as such."""
    named = [("", [html.escape(what), *(_cell(side.tags.get(tag)) for side in review.sides)])
             for what, tag in _LINEAGE.items()]  # fmt: skip
    found = {
        "MLflow run": [side.run_id for side in review.sides],
        "feature network of the losses": [_network(side) for side in review.sides],
        "judge": [_plain(side.entry.record.get("judge")) for side in review.sides],
        "pairs": [_plain(side.entry.record.get("pairs_sha256")) for side in review.sides],
        "range of pixels": [str(side.entry.record.get("range") or "") for side in review.sides],
    }
    lines = [*named, *(("", [html.escape(what), *map(_cell, values)]) for what, values in found.items())]
    heads = ["what", *(side.name for side in review.sides)]
    return rows(heads, lines, text=range(1, len(heads)))


def _cell(value: str | None) -> str:
    return html.escape(value) if value else f'<span class="soft">{UNKNOWN}</span>'


def _network(side: Side) -> str:
    return "none" if "features" in side.card and side.card["features"] is None else _plain(side.card.get("features"))


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True) if value else ""
