"""How well generated stretches of video are told from real ones, as a small table."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from reenact.evaluation.detection import MEASURES
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.reports.page import rows

LEAD = (
    "Area under the ROC curve of stretches of video, generated against real: 0.5 is chance, above it generated video "
    "scores higher, below it lower, which gives it away as well. 95 % intervals are over people."
)


def detection_html(records: Sequence[Mapping[str, Any]]) -> str:
    """The table; empty where nothing was filmed."""
    by = {(r["row"], r["protocol"], r["measure"]): r for r in records}
    lines = []
    for row, protocol in dict.fromkeys((r["row"], r["protocol"]) for r in records):
        found = [by.get((row, protocol, measure), {}) for measure in MEASURES]
        stretches = max((r.get("n", 0) for r in found), default=0)
        cells = [html.escape(str(row)), html.escape(str(protocol)), *map(_cell, found), str(stretches)]
        lines.append(("", cells))
    head = ["", "protocol", *(METRICS[name].title for name in MEASURES), "stretches"]
    return rows(head, lines, text=(1,)) if lines else ""


def _cell(record: Mapping[str, Any]) -> str:
    if record.get("value") is None:
        return "-"
    low, high = record.get("low"), record.get("high")
    within = "" if low is None else f'<span class="interval">{low:.2f} to {high:.2f}</span>'
    return f"{record['value']:.2f}{within}"
