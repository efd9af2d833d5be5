"""The comparison's figures as HTML: one table per protocol and kind of identities."""

import html
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reenact.evaluation.further_names import is_beside
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.evaluation.scaled import SCALED
from reenact.evaluation.table import SCORED, best_row, shown_rows, shown_shots
from reenact.reports.page import rows

SURE = 0.05  # of the corrected p
_AGAINST = {"c": "copy source", "f": "full", "o": "with the driver's own landmarks"}
TITLES = {
    "self": "Self-reenactment of unseen identities",
    "cross": "Cross-reenactment of unseen identities",
    "crosstruth": "Cross-reenactment of unseen identities against the true picture",
    "seen_self": "Self-reenactment of seen identities",
    "seen_cross": "Cross-reenactment of seen identities",
    "seen_crosstruth": "Cross-reenactment of seen identities against the true picture",
}


LEGEND = (
    "Marks: ▲ better, ▼ worse than copy source (c), than the full variant of the same training seed (f), rows of "
    "other landmarks than the same network with the driver's own (o), by the paired permutation test by persons, "
    "corrected for all that is tested of one row against one other (Holm, p < 0.05). No mark: not told apart, or not "
    "tested. Bold: the best branch of a column, whether or not it is told apart."
)


def figures_html(table: pd.DataFrame, winner: str | None, differences: pd.DataFrame | None = None) -> str:
    """Means with intervals and marks for what is significant; the best of a column bold, the chosen row coloured."""
    marks = significant(differences)
    blocks = [
        f"<h3>{title}</h3>" + _block(table, prefix, winner, marks)
        for prefix, title in TITLES.items()
        if any(f"{prefix}_{name}" in table for name in METRICS)
    ]
    legend = f'<p class="small soft">{html.escape(LEGEND)}</p>' if blocks else ""
    return legend + "".join(blocks) or rows(
        ["row", "status"], [("trouble", _plain(r, "row", "status")) for r in _dicts(table)]
    )


def significant(differences: pd.DataFrame | None) -> dict[tuple[str, str], list[tuple[str, bool, float]]]:
    """By row and column of the table: (c, f or o, whether better, corrected p) where a test tells the rows apart."""
    found: dict[tuple[str, str], list[tuple[str, bool, float]]] = {}
    for line in _dicts(differences) if differences is not None else []:
        better = _better(line)
        if better is not None:
            against = "c" if line["against"] == COPY_SOURCE else "o" if is_beside(line["row"], line["against"]) else "f"
            found.setdefault((line["row"], line["column"]), []).append((against, better, float(line["p_holm"])))
    return found


def _better(difference: dict[str, Any]) -> bool | None:
    """Whether a difference is for the better; None where it may be chance."""
    metric = METRICS.get(difference["metric"])
    if metric is None or pd.isna(difference["p_holm"]) or difference["p_holm"] >= SURE:
        return None
    return bool((difference["value"] < 0) == (metric.direction == "lower"))


def differences_html(differences: pd.DataFrame) -> str:
    """Paired differences: told apart where the test, corrected for their number, says so."""
    lines = []
    for row in _dicts(differences):
        better = _better(row)
        word, mark = {True: ("better", "good"), False: ("worse", "bad"), None: ("not told apart", "soft")}[better]
        value = "-"
        if pd.notna(row["value"]):
            value = f"{row['value']:+.4g}" + interval_html(row["low"], row["high"], row["value"])
        cells = _plain(row, "row", "against", "column")
        p, effect, least = (_number(row[name]) for name in ("p_holm", "effect", "detectable"))
        lines.append(("", [*cells, value, f'<span class="{mark}">{word}</span>', p, effect, least, str(row["n"])]))
    heads = ["row", "against", "column", "difference", "", "p (Holm)", "effect d", "detectable", "pairs"]
    return rows(heads, lines, text=(0, 1, 2))


def _number(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.2g}"


