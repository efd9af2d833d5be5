"""What moved in the data since a training: a page, and a Markdown table."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reenact.atomic import write_text
from reenact.reports.page import page, rows, section

_HEADS = ("column", "", "stability index", "distance", "p", "median then", "median now")
_LEAD = (
    "Distributions over the frames in use, then and now. A column counts where index or distance reaches its limit and "
    "chance does not: people dealt at random, corrected for all columns."
)


def write_drift_page(path: Path, found: Mapping[str, Any]) -> None:
    """Write `drift.html` from what `drift.json` holds."""
    word, colour = ("other data", "warn") if found["reasons"] else ("nothing moved", "good")
    if found["drift"] is None:
        word, colour = "not known", "warn"
    data = found["data"]
    facts = (
        f"{data['frames']:,} of {data['stored']:,} frames in use, {data['clips']:,} clips, {data['people']:,} people; "
        f"{_against(found)}."
    )
    body = [
        f'<h1>Drift of the data</h1><p><span class="pill {colour}">{word}</span></p><p>{html.escape(facts)}</p>',
        section("What counts", _list(found["reasons"]) or "<p>No limit was reached.</p>"),
    ]
    if found["notes"]:
        body.append(section("To be known", _list(found["notes"])))
    if found["drift"]:
        lines = [("trouble" if column["drifted"] else "", [html.escape(cell) for cell in _cells(column)])
                 for column in found["drift"]["columns"]]  # fmt: skip
        body.append(section("Column by column", rows(_HEADS, lines, text=(1,)), lead=_LEAD))
    write_text(path, page("Drift of the data", "\n".join(body)))


def drift_table(found: Mapping[str, Any]) -> str:
    """The same in Markdown."""
    lines = [
        f"# Drift: {_against(found)}",
        "",
        *_bullets("counts", found["reasons"]),
        *_bullets("note", found["notes"]),
    ]
    columns = (found["drift"] or {}).get("columns", [])
    if columns:
        lines += ["", "| " + " | ".join(_HEADS) + " |", "| --- " * len(_HEADS) + "|"]
        lines += ["| " + " | ".join(_cells(column)) + " |" for column in columns]
    return "\n".join(lines) + "\n"


def _against(found: Mapping[str, Any]) -> str:
    champion = found["champion"]
    return f"against the training of version {champion['version']}" if champion else "there is no champion"


def _cells(column: Mapping[str, Any]) -> list[str]:
    medians = ["-" if column[name] is None else f"{column[name]:.3g}" for name in ("then", "now")]
    word = "moved" if column["drifted"] else ""
    return [column["name"], word, f"{column['psi']:.3f}", f"{column['ks']:.3f}", f"{column['p']:.3g}", *medians]


def _bullets(word: str, sentences: Sequence[str]) -> list[str]:
    return [f"- {word}: {' '.join(sentence.split())}" for sentence in sentences]


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""
