"""The comparison as Markdown: one small table per protocol and kind of identities."""

from collections.abc import Sequence

import pandas as pd

from reenact.evaluation.scaled import SCALED
from reenact.evaluation.table import SCORED, columns_of, shown_rows, shown_shots

TITLES = {
    "self": "Self-reenactment",
    "cross": "Cross-reenactment",
    "crosstruth": "Cross-reenactment against the true picture",
    "seen_self": "Self-reenactment, seen identities",
    "seen_cross": "Cross-reenactment, seen identities",
    "seen_crosstruth": "Cross-reenactment against the true picture, seen identities",
}


def to_markdown(table: pd.DataFrame, *, winner: str | None, notes: Sequence[str]) -> str:
    """Means with their 95 % intervals; an arrow says which way is better."""
    blocks = []
    shots = shown_shots(table)
    for prefix, title in TITLES.items():
        metrics = columns_of(table, prefix)
        if not metrics:
            continue
        heads = [f"{m.title} {'↓' if m.direction == 'lower' else '↑'}" for m in metrics]
        names = ["", *(["K"] if shots else [])]
        lines = [_line([*names, *heads, "no face"]), _line(["---"] * (len(names) + len(heads) + 1))]
        for _, row in shown_rows(table, prefix).iterrows():
            name = f"**{row['row']}** (chosen)" if row["row"] == winner else str(row["row"])
            cells = [_cell(row, f"{prefix}_{m.id}") for m in metrics]
            if row["status"] not in SCORED:
                cells = [str(row["status"]).replace("|", "/").replace("\n", " "), *[""] * (len(metrics) - 1)]
            k = [shots[str(row["row"])]] if shots else []
            lines.append(_line([name, *k, *cells, _no_face(row, prefix)]))
        blocks.append(f"## {title}\n\n" + "\n".join(lines))
    if not blocks:
        states = [_line([str(row["row"]), str(row["status"])]) for _, row in table.iterrows()]
        blocks = ["\n".join([_line(["", "status"]), _line(["---", "---"]), *states])]
    if any(str(name).endswith(SCALED) for name in table.columns):
        notes = [*notes, "CSIM in brackets: 0 is somebody else's face, 1 a real picture of the same person"]
    if shots:
        notes = [*notes, "K: source pictures that a row was given, of the same pairs"]
    remarks = "\n".join(f"- {note}" for note in notes)
    return "# Comparison\n\n" + "\n\n".join(blocks) + (f"\n\n{remarks}" if remarks else "") + "\n"


def _cell(row: pd.Series, name: str) -> str:
    value, low, high = (row.get(name + suffix) for suffix in ("", "_low", "_high"))
    if value is None or pd.isna(value):
        return "-"
    scaled = row.get(name + SCALED)
    beside = "" if scaled is None or pd.isna(scaled) else f" ({scaled:.2f})"
    lost = row.get(f"{name}_no_face")  # there where the metric has a judge of its own
    beside += f", no face in {lost:.0f}" if lost is not None and not pd.isna(lost) and lost else ""
    return f"{value:.4g}{beside}" + ("" if low is None or pd.isna(low) else f" [{low:.4g}, {high:.4g}]")


def _no_face(row: pd.Series, prefix: str) -> str:
    """Of the pictures there are: a reference row has none where the protocol has no truth."""
    counts = [row.get(f"{prefix}_{name}") for name in ("no_face", "pairs", "not_drawn")]
    if any(count is None or pd.isna(count) for count in counts):
        return ""
    missed, pairs, undrawn = (int(count) for count in counts if count is not None)
    if undrawn == pairs:
        return ""
    return f"{missed} of {pairs - undrawn}" + (f", {undrawn} not drawn" if undrawn else "")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
