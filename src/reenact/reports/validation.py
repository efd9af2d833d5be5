"""What the data checks found: a page, and plain text for a terminal."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.atomic import write_text
from reenact.corpus.rights import FACTS
from reenact.reports.page import page, rows, section


def write_validation(
    path: Path,
    checks: pd.DataFrame,
    split: pd.DataFrame | None,
    quality: Sequence[Mapping[str, str]],
    *,
    rights: Mapping[str, Any],
    pictures: str = "",
) -> None:
    """`validation.html`: what failed first, with pictures (HTML), split, rights, label quality, then every check."""
    failed = checks[~checks["passed"]]
    critical = int((failed["level"] == "critical").sum())
    verdict = (
        ("bad", f"{critical} critical check{'s' * (critical > 1)} failed")
        if critical
        else ("good", "no critical check failed")
    )
    head = (
        "<h1>Data validation</h1>"
        f'<p><span class="pill {verdict[0]}">{verdict[1]}</span> '
        f"{len(checks)} checks, {len(failed) - critical} warnings</p>"
    )
    body = [head]
    if len(failed):
        body.append(section("What failed", check_rows(failed.sort_values("level", kind="stable"))))
    if pictures:
        body.append(section("Look at it", pictures, lead="Up to twelve frames of each failed check, the worst first."))
    if split is not None:
        body.append(section("Split", split_rows(split)))
    body.append(section("Licence and consent", rights_rows(rights), lead=str(rights["says"])))
    body.append(section("Label quality", quality_rows(quality)))
    body.append(section("Every check", check_rows(checks)))
    write_text(path, page("Data validation", "\n".join(body)))


def check_rows(checks: pd.DataFrame) -> str:
    """Checks as an HTML table."""
    lines = []
    for row in checks.to_dict("records"):
        kind = "good" if row["passed"] else ("bad" if row["level"] == "critical" else "warn")
        word = "passed" if row["passed"] else ("failed" if row["level"] == "critical" else "warning")
        cells = [html.escape(str(row[name])) for name in ("table", "check", "level", "observed", "detail")]
        lines.append(("", [*cells[:3], f'<span class="pill {kind}">{word}</span>', *cells[3:]]))
    return rows(
        ["table", "check", "level", "result", "observed", "which"], lines, text=(1, 4, 5)
    )  # fmt: skip


def split_rows(split: pd.DataFrame) -> str:
    """Identities, clips and frames of each split as an HTML table."""
    lines = []
    for name in ("train", "val", "test"):
        part = split[split["split"] == name]
        frames = int((part["stop"] - part["start"]).sum())
        how = ", ".join(sorted(set(part["by"])))
        cells = [name, str(part["identity"].nunique()), str(part["clip"].nunique()), f"{frames:,}", html.escape(how)]
        lines.append(("", cells))
    return rows(["split", "identities", "clips", "frames", "by"], lines)


def rights_rows(rights: Mapping[str, Any]) -> str:
    """`validated/rights.json` as an HTML table: what the clips' sources state, the strictest licence first."""
    lines = [
        ("", [html.escape(name), html.escape(str(entry["text"])), f"{entry['clips']:,}", f"{entry['identities']:,}"])
        for name in FACTS
        for entry in rights[name]
    ]
    return rows(["fact", "stated", "clips", "identities"], lines, text=(1,))


def quality_rows(records: Sequence[Mapping[str, str]]) -> str:
    """How good labels are, records of label, value and meaning, as an HTML table."""
    lines = [("", [html.escape(str(record[key])) for key in ("label", "value", "meaning")]) for record in records]
    return rows(["label", "value", "meaning"], lines, text=(2,))


def failures_text(failed: pd.DataFrame) -> str:
    """The failed checks as an aligned table of plain text."""
    columns = ["level", "table", "check", "observed", "detail"]
    lines = [columns, *failed[columns].astype(str).values.tolist()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    )
