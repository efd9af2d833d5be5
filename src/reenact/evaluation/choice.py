"""Which branch wins: by a rule on the validation split, never on the test identities."""

from collections.abc import Sequence
from typing import Any

from reenact.errors import SettingsError
from reenact.evaluation.collect import Entry
from reenact.evaluation.metrics.catalogue import metric
from reenact.evaluation.rule import ChooseSettings


def choose(entries: Sequence[Entry], rule: ChooseSettings) -> tuple[dict[str, float | None], str | None]:
    """Value of the rule per scored branch (None: not judged often enough) and the winner's name, if there is one.

    Equal values go to the branch named first. Another method's pictures have no model here and can't win.
    """
    chosen = metric(rule.metric, where="compare.choose.metric")
    if rule.protocol not in chosen.protocols:
        raise SettingsError(
            f"compare.choose: {rule.metric} makes no sense for {rule.protocol}; it has {', '.join(chosen.protocols)}."
        )
    values: dict[str, float | None] = {}
    winner: str | None = None
    for entry in entries:
        if entry.status != "trained":
            continue
        name = entry.name
        value = values[name] = _value(entry.record["results"], name, rule)
        best = values[winner] if winner else None
        if entry.branch and value is not None and (best is None or chosen.better(value, best)):
            winner = name
    return values, winner


def _value(results: list[dict[str, Any]], row: str, rule: ChooseSettings) -> float | None:
    """Of unseen people where there are any, else of seen ones."""
    wanted = {"row": row, "split": rule.split, "protocol": rule.protocol, "metric": rule.metric}
    found = {r["identities"]: r for r in results if all(r[key] == value for key, value in wanted.items())}
    result = found.get("unseen") or found.get("seen")
    if result is None or result["value"] is None or result["n"] < rule.judged * result["pairs"]:
        return None
    return float(result["value"])
