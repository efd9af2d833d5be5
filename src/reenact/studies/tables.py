"""A study's tables as plain cells, and as Markdown, CSV and LaTeX; published figures in columns of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reenact.evaluation.latex import escaped
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.metric import Metric
from reenact.evaluation.reference_names import REFERENCES
from reenact.studies.figures import Difference, Figure, Figures
from reenact.studies.settings import Study, Table, split_name

_ARROWS = {"lower": "↓", "higher": "↑"}
_TEX_ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a table; `figures` is empty for the paper's own rows and for rows without figures."""

    row: str  # "" for the paper's own
    title: str
    kind: str  # row, published, reference
    status: str = ""  # why there are no figures
    shots: int | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    versus: Mapping[str, Difference] = field(default_factory=dict)  # against the row that it is tested against
    against: str = ""  # title of that row
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def no_face(self) -> str:
        """`3 of 210`: pictures in which a judge found no face, of the metric for which most are lost."""
        worst = max(self.figures.values(), key=lambda figure: figure.no_face, default=Figure())
        return f"{worst.no_face} of {worst.pairs}" if worst.pairs else ""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A table with everything in it."""

    name: str
    table: Table
    metrics: Sequence[Metric]  # those with a column
    lines: Sequence[Line]

    def best(self, metric: str) -> str:
        """The row with the best figure; "" where there are not two to compare."""
        own = {line.row: line.figures[metric].value for line in self.lines if line.kind == "row" and line.figures}
        known = {row: value for row, value in own.items() if value is not None}
        if len(known) < 2:
            return ""
        pick = min if METRICS[metric].direction == "lower" else max
        return pick(known, key=lambda row: known[row])

    @property
    def columns(self) -> Mapping[str, str]:
        """The paper's columns and their directions."""
        return self.table.published.columns if self.table.published else {}


def fill(study: Study, figures: Figures, statuses: Mapping[str, str]) -> list[Filled]:
    """Every table; `statuses`: why rows have no figures, "" where they have."""
    return [_filled(name, table, study, figures, statuses) for name, table in study.tables.items()]


def _filled(name: str, table: Table, study: Study, figures: Figures, statuses: Mapping[str, str]) -> Filled:
    metrics = [METRICS[one] for one in table.metrics]
    lines = []
    for said in table.rows:
        if not said.row:
            lines.append(Line(row="", title=said.title, kind="published", published=said.published))
            continue
        row = split_name(said.row)[0]
        against = study.rows[row].against
        own = {m.id: figures.figure(said.row, m.id, table.protocol) for m in metrics} if not statuses[row] else {}
        tests = figures.differences(said.row, against, table.metrics, table.protocol) if against and own else []
        lines.append(
            Line(row=said.row, title=said.title or study.title_of(said.row), kind="row", status=statuses[row],
                 shots=figures.shots(said.row), figures=own, versus={one.metric: one for one in tests},
                 against=study.title_of(against) if against else "", published=said.published)
        )  # fmt: skip
    for reference in REFERENCES:
        own = {m.id: figures.figure(reference, m.id, table.protocol) for m in metrics}
        if any(figure.value is not None for figure in own.values()):
            lines.append(Line(row=reference, title=reference, kind="reference", figures=own))
    # A network that nobody gave leaves no column.
    shown = [m for m in metrics if not m.network or any(x.figures and x.figures[m.id].value is not None for x in lines)]
    return Filled(name=name, table=table, metrics=shown, lines=lines)


def mark(difference: Difference | None) -> str:
    """▲ better, ▼ worse than what the row is tested against, "" where they are not told apart."""
    return {True: "▲", False: "▼", None: ""}[difference.better] if difference else ""


