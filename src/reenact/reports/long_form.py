"""The comparison's figures in the forms that other programs read: a line per figure, DVC's metrics, DVC's plots."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.atomic import write_text
from reenact.evaluation.assemble import Comparison
from reenact.evaluation.further_names import is_beside
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.reference_names import COPY_SOURCE
from reenact.evaluation.scaled import SCALED
from reenact.evaluation.table import FACTS
from reenact.reports.magnitudes import weighted


def columns_of(table: pd.DataFrame) -> dict[str, str]:
    """Columns with figures and the metric of each, in their order; those that no row has a value in are left out."""
    found = {}
    for name in table.columns:
        ids = [metric for metric in METRICS if str(name).endswith(f"_{metric}")]
        if ids and table[name].notna().any():
            found[str(name)] = max(ids, key=len)
    return found


def figures_table(comparison: Comparison) -> pd.DataFrame:
    """A line per row and column with a figure: value, interval, pairs, and the tests against copy source, full and the
    same network with the driver's own landmarks."""
    table = comparison.table
    tests = _tests(comparison.differences)
    lines: list[dict[str, Any]] = []
    for row in table.to_dict("records"):
        for column, metric in columns_of(table).items():
            if pd.isna(row[column]):
                continue
            unit = METRICS[metric].unit
            more = {name: row.get(column + suffix) for name, suffix in
                    (("low", "_low"), ("high", "_high"), ("pairs", "_n"), ("scaled", SCALED))}  # fmt: skip
            line = {**{name: row[name] for name in FACTS}, "column": column, "metric": metric, "unit": unit,
                    "direction": METRICS[metric].direction, "value": row[column], **more}  # fmt: skip
            lines.append({**line, **tests.get((row["row"], column), {})})
    heads = [*FACTS, "column", "metric", "unit", "direction", "value", "low", "high", "pairs", "scaled",
             "p_holm_copy", "p_holm_full", "p_holm_own"]  # fmt: skip
    return pd.DataFrame(lines, columns=heads)


def _tests(differences: pd.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for line in differences.to_dict("records"):
        row, against = line["row"], line["against"]
        other = "copy" if against == COPY_SOURCE else "own" if is_beside(row, against) else "full"
        found.setdefault((row, line["column"]), {})[f"p_holm_{other}"] = line["p_holm"]
    return found


def dvc_metrics(comparison: Comparison) -> dict[str, Any]:
    """What `dvc metrics show` and `dvc metrics diff` show: the chosen branch's figures, then every branch's."""
    table = comparison.table
    scored = table[table["status"] == "trained"]
    columns = columns_of(table)
    branches = {
        str(row["row"]): {name: float(row[name]) for name in columns if pd.notna(row[name])}
        for row in scored.to_dict("records")
    }
    counts = {"compared": len(scored), "lost": len(comparison.entries) - len(scored)}
    chosen = branches.get(str(comparison.winner["branch"]), {})
    return {"branches_compared": counts["compared"], "branches_lost": counts["lost"], "chosen": chosen, "all": branches}


def write_plots(folder: Path, comparison: Comparison) -> None:
    """Files for `dvc plots`: figures/COLUMN.csv (row, interval), losses/BRANCH.csv (total and weighted terms)."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("figures", "losses"):
        (folder / part).mkdir(parents=True)
    table = comparison.table
    for column in columns_of(table):
        chosen = table[table[column].notna()]
        frame = pd.DataFrame({"row": chosen["row"], "value": chosen[column]})
        for edge in ("low", "high"):
            frame[edge] = chosen[f"{column}_{edge}"] if f"{column}_{edge}" in chosen else float("nan")
        write_text(folder / "figures" / f"{column}.csv", frame.to_csv(index=False))
    for entry in comparison.entries:
        curves = weighted(entry.training)
        if not curves.empty:
            name = entry.name.replace("/", "~")
            write_text(folder / "losses" / f"{name}.csv", curves.to_csv(index=False))
