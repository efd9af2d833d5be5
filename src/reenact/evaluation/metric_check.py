"""Do metrics that need no true picture rank systems as the true picture does? Spearman's correlation over rows.

Where the truth of a cross pair is known (protocol cross_truth), SSIM, MSE, NME and CSIM against it say who is better.
CSIM to the source, PSIM, pose angle, ED and LSIM are what everybody reports where it is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from reenact.evaluation.metrics.catalogue import METRICS

FEWEST = 4  # rows below which nothing can be said
FREE = ("csim_source", "psim", "pose_angle", "ed", "lsim")  # in columns cross_
KNOWN = ("ssim", "mse", "nme", "csim_truth")  # in columns crosstruth_
COLUMNS = ("metric", "against", "correlation", "low", "high", "rows")


def rank_correlations(table: pd.DataFrame, *, seen: str = "") -> pd.DataFrame:
    """`COLUMNS` for every metric of `FREE` against each of `KNOWN`, over a table's rows that have both.

    1: rows are ranked alike, -1: the other way round, whichever way is better for each. The 95 % interval is Fisher's
    with the variance of Fieller, Hartley and Pearson (1957), 1.06 / (n - 3): of few rows it is wide. Empty where fewer
    than `FEWEST` rows have figures. `seen`: "seen_" for the columns of seen people.
    """
    records = []
    for free in FREE:
        for known in KNOWN:
            columns = [f"{seen}cross_{free}", f"{seen}crosstruth_{known}"]
            if not set(columns) <= set(table.columns):
                continue
            values = table[columns].dropna()
            if len(values) < FEWEST:
                continue
            a, b = (_sign(name) * values[column] for name, column in zip((free, known), columns, strict=True))
            low, high, rho = _interval(a, b)
            records.append({"metric": free, "against": known, "correlation": rho, "low": low, "high": high,
                            "rows": len(values)})  # fmt: skip
    return pd.DataFrame(records, columns=list(COLUMNS))


HEADING = "\n## Metrics without a truth beside those against the true picture: how alike they rank the rows\n\n"


def check_markdown(check: pd.DataFrame, *, heading: bool = False) -> str:
    """A line per metric, a column per figure against the truth; "" for an empty check."""
    if check.empty:
        return ""
    heads = [METRICS[name].title for name in KNOWN]
    lines = [_line([f"over {check['rows'].max()} rows", *heads]), _line(["---"] * (len(heads) + 1))]
    for free, group in check.groupby("metric", sort=False):
        found = {str(row["against"]): _cell(row) for row in group.to_dict("records")}
        cells = [found.get(name, "-") for name in KNOWN]
        lines.append(_line([METRICS[str(free)].title, *cells]))
    return (HEADING if heading else "") + "\n".join(lines) + "\n"


def _interval(a: pd.Series, b: pd.Series) -> tuple[float, float, float]:
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = float(stats.spearmanr(a, b).statistic) if a.nunique() > 1 and b.nunique() > 1 else float("nan")
        reach = 1.96 * np.sqrt(1.06 / (len(a) - 3))
        middle = np.arctanh(np.clip(rho, -0.9999, 0.9999))
    return float(np.tanh(middle - reach)), float(np.tanh(middle + reach)), rho


def _sign(metric: str) -> int:
    return 1 if METRICS[metric].direction == "higher" else -1


def _cell(row: Mapping[Any, Any]) -> str:
    return "-" if pd.isna(row["correlation"]) else f"{row['correlation']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
