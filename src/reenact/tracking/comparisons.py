"""A comparison as a run of MLflow: its tables, its page, the chosen branch's figures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.hashing import hash_file
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.runs import branch_run

FILES = (
    "report.html", "table.csv", "table.md", "table.tex", "table.json", "figures.csv", "bands.csv", "metrics.json",
    "winner.json",
)  # fmt: skip
TABLES = {"figures.json": "figures.csv", "table.json": "table.csv"}  # as MLflow's page shows tables


def log_comparison(folder: Path, tracking: TrackingSettings, *, rule: Mapping[str, Any]) -> str:
    """Log a finished comparison; returns the id of its run, "" where MLflow is away.

    Equal figures are one run, however often they are compared. What can't be delivered is said; numbers are kept and
    sent next time, files are sent by the next comparison.
    """
    metrics = json.loads((folder / "metrics.json").read_text())
    winner = json.loads((folder / "winner.json").read_text())
    tags = {"reenact.kind": "comparison", "chosen": str(winner["branch"] or "")}
    key = hash_file(folder / "table.json")
    with branch_run(tracking, key=key, name="comparison", params={"choose": dict(rule)}, tags=tags) as tracker:
        counts = {name: float(value) for name, value in metrics.items() if not isinstance(value, Mapping)}
        tracker.metrics({**counts, **{f"test_{name}": value for name, value in metrics["chosen"].items()}}, 0)
        for name in FILES:
            if (folder / name).exists():
                tracker.artifact(folder / name, "comparison")
        for name, file in TABLES.items():
            tracker.table(f"tables/{name}", pd.read_csv(folder / file))
        return tracker.run_id
