"""How alike metrics without a truth and those against the true picture rank the rows, as a table."""

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reenact.evaluation.metric_check import KNOWN
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.reports.page import rows

CHECKED = (
    "Where the true picture of a cross pair is known: Spearman's correlation over the rows of each metric that needs "
    "no truth with each against it. 1: they rank the rows alike, -1: the other way round, whichever way is better."
)


def check_html(check: pd.DataFrame) -> str:
    """A line per metric; "" where there were too few rows to say anything."""
    if check.empty:
        return ""
    lines = []
    for free, group in check.groupby("metric", sort=False):
        found = {str(row["against"]): _cell(row) for row in group.to_dict("records")}
        lines.append(("", [html.escape(METRICS[str(free)].title), *(found.get(name, "-") for name in KNOWN)]))
    return rows([f"over {check['rows'].max()} rows", *(METRICS[name].title for name in KNOWN)], lines)


def _cell(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["correlation"]):
        return "-"
    return f'{row["correlation"]:+.2f}<span class="interval">{row["low"]:+.2f} to {row["high"]:+.2f}</span>'
