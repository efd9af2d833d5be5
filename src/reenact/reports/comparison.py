"""The report of a comparison: one HTML file that needs nothing else."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reenact.atomic import write_text
from reenact.corpus.tables import read_table
from reenact.errors import ReenactError
from reenact.reports.curves import curves_html
from reenact.reports.figures_table import differences_html, figures_html
from reenact.reports.grids import grid_html
from reenact.reports.page import inline, page, rows, section
from reenact.reports.validation import check_rows, quality_rows, split_rows
from reenact.systems.branch import Branch

SYNTHETIC = "Every generated face in this report is synthetic: drawn by a network, never filmed."
_TESTED = (
    "On the pairs that both rows could be judged on; negative is better where less is better. p is of a permutation "
    "test by persons, corrected for all that is tested of one row against one other (Holm); with fewer than ten "
    "persons it can't be small. d is the difference in standard deviations between persons; a true difference of the "
    "size called detectable shows in four of five such studies."
)
LICENCES = (
    "dlib's 68-point landmark model was trained on iBUG 300-W and may be used for research only; networks trained on "
    "its labels carry that along.",
    "Clips keep the licence and the consent under which they were taken; see rights.json of the run.",
)


def write_report(
    path: Path,
    *,
    table: pd.DataFrame,
    branches: Path,
    expected: Sequence[Branch],
    winner: Mapping[str, Any],
    context: Mapping[str, Any],
) -> None:
    """Write the report of a comparison.

    `table` and `winner` are those of stages/compare.py. `context` may hold `notes` (sentences), `differences`,
    `checks` and `split` (tables), `label_quality` (records of `label`, `value`, `meaning`), `lineage` (a record),
    `judge` and `image_size`; facts on the data that are not passed come from a branch's evaluation (`data.json`), and
    a section without its facts says so. Pictures, histories and records are read below `branches`, where a branch may
    lack any of them.
    """
    names = [branch.name for branch in expected]
    context = {**_data_facts(branches, names), **context}
    best = winner.get("branch")
    ordered = sorted(names, key=lambda name: name != best)
    statuses = {name: _record(branches / name / "train" / "status.json") for name in names}
    parts = [
        _headline(table, winner, context),
        section("Figures", figures_html(table, best), lead=_reading(context)),
        _differences(context),
        section("Pictures", "".join(_pictures(branches, name, first=name == ordered[0]) for name in ordered),
                lead="Test pairs, spread over the identities; nothing was picked by hand. " + SYNTHETIC),
        section("Loss curves", curves_html(_histories(branches, names)), lead="Each term under its own name."),
        section("What was trained", _trainings(statuses)),
        section("Label quality", _label_quality(context)),
        section("Data checks and split", _checks(context)),
        section("Lineage", _lineage(context, statuses)),
        section("Licences and use", _list((SYNTHETIC, *_rights(statuses), *LICENCES))),
    ]  # fmt: skip
    write_text(path, page("Comparison of reenactment systems", "\n".join(filter(None, parts))))


def _headline(table: pd.DataFrame, winner: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    name = winner.get("branch")
    rule = winner.get("rule") or {}
    if name:
        figure = f"{html.escape(str(winner['metric']))} = {winner['value']:.4g}"
        split = html.escape(str(rule.get("split", "val")))
        text = f"<b>{html.escape(str(name))}</b> was chosen by {figure} on {split}; the test split played no part."
    else:
        text = "No branch was chosen."
    own = table[table["status"] != "reference"]
    lost = own[own["status"] != "trained"]
    pills = f'<span class="pill good">{len(own) - len(lost)} branches compared</span>'
    if len(lost):
        pills += f' <span class="pill bad">{len(lost)} missing or failed</span>'
    notes = _list(context.get("notes", ()))
    return (
        f"<h1>Comparison of reenactment systems</h1><p>{text}</p><p>{pills}</p>"
        f'<div class="notice"><b>Synthetic faces.</b> {SYNTHETIC}</div>{notes}'
    )


def _reading(context: Mapping[str, Any]) -> str:
    size = context.get("image_size")
    shown = f" Pictures of {size} px." if size else ""
    return (
        "Means over test pairs with 95 % bootstrap intervals below; arrows say which way is better. Copy source "
        "is what doing nothing scores, ground truth the ceiling, nearest frame what looking up a frame of the person "
        "scores, other identity the floor of CSIM, which stands in brackets on a scale from that floor (0) to a real "
        "picture of the same person (1). Self and cross, seen and unseen "
        f"identities never share a column.{shown}"
    )


def _differences(context: Mapping[str, Any]) -> str:
    table = context.get("differences")
    if table is None or table.empty:
        return ""
    body = f"<details><summary>{len(table)} differences</summary>{differences_html(table)}</details>"
    return section("Paired differences", body, lead=_TESTED)


def _pictures(branches: Path, name: str, *, first: bool) -> str:
    path = branches / name / "evaluate" / "samples.npz"
    if not path.exists():
        return f'<h3>{html.escape(name)}</h3><p class="soft">no pictures: this branch was not scored</p>'
    with np.load(path) as stored:
        samples = {key: stored[key] for key in stored.files}
    titles = {"self": "Self-reenactment", "cross": "Cross-reenactment: the driver lends its motion"}
    body = ""
    for protocol, title in titles.items():
        drawn = grid_html(samples, protocol, alt=f"{name}: {protocol}-reenactment, synthetic faces")
        body += f"<h3>{title}</h3>{drawn}" if drawn else ""
    body += _over_time(branches / name / "train" / "samples.png", name)
    opened = " open" if first else ""
    return f"<details{opened}><summary><b>{html.escape(name)}</b></summary>{body}</details>"


def _over_time(path: Path, name: str) -> str:
    if not path.exists():
        return ""
    shown = inline(path.read_bytes(), "image/png", alt=f"{name} during training, synthetic faces", kind="faces")
    return f"<h3>During training</h3>{shown}"


def _histories(branches: Path, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    histories = {}
    for name in names:
        path = branches / name / "train" / "history.parquet"
        try:
            if path.exists():
                histories[name] = read_table(path, kind="history")
        except ReenactError:  # a damaged history costs its curve, not the report
            continue
    return histories


def _trainings(statuses: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, status in statuses.items():
        if not status:
            lines.append(("trouble", [html.escape(name), "no record", *[""] * 6]))
            continue
        features = status.get("features") or {}
        network = f"{features.get('name', 'none')} {str(features.get('sha256', ''))[:12]}"
        cells = [name, status.get("status", ""), status.get("steps", ""), status.get("samples", ""),
                 _minutes(status.get("training_seconds")), network, str(status.get("key", ""))[:12],
                 str(status.get("mlflow_run_id", ""))[:12]]  # fmt: skip
        mark = "" if status.get("status") == "trained" else "trouble"
        lines.append((mark, [html.escape(str(cell)) for cell in cells]))
    head = ["branch", "status", "steps", "samples", "minutes", "feature network", "key", "MLflow run"]
    return rows(head, lines, text=(1, 5, 6, 7))


def _label_quality(context: Mapping[str, Any]) -> str:
    records = context.get("label_quality")
    if not records:
        return '<p class="soft">No branch left facts on labels.</p>'
    return quality_rows(records)


def _checks(context: Mapping[str, Any]) -> str:
    checks, split = _frame(context.get("checks")), _frame(context.get("split"))
    if checks is None:
        return '<p class="soft">No branch left the checks; see validation.html of the run.</p>'
    failed = checks[~checks["passed"].astype(bool)]
    body = split_rows(split) if split is not None else ""
    body += f"<p>{len(checks)} checks, {len(failed)} warnings.</p>" + (check_rows(failed) if len(failed) else "")
    return body + f"<details><summary>Every check</summary>{check_rows(checks)}</details>"


def _lineage(context: Mapping[str, Any], statuses: Mapping[str, Mapping[str, Any]]) -> str:
    facts = dict(context.get("lineage") or {})
    data = sorted({str(status["data"]) for status in statuses.values() if status.get("data")})
    if data:
        facts.setdefault("data_hash", ", ".join(data))
    judge = context.get("judge")
    if judge:
        facts["judge"] = json.dumps(judge, sort_keys=True)
    lines = [("", [html.escape(str(key)), html.escape(str(value))]) for key, value in facts.items() if value != ""]
    return rows(["what", "value"], lines, text=(1,)) if lines else '<p class="soft">nothing was recorded</p>'


def _rights(statuses: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the branches' records say of their clips' licence and consent."""
    said = (str((status.get("lineage") or {}).get("rights", "")) for status in statuses.values())
    return list(dict.fromkeys(filter(None, said)))


def _record(path: Path) -> dict[str, Any]:
    """A JSON record, {} where there is none that can be read."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _data_facts(branches: Path, names: Sequence[str]) -> dict[str, Any]:
    """Label quality, checks and split as the first scored branch saw them: all branches read the same data."""
    found = (_record(branches / name / "evaluate" / "data.json") for name in names)
    return next(filter(None, found), {})


def _frame(value: Any) -> pd.DataFrame | None:
    return value if value is None or isinstance(value, pd.DataFrame) else pd.DataFrame(value)


def _minutes(seconds: Any) -> str:
    return f"{float(seconds) / 60:.1f}" if seconds is not None else ""


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(str(sentence))}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""
