"""Everything a study writes: tables, curves, claims, the page, and the ordinary comparison of all its rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.atomic import atomic_file, write_json, write_text
from reenact.corpus.tables import FORMAT
from reenact.evaluation.collect import Entry, comparable, entry_of
from reenact.studies.caption import Trained, caption, trained_of
from reenact.studies.claims import Told, tell
from reenact.studies.curves import draw, points
from reenact.studies.done import ROW, is_done, keys_of, row_folder
from reenact.studies.figures import Figures
from reenact.studies.outlook import changes
from reenact.studies.reading import Planned
from reenact.studies.run import reasons
from reenact.studies.settings import Study
from reenact.studies.tables import Filled, fill, joined, to_csv, to_latex, to_markdown


@dataclass(frozen=True, kw_only=True)
class Results:
    """What all files of a study are made of."""

    study: Study
    entries: Sequence[Entry]
    trained: Mapping[str, Trained]
    tables: Sequence[Filled]
    captions: Mapping[str, Sequence[str]]  # by table
    points: pd.DataFrame
    charts: Mapping[str, Mapping[str, bytes]]  # by curve: svg, png
    claims: Sequence[Told]


def collect_rows(planned: Planned, out: Path) -> list[Entry]:
    """An entry per row of the study; each is a run of its own, since rows differ in settings."""
    died = reasons(out, list(planned.rows))
    entries = [
        entry_of(row_folder(out, row), planned.branch(row), name=row, run=row)
        if row_folder(out, row).exists()
        else Entry(name=row, branch=planned.branch(row), run=row, status="missing", reason="not run")
        for row in planned.rows
    ]
    return comparable([
        replace(entry, status="failed", reason=died[entry.name])
        if entry.name in died and entry.status != "trained" else entry
        for entry in entries
    ])  # fmt: skip


def make_results(planned: Planned, out: Path) -> Results:
    """Read the rows' evaluations and compute everything."""
    study, entries = planned.study, collect_rows(planned, out)
    compare: Any = planned.corpus.blocks["compare"]
    figures = Figures(entries={e.name: e for e in entries}, repeats=compare.bootstrap, seed=compare.seed)
    statuses = {e.name: "" if e.status == "trained" else f"{e.status}: {e.reason}" for e in entries}
    tables = fill(study, figures, statuses)
    trained = {e.name: found for e in entries if (found := trained_of(e, out))}
    stale = _stale(planned, out, list(trained))
    captions: dict[str, list[str]] = {}
    for filled in tables:
        own = [entry for entry in entries if entry.name in study.groups()[filled.name]]
        captions[filled.name] = caption(own, trained, out, metrics=filled.table.metrics)
        if old := [entry.name for entry in own if entry.name in stale]:
            captions[filled.name].append(f"made under other settings or code than those of now: {', '.join(old)}")
    table = points(study, figures)
    charts = {name: draw(curve, table[table["curve"] == name]) for name, curve in study.curves.items()}
    return Results(study=study, entries=entries, trained=trained, tables=tables, captions=captions, points=table,
                   charts=charts, claims=tell(study, figures))  # fmt: skip


def _stale(planned: Planned, out: Path, rows: Sequence[str]) -> set[str]:
    """Rows that a run would do again: what stands in their folders is of other settings, code or corpus."""
    keys = keys_of(planned, out)
    return {row for row in rows for stage in ROW if not is_done(out, f"{stage} {row}", keys[f"{stage} {row}"])}


