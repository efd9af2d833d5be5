"""Best, median and worst pictures of every branch, picked by the metric that chooses, not by hand."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.samples import NO_FACE, cases, decoded, without_face
from reenact.reports.grids import error_map
from reenact.reports.page import rows
from reenact.reports.strips import face

_PLACES = ("best", "median", "worst", NO_FACE)


def cases_html(entries: Sequence[Entry], samples: Mapping[str, pd.DataFrame], rule: Mapping[str, Any]) -> str:
    """A row per branch; each case is source, driver or truth, generated, and the error where there is a truth."""
    metric, protocol = METRICS.get(str(rule.get("metric"))), str(rule.get("protocol"))
    if metric is None or metric.per_pair is None or protocol.endswith("video"):
        return '<p class="soft">The metric that chooses has no value per picture, so it can\'t pick any.</p>'
    lines = []
    for entry in entries:
        if entry.name in samples:
            cells = _cases(entry, samples[entry.name], metric, protocol)
            lines.append(("", [html.escape(entry.name), *(cells.get(place, "") for place in _PLACES)]))
    if not lines:
        return '<p class="soft">No branch left pictures.</p>'
    heads = ["", *_PLACES[:3], "no face found"]
    if not any(cells[-1] for _, cells in lines):
        heads, lines = heads[:-1], [(mark, cells[:-1]) for mark, cells in lines]
    return '<div class="cases">' + rows(heads, lines, text=range(1, len(heads))) + "</div>"


def _cases(entry: Entry, samples: pd.DataFrame, metric: Metric, protocol: str) -> dict[str, str]:
    faces = entry.faces
    own = faces[(faces["row"] == entry.name) & (faces["split"] == "test") & (faces["protocol"] == protocol)]
    kinds = list(own["identities"].unique())
    own = own[own["identities"] == ("unseen" if "unseen" in kinds else "seen")]
    pictures = samples[samples["protocol"] == protocol].set_index("pair")
    unit = "" if metric.unit == "1" else f" {metric.unit}"
    found = [(place, pair, f"{metric.title} {value:.3g}{unit}") for place, pair, value in cases(own, metric)]
    lost = without_face(own)
    found += [(NO_FACE, pair, f"one of {len(lost)}") for pair in lost[:1]]
    return {
        place: _case(pictures.loc[pair].to_dict(), f"{entry.name}, {place}", said)
        for place, pair, said in found
        if pair in pictures.index
    }


def _case(sample: Mapping[Any, Any], alt: str, said: str) -> str:
    source, driving, truth, generated = (decoded(sample, r) for r in ("source", "driving", "truth", "generated"))
    aim = (driving, "driver", False) if truth is None else (truth, "truth", False)
    shown = [(source, "source", False), aim, (generated, "generated, a synthetic face", True)]
    if truth is not None and generated is not None:
        shown.append((np.asarray(error_map(generated, truth)), "where they differ", False))
    faces = "".join(face(image, f"{alt}: {what}", fake=fake) for image, what, fake in shown if image is not None)
    who = html.escape(f"{sample['identity']}: {said}")
    return f'<div class="case">{faces}</div><span class="small">{who}</span>'
