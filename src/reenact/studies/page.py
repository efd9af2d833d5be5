"""A study's page: claims, tables, curves, pictures, and what stands behind them; one HTML file that needs nothing."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.atomic import write_text
from reenact.reports.background import alarms_html, rights_of, statuses_of
from reenact.reports.comparison import LICENCES, SYNTHETIC
from reenact.reports.figures_table import interval_html
from reenact.reports.given_backgrounds import LEAD as BACKGROUNDS
from reenact.reports.given_backgrounds import backgrounds_html
from reenact.reports.page import inline, page, rows, section
from reenact.reports.strips import reading, samples_of, strips_html
from reenact.reports.sweeps import LEAD as SWEEPS
from reenact.reports.sweeps import sweeps_html
from reenact.studies.figures import Difference, Figure
from reenact.studies.outlook import changes
from reenact.studies.tables import Filled, Line, mark

if TYPE_CHECKING:
    from reenact.studies.report import Results

_ARROWS = {"lower": "↓", "higher": "↑"}
_COLOURS = {"holds": "good", "does not hold": "bad"}
_CLAIMS = (
    "Each claim by the paired differences of its metrics on test pairs, corrected for their number (Holm). It holds "
    "where enough metrics are better (p < 0.05), does not hold where so many are worse that the rest can't make it, "
    "and can't be told in between; against several rows it holds only where it holds against each. Frechet distances "
    "are compared by the jackknife over persons, others pair by pair."
)
_CURVES = "Points with 95 % intervals over persons; where a series is of several trainings, each of its points is one."
_MARKS = "▲ better, ▼ worse than the row it is tested against, by the paired test by persons (Holm, p < 0.05)."


def write_page(path: Path, results: "Results") -> None:
    """Write the page."""
    study = results.study
    missing = [entry for entry in results.entries if entry.status != "trained"]
    pills = f'<span class="pill good">{len(results.entries) - len(missing)} rows</span> '
    pills += f'<span class="pill bad">{len(missing)} without figures</span>' if missing else ""
    head = (
        f"<h1>{html.escape(study.title)}</h1><p>{html.escape(study.about)}</p><p>{pills}</p>"
        f'<div class="notice"><b>Synthetic faces.</b> {SYNTHETIC}</div>'
    )
    statuses = statuses_of(results.entries)
    swept, swapped = sweeps_html(results.entries), backgrounds_html(results.entries)
    parts = [
        head,
        section("Claims", _claims(results), lead=_CLAIMS) if results.claims else "",
        *(_table(filled, results.captions[filled.name]) for filled in results.tables),
        *(_curve(name, results) for name in study.curves),
        section("One label at a time", swept, lead=SWEEPS) if swept else "",
        section("Backgrounds of choice", swapped, lead=BACKGROUNDS) if swapped else "",
        section("Rows", _rows(results), lead="What was trained, in the order of the file."),
        section("Strips", strips_html(samples_of(results.entries)), lead=f"{reading()} {SYNTHETIC}"),
        section("Alarms", alarms_html(results.entries), lead="Ways of failing that figures alone may hide."),
        section("Licences and use", _list((SYNTHETIC, *rights_of(statuses), *LICENCES))),
    ]
    write_text(path, page(study.title, "\n".join(filter(None, parts)), wide=True))


def _claims(results: "Results") -> str:
    lines = []
    for told in results.claims:
        pill = f'<span class="pill {_COLOURS.get(told.verdict, "warn")}">{told.verdict}</span>'
        found = "<br>".join(html.escape(one.sentence()) for one in told.comparisons)
        lines.append(("", [html.escape(told.says), pill, found]))
    return rows(["claim", "", "found"], lines, text=(0, 1, 2))


def _table(filled: Filled, captions: Sequence[str]) -> str:
    best = {m.id: filled.best(m.id) for m in filled.metrics}
    heads = ["", "K", *(f"{m.title} {_ARROWS[m.direction]}" for m in filled.metrics), "no face", "tested against",
             *(f"published {name} {_ARROWS[way]}" for name, way in filled.columns.items())]  # fmt: skip
    lines = [_line(line, filled, best) for line in filled.lines]
    said = _list(captions) + (f'<p class="small soft">{_MARKS}</p>' if any(x.versus for x in filled.lines) else "")
    published = filled.table.published
    if published:
        said += f"<h3>Published figures: {html.escape(published.source)}</h3><p>What differs:</p>"
        said += _list((*published.differs, *published.notes))
    return section(filled.table.title, rows(heads, lines, text=(len(filled.metrics) + 3,)) + said)


def _line(line: Line, filled: Filled, best: dict[str, str]) -> tuple[str, list[str]]:
    name = html.escape(line.title)
    published = ["" if (value := line.published.get(key)) is None else f"<i>{value:g}</i>" for key in filled.columns]
    if not line.figures:
        why = html.escape(line.status) if line.status else '<span class="soft">published only</span>'
        cells = [name, "", why, *[""] * (len(filled.metrics) + 1), *published]
        return ("trouble" if line.status else "", cells)
    figures = [_figure(line.figures[m.id], line.versus.get(m.id), bold=best[m.id] == line.row) for m in filled.metrics]
    shots = "" if line.shots is None else str(line.shots)
    cells = [name, shots, *figures, line.no_face, html.escape(line.against), *published]
    return ("reference" if line.kind == "reference" else "", cells)


def _figure(figure: Figure, versus: Difference | None, *, bold: bool) -> str:
    if figure.value is None:
        return "-"
    text = f"<b>{figure.value:.3g}</b>" if bold else f"{figure.value:.3g}"
    if sign := mark(versus):
        assert versus is not None
        colour = "good" if versus.better else "bad"
        text += f'<sup class="mark {colour}" title="p = {versus.p_holm:.2g}">{sign}</sup>'
    return text + interval_html(figure.low, figure.high, figure.value)


def _curve(name: str, results: "Results") -> str:
    curve, charts = results.study.curves[name], results.charts[name]
    if not charts:
        return section(curve.title, '<p class="soft">No row of this curve has figures.</p>')
    own = results.points[results.points["curve"] == name]
    drawn = inline(charts["svg"], "image/svg+xml", alt=f"{curve.title}: {curve.x}; figures in the table", kind="chart")
    lines = [
        ("", [html.escape(str(p["series"])), html.escape(str(p["metric"])), f"{p['x']:g}", html.escape(str(p["row"])),
              "-" if p["value"] != p["value"] else f"{p['value']:.3g}" + interval_html(p["low"], p["high"], p["value"]),
              str(p["people"])])
        for p in own.to_dict("records")
    ]  # fmt: skip
    table = rows(["series", "metric", curve.x, "row", "value", "people"], lines, text=(0, 1, 3))
    return section(curve.title, f"{drawn}<details><summary>{len(own)} figures</summary>{table}</details>", lead=_CURVES)


def _rows(results: "Results") -> str:
    lines = []
    for entry in results.entries:
        said, one = results.study.rows[entry.name], results.trained.get(entry.name)
        changed = ", ".join(changes(said.set)) or "-"
        what = [html.escape(entry.name), html.escape(entry.branch.name if entry.branch else ""), html.escape(changed)]
        if one is None:
            lines.append(("trouble", [*what, html.escape(f"{entry.status}: {entry.reason}")]))
            continue
        figures = [f"{one.seconds / 60:.2f}", f"{one.samples:,}", f"{one.samples / max(one.seconds, 1e-9):.1f}",
                   "-" if one.sources is None else str(one.sources), "-" if one.chosen is None else f"{one.chosen:,}",
                   f"{one.steps:,}"]  # fmt: skip
        lines.append(("", [*what, *figures]))
    heads = [
        "row",
        "branch",
        "otherwise than the others",
        "minutes",
        "samples",
        "samples/s",
        "K",
        "step chosen",
        "steps",
    ]
    return rows(heads, lines, text=(0, 1, 2))


def _list(sentences: Sequence[str]) -> str:
    return f'<ul class="small">{"".join(f"<li>{html.escape(text)}</li>" for text in sentences)}</ul>'
