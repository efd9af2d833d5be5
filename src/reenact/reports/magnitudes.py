"""How much each loss term weighs: weight times magnitude over the training, and at its end, side by side.

A term that outgrows the others decides what a network learns: where self-consistency does, handing back the source is
the easiest way out.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.evaluation.collect import Entry
from reenact.reports.curves import COLOURS, thinned
from reenact.reports.page import inline

LAST = 0.1  # share of the training at whose end the bars are taken


def weighted(training: Path | None) -> pd.DataFrame:
    """Columns `samples`, `total` and a column per term that has a weight: weight x |value|. Empty without a record."""
    history, weights = history_of(training), weights_of(training)
    if history.empty or not weights:
        return pd.DataFrame()
    known = history[history["name"].isin([*weights, "total"])]
    wide = known.pivot_table(index="samples", columns="name", values="value").reset_index()
    for name in [name for name in wide.columns if name in weights]:
        wide[name] = wide[name].abs() * weights[name]
    first = [name for name in ("samples", "total") if name in wide]
    return wide[[*first, *(name for name in weights if name in wide and weights[name])]]


def history_of(training: Path | None) -> pd.DataFrame:
    """The history of a training; empty where there is none that can be read: that costs its curve, not the report."""
    path = training / "history.parquet" if training else None
    try:
        if path and path.exists():
            return read_table(path, kind="history")
    except ReenactError:
        pass
    return pd.DataFrame(columns=["step", "samples", "seconds", "name", "value"])


def weights_of(training: Path | None) -> dict[str, float]:
    """Weight of each term by the settings of the training; {} where nothing is known."""
    try:
        status: Any = json.loads((training / "status.json").read_text()) if training else {}
        weights = (status.get("system_settings") or {}).get("weights") or {}
        return {str(name): float(weight) for name, weight in weights.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def magnitudes_html(entries: Sequence[Entry]) -> str:
    """A chart per branch: each term's weighted magnitude over samples, and bars of its mean at the end."""
    curves = {entry.name: weighted(entry.training) for entry in entries}
    terms = list(dict.fromkeys(name for wide in curves.values() for name in wide.columns[1:] if name != "total"))
    drawn = [(name, wide) for name, wide in curves.items() if any(term in wide for term in terms)]
    if not drawn:
        return '<p class="soft">No branch left a history with the weights of its terms.</p>'
    colours = {term: COLOURS[place % len(COLOURS)] for place, term in enumerate(terms)}
    everything = np.concatenate([wide[terms_of(wide, terms)].to_numpy(dtype=float).ravel() for _, wide in drawn])
    positive = everything[np.isfinite(everything) & (everything > 0)]
    scale = (float(positive.min()), float(positive.max())) if len(positive) else (0.1, 1.0)
    scale = (max(scale[0], scale[1] * 1e-5) / 1.3, scale[1] * 1.3)
    return '<div class="charts wide">' + "".join(_chart(name, wide, colours, scale) for name, wide in drawn) + "</div>"


def terms_of(wide: pd.DataFrame, terms: Sequence[str]) -> list[str]:
    """Those of the terms that this branch has."""
    return [term for term in terms if term in wide]


def at_the_end(wide: pd.DataFrame) -> pd.Series:
    """Mean of each column over the last tenth of the samples."""
    return wide[wide["samples"] >= wide["samples"].max() * (1 - LAST)].mean()


def _chart(name: str, wide: pd.DataFrame, colours: Mapping[str, str], scale: tuple[float, float]) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    terms, end = terms_of(wide, list(colours)), at_the_end(wide)
    figure = Figure(figsize=(7.4, 2.9), layout="constrained")
    FigureCanvasSVG(figure)
    lines, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    for term in terms:
        line = thinned(wide[["samples", term]])
        lines.plot(line["samples"], line[term].clip(lower=scale[0]), color=colours[term], linewidth=1.3,
                   marker="." if len(line) < 3 else None)  # fmt: skip
    lines.set(yscale="log", ylim=scale)
    lines.set_xlabel("samples", fontsize=8)
    lines.set_title(name, fontsize=10)
    shown = [float(end[term]) for term in terms]
    bars.barh(terms, shown, color=[colours[term] for term in terms])
    for place, value in enumerate(shown):
        bars.text(max(value, scale[0]) * 1.15, place, f"{value:.2g}", va="center", fontsize=7)
    bars.set(xscale="log", xlim=(scale[0], scale[1] * 4))
    bars.invert_yaxis()
    bars.set_title("last tenth, mean", fontsize=9)
    for axes in (lines, bars):
        axes.tick_params(labelsize=7.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    said = ", ".join(f"{term} {value:.2g}" for term, value in zip(terms, shown, strict=True))
    return inline(buffer.getvalue(), "image/svg+xml", alt=f"{name}: weighted magnitude of each term; at the end {said}")
