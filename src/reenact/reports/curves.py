"""Loss curves per term as small charts, one line per branch."""

import io
from collections.abc import Mapping

import pandas as pd

from reenact.reports.page import inline

LEVEL = "_copy_source"
_POINTS = 300  # per line: more can't be seen
# Told apart by people with any colour vision (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def curves_html(histories: Mapping[str, pd.DataFrame]) -> str:
    """Charts of all names that the branches' `history.parquet` hold, over samples."""
    names = sorted({name for history in histories.values() for name in history["name"]})
    # What copying the source would have is a level, drawn in the chart of the same figure.
    charts = "".join(
        _chart(name, histories) for name in names if not name.endswith(LEVEL) or name.removesuffix(LEVEL) not in names
    )
    return f'<div class="charts">{charts}</div>' if charts else "<p>No branch left a history.</p>"


def _chart(name: str, histories: Mapping[str, pd.DataFrame]) -> str:
    # The object interface: pyplot would keep figures and look for a display.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for index, (branch, history) in enumerate(histories.items()):
        line = history[history["name"] == name].sort_values("samples")
        if line.empty:
            continue
        line = thinned(line)
        axes.plot(line["samples"], line["value"], label=branch, color=COLOURS[index % len(COLOURS)], linewidth=1.3,
                  marker="." if len(line) < 3 else None)  # fmt: skip
    for history in histories.values():
        level = history.loc[history["name"] == name + LEVEL, "value"]
        if len(level):
            axes.axhline(float(level.iloc[0]), color="#777777", linewidth=1, linestyle="--", label="copy source")
            break  # all branches validate on the same pairs
    axes.set_title(name, fontsize=10)
    axes.set_xlabel("samples", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1] != [next(iter(histories))]:
        axes.legend(fontsize=7, frameon=False)
    buffer = io.BytesIO()
    # Without a date equal contents are equal files.
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return inline(buffer.getvalue(), "image/svg+xml", alt=f"{name} over samples")


def thinned(line: pd.DataFrame) -> pd.DataFrame:
    """Means of equal stretches: noise gets quieter, and no peak is shown that is a single step's."""
    if len(line) <= _POINTS:
        return line
    stretch = pd.Series(range(len(line)), index=line.index) * _POINTS // len(line)
    return line.select_dtypes("number").groupby(stretch).mean()