def to_markdown(filled: Filled) -> str:
    """The table; ours first, then the paper's columns."""
    heads = ["", "K", *(f"{m.title} {_ARROWS[m.direction]}" for m in filled.metrics), "no face",
             *(f"published {name} {_ARROWS[way]}" for name, way in filled.columns.items())]  # fmt: skip
    lines = [joined(heads), joined(["---"] * len(heads))]
    for line in filled.lines:
        cells = [_cell(line.figures[m.id], mark(line.versus.get(m.id))) if line.figures else "" for m in filled.metrics]
        if line.status and cells:
            cells[0] = line.status.replace("|", "/").replace("\n", " ")
        theirs = [_plain(line.published.get(name)) for name in filled.columns]
        lines.append(joined([line.title, "" if line.shots is None else str(line.shots), *cells, line.no_face, *theirs]))
    return "\n".join(lines)


def to_csv(filled: Filled) -> str:
    """One line per row: figures with intervals, the test against `against`, the paper's figures."""
    records: list[dict[str, Any]] = []
    for line in filled.lines:
        record: dict[str, Any] = {"row": line.row, "title": line.title, "kind": line.kind, "status": line.status,
                                  "shots": line.shots, "no_face": line.no_face, "against": line.against}  # fmt: skip
        for m in filled.metrics:
            figure, versus = line.figures.get(m.id, Figure()), line.versus.get(m.id)
            record |= {m.id: figure.value, f"{m.id}_low": figure.low, f"{m.id}_high": figure.high,
                       f"{m.id}_pairs": figure.n, f"{m.id}_p_holm": versus.p_holm if versus else None}  # fmt: skip
        records.append({**record, **{f"published_{name}": line.published.get(name) for name in filled.columns}})
    return pd.DataFrame(records).to_csv(index=False)


def to_latex(filled: Filled) -> str:
    """A tabular for booktabs: ours with small intervals, the best in bold; the paper's columns under a rule apart."""
    ours, theirs = len(filled.metrics), len(filled.columns)
    heads = [*(f"{escaped(m.title)} {_TEX_ARROWS[m.direction]}" for m in filled.metrics),
             *(f"{escaped(name)} {_TEX_ARROWS[way]}" for name, way in filled.columns.items())]  # fmt: skip
    best = {m.id: filled.best(m.id) for m in filled.metrics}
    lines = []
    for line in filled.lines:
        if line.kind == "reference" and r"\midrule" not in lines:
            lines.append(r"\midrule")
        cells = [
            _tex(line.figures[m.id], bold=best[m.id] == line.row) if line.figures else "--" for m in filled.metrics
        ]
        cells += [_plain(line.published.get(name)) or "--" for name in filled.columns]
        lines.append(" & ".join([escaped(line.title), *cells]) + r" \\")
    over = rf" & \multicolumn{{{ours}}}{{c}}{{ours}}"
    over += rf" & \multicolumn{{{theirs}}}{{c}}{{published}}" if theirs else ""
    rule = rf"\cmidrule(lr){{2-{ours + 1}}}" + (rf" \cmidrule(lr){{{ours + 2}-{ours + theirs + 1}}}" if theirs else "")
    return "\n".join([
        "% needs \\usepackage{booktabs}", f"% {filled.table.title}", rf"\begin{{tabular}}{{l{'r' * (ours + theirs)}}}",
        r"\toprule", over + r" \\", rule, " & ".join(["", *heads]) + r" \\", r"\midrule", *lines, r"\bottomrule",
        r"\end{tabular}", "",
    ])  # fmt: skip


def _cell(figure: Figure, after: str) -> str:
    if figure.value is None:
        return "-"
    interval = "" if figure.low is None or figure.high is None else f" [{figure.low:.4g}, {figure.high:.4g}]"
    return f"{figure.value:.4g}{after}{interval}"


def _tex(figure: Figure, *, bold: bool) -> str:
    if figure.value is None:
        return "--"
    text = rf"\textbf{{{figure.value:.3g}}}" if bold else f"{figure.value:.3g}"
    if figure.low is None or figure.high is None:
        return text
    return rf"{text} {{\scriptsize [{figure.low:.3g}, {figure.high:.3g}]}}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def joined(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
