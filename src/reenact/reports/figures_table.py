"""The comparison's figures as HTML: one table per protocol and kind of identities."""

import html
from typing import Any

import pandas as pd

from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.scaled import SCALED
from reenact.evaluation.table import SCORED, best_row
from reenact.reports.page import rows

TITLES = {
    "self": "Self-reenactment of unseen identities",
    "cross": "Cross-reenactment of unseen identities",
    "seen_self": "Self-reenactment of seen identities",
    "seen_cross": "Cross-reenactment of seen identities",
}


def figures_html(table: pd.DataFrame, winner: str | None) -> str:
    """Means with their intervals; the best branch of a column in bold, the chosen one on a coloured row."""
    blocks = [
        f"<h3>{title}</h3>" + _block(table, prefix, winner)
        for prefix, title in TITLES.items()
        if any(f"{prefix}_{name}" in table for name in METRICS)
    ]
    return "".join(blocks) or rows(["row", "status"], [("trouble", _plain(r, "row", "status")) for r in _dicts(table)])


def differences_html(differences: pd.DataFrame) -> str:
    """Paired differences: told apart where the test, corrected for their number, says so."""
    lines = []
    for row in _dicts(differences):
        metric = METRICS.get(row["metric"])
        sure = pd.notna(row["p_holm"]) and row["p_holm"] < 0.05
        better = metric is not None and sure and (row["value"] < 0) == (metric.direction == "lower")
        word = ("better" if better else "worse") if sure else "not told apart"
        mark = "good" if better else ("bad" if sure else "soft")
        value = f"{row['value']:+.4g}" + _interval(row["low"], row["high"]) if pd.notna(row["value"]) else "-"
        cells = _plain(row, "row", "against", "column")
        p, effect, least = (_number(row[name]) for name in ("p_holm", "effect", "detectable"))
        lines.append(("", [*cells, value, f'<span class="{mark}">{word}</span>', p, effect, least, str(row["n"])]))
    heads = ["row", "against", "column", "difference", "", "p (Holm)", "effect d", "detectable", "pairs"]
    return rows(heads, lines, text=(0, 1, 2))


def _number(value: float | None) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.2g}"


def _block(table: pd.DataFrame, prefix: str, winner: str | None) -> str:
    metrics = [metric for metric in METRICS.values() if f"{prefix}_{metric.id}" in table]
    best = {metric.id: best_row(table, f"{prefix}_{metric.id}", metric) for metric in metrics}
    lines = []
    for row in _dicts(table):
        name, status = str(row["row"]), str(row["status"])
        cells = [html.escape(name) + (' <span class="pill good">chosen</span>' if name == winner else "")]
        if status in SCORED:
            cells += [_figure(row, f"{prefix}_{metric.id}", bold=best[metric.id] == name) for metric in metrics]
            cells.append(_no_face(row, prefix))
        else:
            cells[0] += f'<br><span class="small">{html.escape(status)}</span>'
            cells += [""] * (len(metrics) + 1)
        mark = "reference" if status == "reference" else "best" if name == winner else ""
        lines.append((mark if status in SCORED else "trouble", cells))
    heads = [f"{metric.title} {'↓' if metric.direction == 'lower' else '↑'}" for metric in metrics]
    return rows(["", *heads, "no face"], lines)


def _figure(row: dict[str, Any], column: str, *, bold: bool) -> str:
    value = row.get(column)
    if value is None or pd.isna(value):
        return "-"
    scaled = row.get(column + SCALED)
    text = f"{value:.4g}" + ("" if scaled is None or pd.isna(scaled) else f" ({scaled:.2f})")
    return (f"<b>{text}</b>" if bold else text) + _interval(row.get(f"{column}_low"), row.get(f"{column}_high"))


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None or pd.isna(low) or pd.isna(high):
        return ""
    return f'<span class="interval">{low:.4g} to {high:.4g}</span>'


def _no_face(row: dict[str, Any], prefix: str) -> str:
    missed, pairs = row.get(f"{prefix}_no_face"), row.get(f"{prefix}_pairs")
    return "-" if missed is None or pairs is None or pd.isna(missed) else f"{missed:.0f} of {pairs:.0f}"


def _plain(row: dict[str, Any], *names: str) -> list[str]:
    return [html.escape(str(row[name])) for name in names]


def _dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
