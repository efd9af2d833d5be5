"""Every file of a comparison: for people, for programs, for papers, for DVC."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.atomic import write_json, write_text
from reenact.corpus.tables import FORMAT, write_table
from reenact.evaluation.assemble import Comparison
from reenact.evaluation.detection import TITLE as DETECTION
from reenact.evaluation.detection import detection_markdown
from reenact.evaluation.judge_tables import judges_markdown, judges_plain
from reenact.evaluation.latex import to_latex
from reenact.evaluation.markdown import to_markdown
from reenact.evaluation.metric_check import check_markdown
from reenact.reports.long_form import dvc_metrics, figures_table, write_plots


def write_comparison(out: Path, comparison: Comparison, context: Mapping[str, Any]) -> None:
    """Write table, differences, winner, metrics and plots of DVC, and the report, whose other facts are `context`."""
    from reenact.reports.comparison import write_report

    table, winner = comparison.table, comparison.winner
    write_table(out / "table.parquet", table, kind="comparison")
    write_table(out / "differences.parquet", comparison.differences, kind="differences")
    write_text(out / "table.csv", table.to_csv(index=False))
    write_text(out / "figures.csv", figures_table(comparison).to_csv(index=False))
    write_text(out / "table.tex", to_latex(table))
    write_table(out / "bands.parquet", comparison.bands, kind="bands")
    write_text(out / "bands.csv", comparison.bands.to_csv(index=False))
    text = to_markdown(table, winner=winner["branch"], notes=comparison.notes)
    told = f"\n## {DETECTION}\n\n{detection_markdown(comparison.detection)}\n" if comparison.detection else ""
    write_text(
        out / "table.md",
        text + check_markdown(comparison.metric_check, heading=True) + told + judges_markdown(comparison.trained),
    )
    plain = {"rows": _plain(table), "differences": _plain(comparison.differences), "notes": list(comparison.notes),
             "bands": _plain(comparison.bands), "metric_check": _plain(comparison.metric_check),
             "format": FORMAT, **comparison.shared, **judges_plain(comparison.trained)}  # fmt: skip
    write_json(out / "table.json", plain)
    write_json(out / "winner.json", winner)
    write_json(out / "detection.json", {"format": FORMAT, "records": list(comparison.detection)})
    write_json(out / "metrics.json", dvc_metrics(comparison))
    write_plots(out / "plots", comparison)
    # A report that can't be drawn must not hide the figures: the table is on disk by now.
    write_report(out / "report.html", comparison=comparison, context=context)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain JSON types, NaN as None."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows
