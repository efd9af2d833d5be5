"""The comparison as LaTeX: a tabular per protocol and kind of identities, for booktabs."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reenact.evaluation.markdown import TITLES
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.table import best_row, columns_of, shown_rows, shown_shots

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: "\\" + sign for sign in "&%$#_{}"
}


def to_latex(table: pd.DataFrame) -> str:
    """Means, their 95 % intervals small behind them, the best trained row of a column in bold."""
    blocks = [
        _block(table, prefix, title, metrics)
        for prefix, title in TITLES.items()
        if (metrics := columns_of(table, prefix))
    ]
    return "% needs \\usepackage{booktabs}\n" + "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Text that stands for itself in LaTeX."""
    return "".join(_SPECIAL.get(sign, sign) for sign in text)


def _block(table: pd.DataFrame, prefix: str, title: str, metrics: list[Metric]) -> str:
    arrows = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}
    shots = shown_shots(table)
    heads = " & ".join(
        ["", *(["$K$"] if shots else []), *(f"{escaped(m.title)} {arrows[m.direction]}" for m in metrics)]
    )
    best = {m.id: best_row(table, f"{prefix}_{m.id}", m) for m in metrics}
    lines: list[str] = []
    for row in shown_rows(table, prefix).to_dict("records"):
        cells = [_cell(row, f"{prefix}_{m.id}", bold=best[m.id] == row["row"]) for m in metrics]
        if row["kind"] == "branch" and lines and r"\midrule" not in lines:  # after the references
            lines.append(r"\midrule")
        k = [shots[str(row["row"])]] if shots else []
        lines.append(" & ".join([escaped(str(row["row"])), *k, *cells]) + r" \\")
    columns = "l" + "r" * (len(metrics) + bool(shots))
    return "\n".join([
        f"% {title}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", heads + r" \\", r"\midrule", *lines,
        r"\bottomrule", r"\end{tabular}",
    ])  # fmt: skip


def _cell(row: Mapping[Any, Any], name: str, *, bold: bool) -> str:
    value, low, high = (row.get(name + suffix) for suffix in ("", "_low", "_high"))
    if value is None or pd.isna(value):
        return "--"
    text = f"{value:.3g}"
    shown = rf"\textbf{{{text}}}" if bold else text
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return shown
    return rf"{shown} {{\scriptsize [{low:.3g}, {high:.3g}]}}"
