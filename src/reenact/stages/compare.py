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

if TYPE_CHECKING:
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
    context: Mapping[str, Any] | None = None,
) -> StageResult:
    """Compare the evaluations below `branches` (NAME/evaluate); `context` (lineage, label quality) is for the report.

    Everything is written first; then raises BranchesMissing if a branch is missing, failed or not comparable, or if
    none can win.
    """
    from reenact.evaluation.collect import collect

    entries = collect(branches, expected, [Path(folder) for folder in settings.predictions])
    return compare_entries(entries, out=out, settings=settings, context=context)


def compare_entries(
    entries: Sequence["Entry"], *, out: Path, settings: CompareSettings, context: Mapping[str, Any] | None = None
) -> StageResult:
    """The same for entries from anywhere."""
    from dataclasses import asdict

    from reenact.corpus.shards import write_stage
    from reenact.evaluation.assemble import assemble
    from reenact.reports.outputs import write_comparison
    from reenact.tracking.lineage import read_lineage

    comparison = assemble(entries, rule=settings.choose, repeats=settings.bootstrap, seed=settings.seed)
    write_comparison(out, comparison, {"lineage": asdict(read_lineage()), **(context or {})})
    winner = comparison.winner["branch"]
    write_stage(out, kind="comparison", winner=winner, branches={entry.name: entry.status for entry in entries})
    lost = [f"{entry.name} ({entry.status}: {entry.reason})" for entry in entries if entry.status != "trained"]
    if lost:
        raise BranchesMissing(
            f"{out / 'table.md'}: written, but {len(lost)} of {len(entries)} branches are not in it: {'; '.join(lost)}."
            " Run the same command again to train what is missing."
        )
    if winner is None:
        raise BranchesMissing(
            f"{out / 'table.md'}: written, but no branch can win: the judge found too few faces for "
            f"{comparison.winner['metric']} on val (compare.choose.judged: {settings.choose.judged})."
        )
    return StageResult(
        stage="compare", counts={"branches": float(len(comparison.trained))}, notes=(f"chosen: {winner}",)
    )