def write_results(out: Path, results: Results) -> None:
    """study.md, study.json, study.html, and each table and curve in files of its own."""
    from reenact.studies.page import write_page

    for filled in results.tables:
        write_text(out / "tables" / f"{filled.name}.csv", to_csv(filled))
        write_text(out / "tables" / f"{filled.name}.tex", to_latex(filled))
        write_text(out / "tables" / f"{filled.name}.md", table_markdown(filled, results.captions[filled.name]))
    for name, charts in results.charts.items():
        own = results.points[results.points["curve"] == name]
        write_text(out / "curves" / f"{name}.csv", own.drop(columns="curve").to_csv(index=False))
        for kind, data in charts.items():
            with atomic_file(out / "curves" / f"{name}.{kind}") as temporary:
                temporary.write_bytes(data)
    trainings = rows_table(results)
    write_text(out / "rows.csv", trainings.to_csv(index=False))
    write_text(out / "study.md", study_markdown(results, trainings))
    write_json(out / "study.json", plain(results))
    # A page that can't be drawn must not hide the figures: they are on disk by now.
    write_page(out / "study.html", results)


def table_markdown(filled: Filled, captions: Sequence[str]) -> str:
    """A table with its caption, and what sets the published columns apart."""
    tested = "; ".join(f"{line.title} against {line.against}" for line in filled.lines if line.versus)
    said = [*captions]
    said += [f"▲ better, ▼ worse by the paired test by persons (Holm, p < 0.05): {tested}"] if tested else []
    published = filled.table.published
    parts = [f"## {filled.table.title}", to_markdown(filled), "\n".join(f"- {sentence}" for sentence in said)]
    if published:
        lines = [*(f"- {sentence}" for sentence in (*published.differs, *published.notes))]
        parts.append("\n".join([f"Published figures: {published.source}\n\nWhat differs:", "", *lines]))
    return "\n\n".join(parts) + "\n"


def rows_table(results: Results) -> pd.DataFrame:
    """A line per row of the study: what was trained, on what terms; empty where it was not."""
    lines = []
    for entry in results.entries:
        one = results.trained.get(entry.name)
        line: dict[str, Any] = {
            "row": entry.name, "branch": entry.branch.name if entry.branch else "",
            "otherwise": ", ".join(changes(results.study.rows[entry.name].set)), "status": entry.status,
            "minutes": round(one.seconds / 60, 3) if one else None, "samples": one.samples if one else None,
            "steps": one.steps if one else None, "chosen": one.chosen if one else None,
            "K": one.sources if one else None, "reason": entry.reason,
        }  # fmt: skip
        lines.append(line)
    return pd.DataFrame(lines).astype(dict.fromkeys(("samples", "steps", "chosen", "K"), "Int64"))


def study_markdown(results: Results, trainings: pd.DataFrame) -> str:
    """Claims, tables, trainings."""
    study = results.study
    claims = [
        "\n".join([f"- **{told.verdict}**: {told.says}", *(f"  - {one.sentence()}" for one in told.comparisons)])
        for told in results.claims
    ]
    lines = [f"# {study.title}", study.about.strip()]
    lines += ["## Claims\n\n" + "\n".join(claims)] if claims else []
    lines += [table_markdown(filled, results.captions[filled.name]).rstrip() for filled in results.tables]
    shown = trainings.astype(object).where(trainings.notna(), "")
    cells = [list(shown.columns), ["---"] * len(shown.columns), *shown.astype(str).values.tolist()]
    lines.append("## Rows\n\n" + "\n".join(joined(row) for row in cells))
    return "\n\n".join(lines) + "\n"


def plain(results: Results) -> dict[str, Any]:
    """Everything as JSON types."""
    tables = {
        filled.name: {
            "title": filled.table.title, "caption": list(results.captions[filled.name]),
            "rows": [asdict(line) for line in filled.lines],
            "published": filled.table.published.plain() if filled.table.published else None,
        }
        for filled in results.tables
    }  # fmt: skip
    return {
        "format": FORMAT,
        "title": results.study.title,
        "rows": {e.name: {"status": e.status, "reason": e.reason} for e in results.entries},
        "trained": {name: asdict(one) for name, one in results.trained.items()},
        "tables": tables,
        "curves": json.loads(results.points.to_json(orient="records", double_precision=15)),
        "claims": [told.plain() for told in results.claims],
    }
