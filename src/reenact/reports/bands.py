"""Figures by bands: how far the driver turns, how unlike source and driver are, how many sources were given."""

import html
import io
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.reports.curves import COLOURS
from reenact.reports.page import inline, rows

MOST = 6  # charts of a kind; the others' figures are in the table below them
_KINDS = {
    "yaw": "By the driver's yaw, degrees to either side",
    "shape": "By how unlike the faces of source and driver are",
    "shots": "By the number of source pictures",
}
_FIRST = ("pose_angle", "ed", "csim_truth", "csim_source", "lsim", "ssim", "mse")


def read_bands(path: Path) -> pd.DataFrame:
    """The table of bands; empty where there is none."""
    try:
        return read_table(path, kind="bands")
    except ReenactError:
        return pd.DataFrame()


def bands_html(bands: pd.DataFrame, *, metric: str) -> str:
    """Charts per kind of band, the metric that chooses first, with the share that could be judged below each."""
    blocks = []
    for kind, group in bands.groupby("kind", sort=False) if len(bands) else ():
        charts = _ordered(group, metric)
        drawn = "".join(_chart(name, chart) for name, chart in charts[:MOST])
        title = html.escape(_KINDS.get(str(kind), str(kind)))
        table = f"<details><summary>{len(group)} figures</summary>{_table(group)}</details>"
        blocks.append(f'<h3>{title}</h3><div class="charts">{drawn}</div>{table}')
    return "".join(blocks) or '<p class="soft">This comparison has no figures by bands.</p>'


def _ordered(group: pd.DataFrame, metric: str) -> list[tuple[str, pd.DataFrame]]:
    """(title, figures) of each metric, protocol and kind of identities, those most looked at first."""
    order = list(dict.fromkeys([metric, *_FIRST, *METRICS]))
    found = []
    for (name, protocol, identities), chart in group.groupby(["metric", "protocol", "identities"], sort=False):
        if chart["value"].notna().any():
            known = METRICS.get(str(name))
            title = f"{known.title if known else name}, {protocol}" + (", seen" if identities == "seen" else "")
            found.append((order.index(name) if name in order else len(order), title, chart))
    return [(title, chart) for _, title, chart in sorted(found, key=lambda one: one[0])]


def _chart(title: str, chart: pd.DataFrame) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    bands, names = list(dict.fromkeys(chart["band"])), list(dict.fromkeys(chart["row"]))
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    FigureCanvasSVG(figure)
    values, judged = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    for place, name in enumerate(names):
        line = chart[chart["row"] == name].drop_duplicates("band").set_index("band").reindex(bands)
        across = [spot + (place - (len(names) - 1) / 2) * 0.5 / max(len(names), 1) for spot in range(len(bands))]
        colour = COLOURS[place % len(COLOURS)]
        below, above = (line["value"] - line["low"]).clip(lower=0), (line["high"] - line["value"]).clip(lower=0)
        values.errorbar(across, line["value"], yerr=[below.fillna(0), above.fillna(0)], color=colour, label=str(name),
                        fmt="o-", markersize=3, linewidth=1, capsize=2)  # fmt: skip
        judged.plot(across, line["judged"], "o-", color=colour, markersize=2.5, linewidth=0.9)
    values.set_title(title, fontsize=10)
    values.legend(fontsize=6.5, frameon=False)
    judged.set(ylim=(-0.05, 1.05), xticks=range(len(bands)))
    judged.set_xticklabels([str(band) for band in bands])
    judged.set_ylabel("judged", fontsize=7)
    for axes in (values, judged):
        axes.tick_params(labelsize=7.5)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return inline(
        buffer.getvalue(), "image/svg+xml", alt=f"{title}, by band, with 95 % intervals; figures in the table"
    )


def _table(group: pd.DataFrame) -> str:
    lines = []
    for line in group.to_dict("records"):
        words = [html.escape(str(line[name])) for name in ("row", "band", "protocol", "identities", "metric")]
        lines.append(("", [*words, _number(line["value"]), f"{_number(line['low'])} to {_number(line['high'])}",
                           str(line["people"]), str(line["pairs"]), _number(line["judged"])]))  # fmt: skip
    heads = ["row", "band", "protocol", "identities", "metric", "value", "interval", "people", "pairs", "judged"]
    return rows(heads, lines, text=(1, 2, 3, 4))


def _number(value: Any) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.3g}"
