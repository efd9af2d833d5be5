"""Faces drawn before given backgrounds: how well the backgrounds survive, and the pictures."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.evaluation.background_figures import ANOTHER, OWN
from reenact.evaluation.collect import Entry
from reenact.evaluation.samples import decoded
from reenact.reports.background import record
from reenact.reports.figures_table import mean_html
from reenact.reports.page import rows
from reenact.reports.strips import face

LEAD = (
    "Test pairs within a person, drawn before a picture of another person's clip, that person painted over, and before "
    "the source's own surroundings, where the mask also fills the place of the source's face. Error: grey levels (of "
    "255, the channel that is furthest off) between result and given picture, "
    "where the driving frame's segments say background, 4 px off the edge. IoU: of mask > 0.5 and face + hair. "
    "Means with 95 % intervals over people."
)
_TITLES = {ANOTHER: "another clip's picture", OWN: "own surroundings"}
_SEEN = {"source": "source", "driver": "driver", "before": "given background", "result": "drawn", "mask": "mask"}


def backgrounds_html(entries: Sequence[Entry]) -> str:
    """One table of all entries that were drawn so, and each one's pictures; "" where none was."""
    lines, pictures = [], ""
    for entry in entries:
        scored = entry.evaluation if entry.status == "trained" else None
        figures = record(scored / "backgrounds.json" if scored else None)
        for kind, found in figures.get("given", {}).items():
            own = figures if kind == OWN else {}
            lines.append(("", [
                html.escape(entry.name), html.escape(_TITLES[kind]), str(found["pairs"]), mean_html(found["mean"]),
                mean_html(found["p95"]), "-" if found["largest"] is None else f"{found['largest']:.0f}",
                mean_html(found["within"], scale=100.0), mean_html(found["iou"]), mean_html(own.get("ssim"), digits=3),
                mean_html(own.get("ssim_unmixed"), digits=3),
            ]))  # fmt: skip
        pictures += _pictures(entry) if figures else ""
    heads = ["", "given", "pairs", "mean error", "95 % of places", "largest", "% within 2 levels", "IoU of the mask",
             "SSIM", "SSIM without the mixer"]  # fmt: skip
    return rows(heads, lines, text=(1,)) + pictures if lines else ""


def _pictures(entry: Entry) -> str:
    """Those kept, in a table of their own: source, driver, given background, result, mask."""
    try:
        table = read_table(entry.evaluation / "backgrounds.parquet", kind="backgrounds") if entry.evaluation else None
    except ReenactError:  # figures may have been copied without their pictures
        return ""
    if table is None or table.empty:
        return ""
    kept = table[table["result"].notna()]
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in _SEEN.values())
    body = "".join(_line(sample, entry.name) for sample in kept.to_dict("records"))
    return (
        f"<details><summary>{html.escape(entry.name)}: {len(kept)} pictures</summary>"
        f'<div class="scroll"><table class="strips" style="max-width:900px"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></details>"
    )


def _line(sample: Mapping[Any, Any], system: str) -> str:
    who = html.escape(str(sample["identity"]))
    off = "" if pd.isna(sample["mean"]) else f"<br>{sample['mean']:.2f} levels off"
    said = f"<b>{who}</b><br>{html.escape(str(sample['background']))}{off}"
    cells = []
    for role, title in _SEEN.items():
        image, fake = decoded(sample, role), role == "result"
        alt = f"{sample['identity']}: {title}" + (f" by {system}, a synthetic face" if fake else "")
        cells.append("-" if image is None else face(image, alt, fake=fake))
    return f'<tr><th scope="row">{said}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
