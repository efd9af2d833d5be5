"""Put every branch into one table, choose the winner by the rule, write the report; then say what is missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from reenact.config import Settings
from reenact.errors import BranchesMissing
from reenact.evaluation.rule import ChooseSettings
from reenact.stages.result import StageResult
from reenact.systems.branch import Branch


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
    from dataclasses import asdict

    from reenact.atomic import write_json, write_text
    from reenact.corpus.shards import write_stage
    from reenact.corpus.tables import FORMAT, write_table
    from reenact.evaluation.choice import choose
    from reenact.evaluation.collect import collect
    from reenact.evaluation.latex import to_latex
    from reenact.evaluation.markdown import to_markdown
    from reenact.evaluation.table import build_table, differences
    from reenact.reports.comparison import write_report
    from reenact.tracking.lineage import read_lineage

    entries = collect(branches, expected, [Path(folder) for folder in settings.predictions])
    sure = {"repeats": settings.bootstrap, "seed": settings.seed}
    table = build_table(entries, split="test", **sure)
    versus = differences(entries, split="test", **sure)
    values, winner = choose(entries, settings.choose)
    table["choice"] = [values.get(name) for name in table["row"]]
    table["choice"] = table["choice"].astype("float64")
    table["chosen"] = table["row"] == winner
    trained = [entry for entry in entries if entry.status == "trained"]
    networks = {entry.name: feature_network(entry.record) for entry in trained}
    table["features"] = [networks.get(name, "") for name in table["row"]]
    notes = sorted({note for entry in trained for note in entry.record["notes"]})
    if (table["kind"] == "trainings").any():
        notes.append("rows of several trainings: intervals are over persons and trainings")
    notes += [f"feature network of the losses: {network}" for network in sorted(set(networks.values()))]
    shared = {key: trained[0].record[key] for key in ("metrics", "judge", "image_size", "pairs_sha256", "range")
              if trained}  # fmt: skip
    chosen = {
        "branch": winner,
        "metric": f"{settings.choose.protocol}_{settings.choose.metric}",
        "value": values[winner] if winner else None,
        "rule": settings.choose.plain(),
        "model": f"{winner}/train" if winner else None,  # below `branches`
    }

    write_table(out / "table.parquet", table, kind="comparison")
    write_table(out / "differences.parquet", versus, kind="differences")
    write_text(out / "table.csv", table.to_csv(index=False))
    write_text(out / "table.tex", to_latex(table))
    write_text(out / "table.md", to_markdown(table, winner=winner, notes=notes))
    plain = {"rows": _plain(table), "differences": _plain(versus), "notes": notes, "format": FORMAT, **shared}
    write_json(out / "table.json", plain)
    write_json(out / "winner.json", chosen)
    # A report that can't be drawn must not hide the figures: the table is on disk by now.
    write_report(
        out / "report.html", table=table, branches=branches, expected=expected, winner=chosen,
        context={**shared, "notes": notes, "differences": versus, "lineage": asdict(read_lineage()),
                 **(context or {})},
    )  # fmt: skip
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
            f"{chosen['metric']} on val (compare.choose.judged: {settings.choose.judged})."
        )
    return StageResult(stage="compare", counts={"branches": float(len(trained))}, notes=(f"chosen: {winner}",))


def feature_network(record: Mapping[str, Any]) -> str:
    """Name and sha256 of the network behind a branch's perceptual and identity losses."""
    network = record["model"].get("features")
    return f"{network['name']} {network['sha256']}" if network else "none"


def _plain(table: Any) -> list[dict[str, Any]]:
    """Rows as plain JSON types, NaN as None."""
    import json

    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows
