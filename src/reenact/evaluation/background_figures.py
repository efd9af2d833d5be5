"""What drawing before given backgrounds comes to, with intervals over people. Free of torch."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reenact.evaluation.statistics import bootstrap_mean, paired_difference

ANOTHER, OWN = "another", "own"  # kinds of given backgrounds
WITHIN = 2  # grey levels that a background may differ by


def background_figures(table: pd.DataFrame, *, repeats: int, seed: int) -> dict[str, Any]:
    """Of the table that `backgrounds.swap_backgrounds` makes: `given`, a record per kind; `ssim`, ...

    A record: `pairs`, `not_drawn`, `mean`, `within` and `iou` with intervals, `p95` (mean over pairs of each one's),
    `largest` (of all places of all pairs). `ssim_gain`: with the mixer less without, over the same pairs; None without.
    """

    def mean(rows: pd.DataFrame, column: str) -> dict[str, Any] | None:
        if not rows[column].notna().any():
            return None
        people = [list(rows["identity"])]
        return bootstrap_mean(rows[column].to_numpy(dtype=float), people, repeats=repeats, seed=seed).plain()

    given = {}
    for kind in (ANOTHER, OWN):
        rows = table[table["given"] == kind]
        if not rows.empty:
            largest = rows["largest"].max()
            given[kind] = {
                "pairs": len(rows),
                "not_drawn": int((~rows["drawn"].astype(bool)).sum()),
                **{name: mean(rows, name) for name in ("mean", "p95", "within", "iou")},
                "largest": None if pd.isna(largest) else float(largest),
            }
    own = table[table["given"] == OWN]
    gain = None
    if own["ssim_unmixed"].notna().any():
        ours, bare = (own[name].to_numpy(dtype=float) for name in ("ssim", "ssim_unmixed"))
        gain = paired_difference(ours, bare, [list(own["identity"])], repeats=repeats, seed=seed).plain()
    likeness = {name: mean(own, name) for name in ("ssim", "ssim_unmixed")}
    return {"given": given, **likeness, "ssim_gain": gain}


def sentence(name: str, figures: Mapping[str, Any]) -> str:
    """What a note says of a branch; "" where nothing could be measured."""
    said = []
    titles = {ANOTHER: "another clip's picture", OWN: "its own background"}
    for kind, record in figures["given"].items():
        if record["mean"] is not None:
            said.append(
                f"before {titles[kind]} the background is {record['mean']['value']:.2f} grey levels off on average, "
                f"{100 * record['within']['value']:.1f} % of it within {WITHIN} ({record['pairs']} pairs)"
            )
            if kind == ANOTHER and record["iou"] is not None:
                said.append(f"the mask covers face and hair with an overlap of {record['iou']['value']:.2f}")
    return f"{name}: " + "; ".join(said) if said else ""
