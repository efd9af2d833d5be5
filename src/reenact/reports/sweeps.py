"""Sweeps of action units and angles: what the judge read at each level, and the pictures as a grid."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.evaluation.collect import Entry
from reenact.evaluation.samples import decoded
from reenact.evaluation.sweep_figures import sentence
from reenact.reports.background import record
from reenact.reports.figures_table import mean_html
from reenact.reports.page import rows
from reenact.reports.strips import face

LEAD = (
    "Each action unit set from 0 to 5 and each angle from -30 to 30 degrees on a test person's own labels, all else as "
    "it is. Below: the mean over people of what the judge reads of the label that was set, with a 95 % interval; "
    "change: from the first level to the last; others: the mean absolute change of the other labels; a mark stands "
    "where the reading rises monotonically and the others change less."
)


def sweeps_html(entries: Sequence[Entry]) -> str:
    """A table and a grid for each entry that was swept; "" where none was."""
    parts = []
    for entry in entries:
        scored = entry.evaluation if entry.status == "trained" else None
        figures = record(scored / "sweeps.json" if scored else None)
        if figures:
            parts.append(f"<h3>{html.escape(entry.name)}</h3><p>{html.escape(sentence(entry.name, figures))}.</p>")
            parts += [_actions(figures["actions"]), _angles(figures["angles"]), _grids(entry)]
    return "".join(parts)


def _actions(units: Sequence[Mapping[str, Any]]) -> str:
    heads = ["", *(f"{level['level']:g}" for level in units[0]["levels"]), "slope", "Spearman", "change", "others",
             "most of the others", "people"]  # fmt: skip
    lines = []
    for unit in units:
        mark = ' <span class="pill good">rises</span>' if unit["rises"] and unit["others_less"] else ""
        most = "-" if unit["most"] is None else f"{unit['most']:.2f} ({html.escape(unit['most_changed'])})"
        lines.append(("", [
            html.escape(unit["name"]) + mark, *map(mean_html, unit["levels"]), _number(unit["slope"]),
            _number(unit["spearman"]), mean_html(unit["change"]), _number(unit["others"]), most, str(unit["people"]),
        ]))  # fmt: skip
    return rows(heads, lines)


def _angles(angles: Sequence[Mapping[str, Any]]) -> str:
    heads = ["degrees", *(f"{level['level']:g}" for level in angles[0]["levels"]), "slope", "mean error", "others",
             "people"]  # fmt: skip
    lines = [
        ("", [html.escape(angle["name"]), *map(mean_html, angle["levels"]), _number(angle["slope"]),
              mean_html(angle["error"]), _number(angle["others"]), str(angle["people"])])
        for angle in angles
    ]  # fmt: skip
    return rows(heads, lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _grids(entry: Entry) -> str:
    """One block per person whose pictures were kept: a row per label, a column per level."""
    try:
        table = read_table(entry.evaluation / "sweeps.parquet", kind="sweeps") if entry.evaluation else pd.DataFrame()
    except ReenactError:  # figures may have been copied without their pictures
        return ""
    if table.empty:
        return ""
    kept = table[table["picture"].notna()]
    blocks = [
        f"<details><summary>{html.escape(f'{who}, drawn by {entry.name}')}</summary>"
        + "".join(_grid(group, entry.name) for _, group in own.groupby("kind", sort=False))
        + "</details>"
        for who, own in kept.groupby("identity", sort=False)
    ]
    return "".join(blocks)


def _grid(pictures: pd.DataFrame, system: str) -> str:
    levels = sorted(pictures["level"].unique())
    head = "".join(f'<th scope="col">{level:g}</th>' for level in levels)
    body = ""
    for name, own in pictures.groupby("name", sort=False):
        shown = {float(sample["level"]): decoded(sample, "picture") for sample in own.to_dict("records")}
        alt = f"{name} set by {system}, a synthetic face"
        cells = (face(image, f"{alt}: {level:g}", fake=True) if (image := shown.get(level)) is not None else "-"
                 for level in levels)  # fmt: skip
        body += f'<tr><th scope="row"><b>{html.escape(str(name))}</b></th>'
        body += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    style = f"max-width:{130 + 120 * len(levels)}px"
    return (
        f'<div class="scroll"><table class="strips" style="{style}"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
