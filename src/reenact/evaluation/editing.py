"""What is measured beside the pairs of systems that can be edited: sweeps of labels, backgrounds of choice.

    sweeps.parquet, sweeps.json             (kind `sweeps`) sweeps.sweep, sweep_figures.sweep_figures
    backgrounds.parquet, backgrounds.json   (kind `backgrounds`) backgrounds.swap_backgrounds, background_figures

One of the two is missing where nobody asked for it, or the system doesn't offer it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from reenact.atomic import write_json
from reenact.corpus.tables import FORMAT, write_table
from reenact.evaluation import background_figures, sweep_figures
from reenact.evaluation.backgrounds import swap_backgrounds
from reenact.evaluation.editing_settings import BackgroundSettings, SweepSettings
from reenact.evaluation.judges import Judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.sweeps import sweep
from reenact.systems.offers import can_edit, can_swap_background
from reenact.systems.protocol import System

KINDS = ("sweeps", "backgrounds")


@dataclass(frozen=True, kw_only=True)
class Edited:
    """Tables and figures by kind, and what has to be said of them."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def measure(
    system: System,
    pictures: Pictures,
    pairs: pd.DataFrame,
    judges: Judges,
    *,
    row: str,
    sweeps: SweepSettings,
    backgrounds: BackgroundSettings,
    shots: int,
    batch: int,
    device: torch.device | str,
    repeats: int,
    seed: int,
) -> Edited:
    """What the settings ask for and the system `row` offers; nothing, at no cost, of any other."""
    how: dict[str, Any] = {"shots": shots, "batch": batch, "device": device}
    tables: dict[str, pd.DataFrame] = {}
    figures: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    if sweeps.people and can_edit(system):
        table = sweep(system, pictures, pairs, judges, people=sweeps.people, levels=sweeps.levels, **how)
        if not table.empty:
            judged = {name: judges.card(metric)["name"] for name, metric in (("actions", "ed"), ("pose", "pose_angle"))}
            found = sweep_figures.sweep_figures(table, repeats=repeats, seed=seed)
            tables["sweeps"], figures["sweeps"] = table, {**found, "judge": judged}
            notes.append(sweep_figures.sentence(row, found))
    if backgrounds.pairs and can_swap_background(system):
        table = swap_backgrounds(system, pictures, pairs, count=backgrounds.pairs, **how)
        if not table.empty:
            found = background_figures.background_figures(table, repeats=repeats, seed=seed)
            tables["backgrounds"], figures["backgrounds"] = table, found
            notes.append(background_figures.sentence(row, found))
    return Edited(tables=tables, figures=figures, notes=tuple(filter(None, notes)))


def write_edited(out: Path, edited: Edited) -> None:
    """Write what there is; what an earlier evaluation left and this one lacks is removed."""
    for kind in KINDS:
        table, record = out / f"{kind}.parquet", out / f"{kind}.json"
        if kind in edited.tables:
            write_table(table, edited.tables[kind], kind=kind)
            write_json(record, {"format": FORMAT, **edited.figures[kind]})
        else:
            table.unlink(missing_ok=True)
            record.unlink(missing_ok=True)


def figures_of_run(edited: Edited) -> dict[str, float]:
    """The few figures that a branch's run keeps, by names such as test_sweep_rise and test_background_another_mean."""
    swept, swapped = (edited.figures.get(kind, {}) for kind in KINDS)
    found: dict[str, float | None] = {
        f"test_sweep_{name}": float(swept[name]) for name in ("rise", "others_less", "both") if name in swept
    }
    for angle in swept.get("angles", ()):
        found[f"test_sweep_{angle['name']}_error"] = angle["error"]["value"]
    for kind, record in swapped.get("given", {}).items():
        for name in ("mean", "within", "iou"):
            found[f"test_background_{kind}_{name}"] = (record[name] or {}).get("value")
    found["test_background_ssim_gain"] = (swapped.get("ssim_gain") or {}).get("value")
    return {name: value for name, value in found.items() if value is not None}
