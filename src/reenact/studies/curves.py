"""A study's curves: a point per row or per number of source pictures, with its interval."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from reenact.evaluation.metrics.catalogue import METRICS
from reenact.reports.curves import COLOURS
from reenact.studies.figures import Figures
from reenact.studies.settings import Curve, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLUMNS = ("curve", "metric", "series", "x", "row", "value", "low", "high", "pairs", "people")


def points(study: Study, figures: Figures) -> pd.DataFrame:
    """`COLUMNS`, a line per point of every curve; NaN where a row has no figure."""
    records = []
    for name, curve in study.curves.items():
        for metric in curve.metrics:
            for series, said in curve.series.items():
                for x, row in said.named():
                    found = figures.figure(row, metric, curve.protocol)
                    records.append((name, metric, series, x, row, found.value, found.low, found.high, found.n,
                                    found.people))  # fmt: skip
    table = pd.DataFrame(records, columns=list(COLUMNS))
    return table.astype(dict.fromkeys(("x", "value", "low", "high"), "float64"))


def draw(curve: Curve, own: pd.DataFrame) -> dict[str, bytes]:
    """A chart per metric side by side, as `svg` and `png`; `own`: the curve's points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    shown = [metric for metric in curve.metrics if own.loc[own["metric"] == metric, "value"].notna().any()]
    if not shown:
        return {}
    figure = Figure(figsize=(4.3 * len(shown), 3.5), layout="constrained")
    # Attaches itself; without a canvas the figure would look for a display.
    FigureCanvasAgg(figure)
    charts = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, metric in zip(charts, shown, strict=True):
        _chart(axes, curve, own[own["metric"] == metric], metric)
    lines, names = charts[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=2 * len(shown), fontsize=8, frameon=False)
    return {"png": _saved(figure, "png"), "svg": _saved(figure, "svg", FigureCanvasSVG)}


def _chart(axes: "Axes", curve: Curve, own: pd.DataFrame, metric: str) -> None:
    series: Mapping[str, pd.DataFrame] = {str(name): group for name, group in own.groupby("series", sort=False)}
    for place, (name, line) in enumerate(series.items()):
        known = line[line["value"].notna()]
        below, above = (known["value"] - known["low"]).clip(lower=0), (known["high"] - known["value"]).clip(lower=0)
        aside = (place - (len(series) - 1) / 2) * 0.012  # intervals at one x must not hide each other
        across = known["x"] * (1 + aside) if curve.log else known["x"] + aside * own["x"].max()
        axes.errorbar(across, known["value"], yerr=[below.fillna(0), above.fillna(0)], label=name, fmt="o-",
                      color=COLOURS[place % len(COLOURS)], markersize=3.5, linewidth=1.2, capsize=2)  # fmt: skip
    if curve.log:
        axes.set_xscale("log", base=2)
    ticks = sorted(set(own["x"]))
    axes.set_xticks(ticks)
    axes.set_xticklabels([f"{x:g}" for x in ticks])
    axes.minorticks_off()
    known_metric = METRICS[metric]
    axes.set_title(f"{known_metric.title}, {known_metric.direction} is better", fontsize=10)
    axes.set_xlabel(curve.x, fontsize=8.5)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _saved(figure: "Canvas", kind: str, canvas: type | None = None) -> bytes:
    if canvas:
        canvas(figure)
    buffer = io.BytesIO()
    # Without a date equal contents are equal files.
    figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    return buffer.getvalue()
