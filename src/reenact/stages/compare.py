"""Put every branch into one table, choose the winner by the rule, write the report; then say what is missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reenact.config import Settings
from reenact.errors import BranchesMissing
from reenact.evaluation.rule import ChooseSettings
from reenact.stages.result import StageResult
from reenact.systems.branch import Branch
from reenact.tracking.connect import TrackingSettings

if TYPE_CHECKING:
    from reenact.evaluation.assemble import Comparison
    from reenact.evaluation.collect import Entry


class CompareSettings(Settings):
    """How the winner is chosen and how sure figures are."""

    choose: ChooseSettings = ChooseSettings()
    bootstrap: int = Field(default=1000, ge=1)  # repeats
    seed: int = Field(default=0, ge=0)
    predictions: tuple[str, ...] = ()  # folders that `evaluate --predictions` wrote: rows of other methods


def compare(
    *,
    branches: Path,
    out: Path,
    expected: Sequence[Branch],
    settings: CompareSettings,
    tracking: TrackingSettings | None = None,
    context: Mapping[str, Any] | None = None,
) -> StageResult:
    """Compare the evaluations below `branches` (NAME/evaluate); `context` (lineage, label quality) is for the report.

    Everything is written, and logged as a run of MLflow where `tracking` is given; then raises BranchesMissing if a
    branch is missing, failed or not comparable, or if none can win.
    """
    from reenact.evaluation.collect import collect
    from reenact.reports.long_form import dvc_metrics

    entries = collect(branches, expected, [Path(folder) for folder in settings.predictions])
    comparison = compare_entries(entries, out=out, settings=settings, tracking=tracking, context=context)
    lost = comparison.lost
    if lost:
        untrained = any(entry.branch and entry.status in ("missing", "failed") for entry in entries)
        raise BranchesMissing(
            f"{out / 'table.md'}: written, but {len(lost)} of {len(entries)} rows have no figures: {'; '.join(lost)}."
            + (" Run the pipeline again to train what is missing." if untrained else "")
        )
    winner = comparison.winner["branch"]
    if winner is None:
        raise BranchesMissing(
            f"{out / 'table.md'}: written, but no branch can win: the judge found too few faces for "
            f"{comparison.winner['metric']} on val (compare.choose.judged: {settings.choose.judged})."
        )
    counts = {"branches": float(len(comparison.trained)), **dvc_metrics(comparison)["chosen"]}
    return StageResult(stage="compare", counts=counts, notes=(f"chosen: {winner}",))


def compare_entries(
    entries: Sequence["Entry"],
    *,
    out: Path,
    settings: CompareSettings,
    tracking: TrackingSettings | None = None,
    context: Mapping[str, Any] | None = None,
) -> "Comparison":
    """Compare entries from anywhere: write everything, log it where `tracking` is given."""
    from dataclasses import asdict

    from reenact.corpus.shards import write_stage
    from reenact.evaluation.assemble import assemble
    from reenact.reports.outputs import write_comparison
    from reenact.tracking.comparisons import log_comparison
    from reenact.tracking.connect import tracking_uri
    from reenact.tracking.lineage import read_lineage

    if tracking:
        tracking_uri(tracking)  # an address that makes no sense is said before the work, not after it
    comparison = assemble(entries, rule=settings.choose, repeats=settings.bootstrap, seed=settings.seed)
    write_comparison(out, comparison, {"lineage": asdict(read_lineage()), **(context or {})})
    states = {entry.name: entry.status for entry in entries}
    write_stage(out, kind="comparison", winner=comparison.winner["branch"], branches=states)
    if tracking:
        log_comparison(out, tracking, rule=settings.choose.plain())
    return comparison