def _block(
    table: pd.DataFrame, prefix: str, winner: str | None, marks: Mapping[tuple[str, str], list[tuple[str, bool, float]]]
) -> str:
    metrics = [m for m in METRICS.values() if f"{prefix}_{m.id}" in table and table[f"{prefix}_{m.id}"].notna().any()]
    best = {metric.id: best_row(table, f"{prefix}_{metric.id}", metric) for metric in metrics}
    lines, shots = [], shown_shots(table)
    for row in _dicts(shown_rows(table, prefix)):
        name, status = str(row["row"]), str(row["status"])
        cells = [html.escape(name) + (' <span class="pill good">chosen</span>' if name == winner else "")]
        cells += [shots[name]] if shots else []
        if status in SCORED:
            for metric in metrics:
                column = f"{prefix}_{metric.id}"
                cells.append(_figure(row, column, marks.get((name, column), []), bold=best[metric.id] == name))
            cells.append(_no_face(row, prefix))
        else:
            cells.append(html.escape(status))
        mark = "reference" if status == "reference" else "best" if name == winner else ""
        lines.append((mark if status in SCORED else "trouble", cells))
    heads = [f"{metric.title} {'↓' if metric.direction == 'lower' else '↑'}" for metric in metrics]
    return rows(["", *(["K"] if shots else []), *heads, "no face"], lines)


def _figure(row: dict[str, Any], column: str, marks: list[tuple[str, bool, float]], *, bold: bool) -> str:
    value = row.get(column)
    if value is None or pd.isna(value):
        return "-"
    value = _round(value)
    scaled = row.get(column + SCALED)
    text = f"<b>{value:.3g}</b>" if bold else f"{value:.3g}"
    text += "" if scaled is None or pd.isna(scaled) else f" ({scaled:.2f})"
    text += "".join(_mark(*mark) for mark in marks)
    lost = row.get(f"{column}_no_face")  # there where the metric has a judge of its own
    text += f"<br>no face in {lost:.0f}" if lost is not None and not pd.isna(lost) and lost else ""
    return text + interval_html(row.get(f"{column}_low"), row.get(f"{column}_high"), value)


def _mark(against: str, better: bool, p: float) -> str:
    said = f"{'better' if better else 'worse'} than {_AGAINST[against]}, p = {p:.2g}"
    colour, arrow = ("good", "▲") if better else ("bad", "▼")
    return f'<sup class="mark {colour}" title="{said}">{arrow}{against}</sup>'


def interval_html(low: float | None, high: float | None, value: float) -> str:
    """An interval below its value, to as many places as the value's three digits have: nothing sure is lost."""
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return ""
    places = min(max(2 - math.floor(math.log10(abs(value))), 0), 6) if value else 2
    return f'<span class="interval">{_round(low):.{places}f} to {_round(high):.{places}f}</span>'


def mean_html(figure: Mapping[str, Any] | None, *, scale: float = 1.0, digits: int = 2) -> str:
    """A record of `value`, `low` and `high` to so many places; "-" where nothing is known."""
    if not figure or figure["value"] is None:
        return "-"
    low, high = figure["low"], figure["high"]
    within = "" if low is None else f"{scale * low:.{digits}f} to {scale * high:.{digits}f}"
    return f"{scale * figure['value']:.{digits}f}" + (f'<span class="interval">{within}</span>' if within else "")


def _round(value: float) -> float:
    """What is nothing but for rounding is nothing: 1e-17 would make its column the widest."""
    return 0.0 if abs(value) < 1e-9 else value


def _no_face(row: dict[str, Any], prefix: str) -> str:
    missed, pairs = row.get(f"{prefix}_no_face"), row.get(f"{prefix}_pairs")
    return "-" if missed is None or pairs is None or pd.isna(missed) else f"{missed:.0f}/{pairs:.0f}"


def _plain(row: dict[str, Any], *names: str) -> list[str]:
    return [html.escape(str(row[name])) for name in names]


def _dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
