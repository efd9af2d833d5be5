"""The report of a comparison: one HTML file that needs nothing else."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reenact.alarms.verdict import notes_on
from reenact.atomic import write_text
from reenact.evaluation.assemble import Comparison
from reenact.evaluation.detection import TITLE as DETECTION
from reenact.reports.background import (
    alarms_html,
    alarms_of,
    checks_html,
    cost_html,
    labels_html,
    lineage_html,
    record,
    rights_of,
    statuses_of,
    trainings_html,
)
from reenact.reports.bands import bands_html, read_bands
from reenact.reports.cases import cases_html
from reenact.reports.curves import curves_html
from reenact.reports.detection import LEAD, detection_html
from reenact.reports.figures_table import differences_html, figures_html
from reenact.reports.given_backgrounds import LEAD as BACKGROUNDS
from reenact.reports.given_backgrounds import backgrounds_html
from reenact.reports.judges import judges_html
from reenact.reports.magnitudes import history_of, magnitudes_html
from reenact.reports.metric_check import CHECKED, check_html
from reenact.reports.page import page, picture, section
from reenact.reports.strips import reading, samples_of, strips_html
from reenact.reports.sweeps import LEAD as SWEEPS
from reenact.reports.sweeps import sweeps_html

SYNTHETIC = "Every generated face in this report is synthetic: drawn by a network, never filmed."
_TESTED = (
    "On the pairs that both rows could be judged on; negative is better where less is better. p is of a permutation "
    "test by persons, corrected for all that is tested of one row against one other (Holm); with fewer than ten "
    "persons it can't be small. d is the difference in standard deviations between persons; a true difference of the "
    "size called detectable shows in four of five such studies."
)
_MAGNITUDES = (
    "Weight times magnitude of each term of the generator's loss, on one scale for all branches: over the training, "
    "and its mean over the last tenth. A term far above the others decides what is learned."
)
_CASES = (
    "Test pairs with the best, the median and the worst value of the metric that chooses, of each branch's own: "
    "source, truth (or driver, where there is none), generated, and where generated and truth differ."
)
LICENCES = (
    "dlib's 68-point landmark model was trained on iBUG 300-W and may be used for research only; networks trained on "
    "its labels carry that along.",
    "Clips keep the licence and the consent under which they were taken; see rights.json of the run.",
)


def write_report(path: Path, *, comparison: Comparison, context: Mapping[str, Any]) -> None:
    """Write the report of a comparison.

    `context` may hold `checks` and `split` (tables), `label_quality` (records of `label`, `value`, `meaning`) and
    `lineage` (a record); facts on the data that are not passed come from an evaluation (`data.json`), and a section
    without its facts says so. Pictures, histories and records are read from the entries' folders, any of which may
    lack some; `bands.parquet` from the folder of the report.
    """
    entries, winner = comparison.entries, comparison.winner
    context = {**_data_facts(comparison), **comparison.shared, **context}
    # The chosen one first.
    ordered = sorted(entries, key=lambda entry: entry.name != winner["branch"])
    statuses, samples = statuses_of(entries), samples_of(ordered)
    rule = winner.get("rule") or {}
    parts = [
        _headline(comparison),
        section("Figures", figures_html(comparison.table, winner["branch"], comparison.differences),
                lead=_reading(context)),
        _differences(comparison),
        section("Judges", judges_html(comparison.trained)),
        section("Alarms", alarms_html(entries), lead="Ways of failing that figures alone may hide."),
        section("Strips", strips_html(samples), lead=f"{reading()} {SYNTHETIC}"),
        section("Best, median and worst", cases_html(ordered, samples, rule), lead=_CASES),
        section("By bands", bands_html(read_bands(path.parent / "bands.parquet"), metric=str(rule.get("metric"))),
                lead="Means with 95 % intervals; below, the share of pairs that could be judged."),
        _where_any("One label at a time", sweeps_html(ordered), lead=SWEEPS),
        _where_any("Backgrounds of choice", backgrounds_html(ordered), lead=BACKGROUNDS),
        _checked(comparison),
        _detection(comparison),
        section("Loss magnitudes", magnitudes_html(ordered), lead=_MAGNITUDES),
        section("Loss curves", curves_html({entry.name: history_of(entry.training) for entry in entries}),
                lead="Each term under its own name, without its weight."),
        section("During training", _over_time(comparison)),
        section("Cost", cost_html(entries, statuses),
                lead="Drawing is timed with labels at hand, in batches, without reading and writing files."),
        section("What was trained", trainings_html(statuses)),
        section("Label quality", labels_html(context)),
        section("Data checks and split", checks_html(context)),
        section("Lineage", lineage_html(context, statuses, entries)),
        section("Licences and use", _list((SYNTHETIC, *rights_of(statuses), *LICENCES))),
    ]  # fmt: skip
    write_text(path, page("Comparison of reenactment systems", "\n".join(filter(None, parts)), wide=True))


def _checked(comparison: Comparison) -> str:
    return _where_any("Metrics without a truth", check_html(comparison.metric_check), lead=CHECKED)


def _where_any(title: str, body: str, *, lead: str) -> str:
    """A section, unless nobody has anything to show in it."""
    return section(title, body, lead=lead) if body else ""


def _headline(comparison: Comparison) -> str:
    winner = comparison.winner
    name, rule = winner.get("branch"), winner.get("rule") or {}
    if name:
        figure = f"{html.escape(str(winner['metric']))} = {winner['value']:.4g}"
        split = html.escape(str(rule.get("split", "val")))
        text = f"<b>{html.escape(str(name))}</b> was chosen by {figure} on {split}; the test split played no part."
    else:
        text = "No branch was chosen."
    lost = len(comparison.entries) - len(comparison.trained)
    pills = [("good", f"{len(comparison.trained)} compared")]
    pills += [("bad", f"{lost} missing or failed")] if lost else []
    verdicts = [alarm["verdict"] for alarm in alarms_of(comparison.entries)]
    for verdict, colour in (("alarm", "bad"), ("warning", "warn")):
        count = verdicts.count(verdict)
        pills += [(colour, f"{count} {verdict}{'' if count == 1 else 's'}")] if count else []
    shown = " ".join(f'<span class="pill {colour}">{said}</span>' for colour, said in pills)
    verdicts_told = {note for e in comparison.trained for note in notes_on(e.record.get("alarms") or (), e.name)}
    notes = [note for note in comparison.notes if note not in verdicts_told]  # they have a section
    return (
        f"<h1>Comparison of reenactment systems</h1><p>{text}</p><p>{shown}</p>"
        f'<div class="notice"><b>Synthetic faces.</b> {SYNTHETIC}</div>{_list(notes)}'
    )


def _reading(context: Mapping[str, Any]) -> str:
    size = context.get("image_size")
    shown = f" Pictures of {size} px." if size else ""
    return (
        "Means over test pairs with 95 % bootstrap intervals below; arrows in the heads say which way is better. Copy "
        "source is what doing nothing scores, ground truth the ceiling, nearest frame what looking up a frame of the "
        "person scores, other identity the floor of CSIM, which stands in brackets on a scale from that floor (0) to a "
        "real picture of the same person (1). Self and cross, seen and unseen "
        f"identities never share a column.{shown}"
    )


def _detection(comparison: Comparison) -> str:
    return _where_any(DETECTION, detection_html(comparison.detection), lead=LEAD)


def _differences(comparison: Comparison) -> str:
    table = comparison.differences
    if table.empty:
        return ""
    body = f"<details><summary>{len(table)} differences</summary>{differences_html(table)}</details>"
    return section("Paired differences", body, lead=_TESTED)


def _over_time(comparison: Comparison) -> str:
    """Each branch's pictures of the same validation pairs as its training went on."""
    found = ""
    for entry in comparison.entries:
        path = entry.training / "samples.png" if entry.training else None
        image = cv2.imread(str(path)) if path and path.exists() else None
        if image is not None:
            drawn = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
            shown = picture(drawn, alt=f"{entry.name} during training, synthetic faces", kind="faces", quality=85)
            found += f"<details><summary>{html.escape(entry.name)}</summary>{shown}</details>"
    return found or '<p class="soft">No branch left pictures of its training.</p>'


def _data_facts(comparison: Comparison) -> dict[str, Any]:
    """Label quality, checks and split as the first scored entry saw them: all read the same data."""
    found = (record(entry.evaluation / "data.json" if entry.evaluation else None) for entry in comparison.entries)
    return next(filter(None, found), {})


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(str(sentence))}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""
