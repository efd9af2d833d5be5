"""Sections on what stands behind the figures: trainings and their cost, alarms, labels, checks, lineage, rights."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.evaluation.collect import Entry
from reenact.reports.page import rows
from reenact.reports.validation import check_rows, quality_rows, split_rows

_VERDICTS = {"alarm": "bad", "warning": "warn", "fine": "good"}

Records = Mapping[str, Mapping[str, Any]]  # by the entry's name


def statuses_of(entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """`status.json` of each branch's training, {} where there is none that can be read."""
    return {e.name: record(e.training / "status.json" if e.training else None) for e in entries if e.branch}


def trainings_html(statuses: Records) -> str:
    """What was trained, how long, with which feature network."""
    lines = []
    for name, status in statuses.items():
        if not status:
            lines.append(("trouble", [html.escape(name), "no record", *[""] * 5]))
            continue
        features = status.get("features") or {}
        network = f"{features.get('name', 'none')} {str(features.get('sha256', ''))[:12]}"
        cells = [name, status.get("status", ""), status.get("steps", ""), status.get("samples", ""), network,
                 str(status.get("key", ""))[:12], str(status.get("mlflow_run_id", ""))[:12]]  # fmt: skip
        mark = "" if status.get("status") == "trained" else "trouble"
        lines.append((mark, [html.escape(str(cell)) for cell in cells]))
    return rows(
        ["branch", "status", "steps", "samples", "feature network", "key", "MLflow run"], lines, text=(1, 4, 5, 6)
    )


def cost_html(entries: Sequence[Entry], statuses: Records) -> str:
    """Hours of training, samples a second, time to draw a picture, size of the networks."""
    lines = []
    for entry in entries:
        status, cost = (
            statuses.get(entry.name, {}),
            record(entry.evaluation / "cost.json" if entry.evaluation else None),
        )
        seconds, samples = status.get("training_seconds"), status.get("samples")
        runtime, drawn = status.get("runtime") or {}, cost.get("seconds_per_picture")
        if seconds is None and drawn is None:
            continue
        sizes = [f"{name} {count / 1e6:.2f} M" for name, count in (cost.get("parameters") or {}).items()]
        lines.append(("", [
            html.escape(entry.name),
            "-" if seconds is None else f"{float(seconds) / 3600:.2f}",
            "-" if not seconds or samples is None else f"{samples / float(seconds):.1f}",
            html.escape(_on(runtime.get("device"), runtime.get("threads"))),
            "-" if drawn is None else f"{drawn * 1000:.1f}",
            html.escape(_on(cost.get("device"), cost.get("threads"))),
            str(cost.get("batch", "-")),
            html.escape(", ".join(sizes)) or "-",
        ]))  # fmt: skip
    heads = ["branch", "training, hours", "samples/s", "trained on", "drawing, ms a picture", "drawn on", "batch",
             "parameters"]  # fmt: skip
    return rows(heads, lines, text=(3, 5, 7)) if lines else '<p class="soft">No branch left a record of its cost.</p>'


def _on(device: Any, threads: Any) -> str:
    if not device:
        return "-"
    return f"{device}, {threads} thread{'' if threads == 1 else 's'}" if device == "cpu" else str(device)


def alarms_of(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Every verdict on every entry, alarms first, then warnings."""
    found = [{"row": entry.name, **alarm} for entry in entries for alarm in entry.record.get("alarms") or ()]
    order = [*_VERDICTS, "unknown"]
    return sorted(found, key=lambda alarm: order.index(alarm["verdict"]) if alarm["verdict"] in order else len(order))


def alarms_html(entries: Sequence[Entry]) -> str:
    """What is amiss in the open, all verdicts below."""
    found = alarms_of(entries)
    if not found:
        return '<p class="soft">No evaluation left verdicts.</p>'
    amiss = [alarm for alarm in found if alarm["verdict"] in ("alarm", "warning")]
    body = _verdicts(amiss) if amiss else "<p>Nothing is amiss.</p>"
    return body + f"<details><summary>All {len(found)} verdicts</summary>{_verdicts(found)}</details>"


def _verdicts(alarms: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for alarm in alarms:
        verdict = str(alarm["verdict"])
        pill = f'<span class="pill {_VERDICTS.get(verdict, "soft")}">{html.escape(verdict)}</span>'
        where = " ".join(str(alarm.get(name) or "") for name in ("split", "protocol"))
        value, limit = (_number(alarm.get(name)) for name in ("value", "limit"))
        said = [html.escape(str(alarm["row"])), html.escape(str(alarm["name"]).replace("_", " "))]
        lines.append(("", [*said, pill, value, limit, html.escape(where), html.escape(str(alarm.get("meaning", "")))]))
    return rows(["row", "alarm", "verdict", "value", "limit", "of", "meaning"], lines, text=(1, 5, 6))


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "-" if value is None else html.escape(str(value))


def labels_html(context: Mapping[str, Any]) -> str:
    """How good the labels are that everything learned from."""
    records = context.get("label_quality")
    return quality_rows(records) if records else '<p class="soft">No branch left facts on labels.</p>'


def checks_html(context: Mapping[str, Any]) -> str:
    """Split, failed checks, and all checks."""
    checks, split = _frame(context.get("checks")), _frame(context.get("split"))
    if checks is None:
        return '<p class="soft">No branch left the checks; see validation.html of the run.</p>'
    failed = checks[~checks["passed"].astype(bool)]
    body = split_rows(split) if split is not None else ""
    body += f"<p>{len(checks)} checks, {len(failed)} warnings.</p>" + (check_rows(failed) if len(failed) else "")
    return body + f"<details><summary>Every check</summary>{check_rows(checks)}</details>"


def lineage_html(context: Mapping[str, Any], statuses: Records, entries: Sequence[Entry]) -> str:
    """Code, data, settings, judge, pairs; and of what folder each row was read, where runs are several."""
    facts = dict(context.get("lineage") or {})
    data = sorted({str(status["data"]) for status in statuses.values() if status.get("data")})
    if data:
        facts.setdefault("data_hash", ", ".join(data))
    for name in ("judge", "pairs_sha256"):
        if context.get(name):
            facts[name] = json.dumps(context[name], sort_keys=True)
    if len({entry.run for entry in entries}) > 1:
        facts |= {f"run of {entry.name}": entry.run for entry in entries}
    lines = [("", [html.escape(str(key)), html.escape(str(value))]) for key, value in facts.items() if value != ""]
    return rows(["what", "value"], lines, text=(1,)) if lines else '<p class="soft">nothing was recorded</p>'


def rights_of(statuses: Records) -> list[str]:
    """What the branches' records say of their clips' licence and consent."""
    said = (str((status.get("lineage") or {}).get("rights", "")) for status in statuses.values())
    return list(dict.fromkeys(filter(None, said)))


def record(path: Path | None) -> dict[str, Any]:
    """A JSON record, {} where there is none that can be read."""
    try:
        return dict(json.loads(path.read_text())) if path else {}
    except (OSError, ValueError):
        return {}


def _frame(value: Any) -> pd.DataFrame | None:
    return value if value is None or isinstance(value, pd.DataFrame) else pd.DataFrame(value)
