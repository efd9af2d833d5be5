"""What sweeps say: whether the judge's reading follows a raised action unit, and whether the others stay.

By action unit over persons in whose pictures a face was found at every level of it, so that all levels are of the
same people. Angles are read back in degrees. Free of torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from reenact.evaluation.statistics import bootstrap_mean
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.pose import ANGLES

Floats = NDArray[np.float64]


def sweep_figures(table: pd.DataFrame, *, repeats: int, seed: int) -> dict[str, Any]:
    """Of the table that `sweeps.sweep` makes: `actions` and `angles`, a record each, and what they come to.

    A record of an action unit: `levels` (`level` and the mean reading with its interval), `rises` (the mean reading
    falls from no level to the next and is higher at the last than at the first), `spearman` (of level and reading, mean
    over people; 0 where the reading never changes), `slope` (of the means, per level; 1 is perfect), `change` (of the
    reading from first to last level), `others` (mean over people and the 16 others of the reading's absolute change),
    `most` and `most_changed` (the other that changes most, by its mean over people), `others_less` (change > others).
    The own change keeps its sign and the others' do not, so the judge's own noise counts against the system.
    """
    units = [_unit(table, name, repeats, seed) for name in ACTION_UNITS]
    angles = [_angle(table, name, repeats, seed) for name in ANGLES]
    drawn, found = table["drawn"].astype(bool), table["found"].astype(bool)
    return {
        "people": int(table["identity"].nunique()),
        "pictures": len(table),
        "not_drawn": int((~drawn).sum()),
        "no_face": int((drawn & ~found).sum()),
        "actions": units,
        "angles": angles,
        "rise": sum(unit["rises"] for unit in units),
        "others_less": sum(unit["others_less"] for unit in units),
        "both": sum(unit["rises"] and unit["others_less"] for unit in units),
    }


def sentence(name: str, figures: Mapping[str, Any]) -> str:
    """What a note says of a branch."""
    units = len(figures["actions"])
    lost = figures["not_drawn"] + figures["no_face"]
    return (
        f"{name}: raised from 0 to 5 one by one on {figures['people']} people, the judge's reading of the action unit "
        f"rises monotonically on average for {figures['rise']} of {units}, the others' changes less for "
        f"{figures['others_less']}, both holds for {figures['both']}"
        + (f"; no face in {lost} of {figures['pictures']} pictures" if lost else "")
    )


def _unit(table: pd.DataFrame, name: str, repeats: int, seed: int) -> dict[str, Any]:
    people, levels, readings = _complete(table, "action", name, ACTION_UNITS)
    own = readings[..., ACTION_UNITS.index(name)]
    others = [unit for unit in ACTION_UNITS if unit != name]
    moved = np.abs(readings[:, -1] - readings[:, 0])[:, [ACTION_UNITS.index(unit) for unit in others]]
    means = own.mean(axis=0) if len(people) else np.full(len(levels), np.nan)
    change = bootstrap_mean(own[:, -1] - own[:, 0], [people], repeats=repeats, seed=seed)
    beside = moved.mean(axis=0) if len(people) else np.full(len(others), np.nan)
    return {
        "name": name,
        **_over_levels(levels, own, people, repeats, seed),
        "rises": bool(len(people) and (np.diff(means) >= -1e-9).all() and means[-1] > means[0]),
        "spearman": _plain(np.mean([_rank_correlation(levels, row) for row in own])) if len(people) else None,
        "change": change.plain(),
        "others": _plain(beside.mean()),
        "most": _plain(beside.max()),
        "most_changed": others[int(beside.argmax())] if len(people) else None,
        "others_less": bool(len(people) and change.value > beside.mean()),
    }


def _angle(table: pd.DataFrame, name: str, repeats: int, seed: int) -> dict[str, Any]:
    """`error`: mean absolute difference of reading and level, degrees; `others`: absolute change of the other two."""
    people, levels, readings = _complete(table, "angle", name, ANGLES)
    place = ANGLES.index(name)
    off = np.abs(readings[..., place] - levels)
    others = np.delete(np.abs(readings[:, -1] - readings[:, 0]), place, axis=-1)
    return {
        "name": name,
        **_over_levels(levels, readings[..., place], people, repeats, seed),
        "error": bootstrap_mean(off.mean(axis=1), [people], repeats=repeats, seed=seed).plain(),
        "errors": [_plain(value) for value in off.mean(axis=0)] if len(people) else [None] * len(levels),
        "others": _plain(others.mean()) if len(people) else None,
    }


def _over_levels(levels: Floats, own: Floats, people: Sequence[str], repeats: int, seed: int) -> dict[str, Any]:
    means = [bootstrap_mean(own[:, place], [people], repeats=repeats, seed=seed) for place in range(len(levels))]
    slope = np.polyfit(levels, own.mean(axis=0), 1)[0] if len(people) else np.nan
    return {
        "people": len(people),
        "levels": [{"level": float(level), **mean.plain()} for level, mean in zip(levels, means, strict=True)],
        "slope": _plain(slope),
    }


def _complete(table: pd.DataFrame, kind: str, name: str, columns: Sequence[str]) -> tuple[list[str], Floats, Floats]:
    """(people, levels, readings (people, levels, columns)) of a sweep, of people who were read at every level."""
    own = table[(table["kind"] == kind) & (table["name"] == name)].sort_values(["identity", "level"], kind="stable")
    levels = np.unique(own["level"].to_numpy(dtype=np.float64))
    people = list(dict.fromkeys(own["identity"].astype(str)))
    readings = own[list(columns)].to_numpy(dtype=np.float64).reshape(len(people), len(levels), len(columns))
    read = np.isfinite(readings).all(axis=(1, 2))
    return [person for person, known in zip(people, read, strict=True) if known], levels, readings[read]


def _rank_correlation(levels: Floats, values: Floats) -> float:
    return float(stats.spearmanr(levels, values).statistic) if np.ptp(values) > 0 else 0.0


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
