"""Great Expectations on tables in memory: one small record per check, with the ids of what failed.

Great Expectations tells apart neither bad data from a check that could not run, nor an empty table from a good one;
both are settled here. It takes seconds to import, so it is imported on use.
"""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

Level = Literal["critical", "warning"]
_NAMED = 5  # offending ids in a record; their number is given besides
_SHOWN = 12  # offenders that are kept to be looked at


@dataclass(frozen=True, kw_only=True)
class Check:
    """One expectation by its name in Great Expectations ("ExpectColumnValuesToBeBetween") and its arguments."""

    level: Level
    says: str  # what is expected, for people
    expectation: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Offender:
    """Where to look: a clip, one of its frames by its number in the video (None: the clip as such), what was seen."""

    clip: str
    frame: int | None = None
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A row of `checks.parquet`, and up to a dozen offenders to look at, the worst first."""

    table: str
    check: str
    level: str
    passed: bool
    observed: str
    detail: str
    offenders: tuple[Offender, ...] = ()


def run_checks(table: str, frame: pd.DataFrame, checks: Sequence[Check], *, ids: Sequence[str]) -> list[Outcome]:
    """Outcome of every check of one table; `ids` are the columns that name a row to a person.

    An empty table fails every check: nothing was there to be found good.
    """
    if frame.empty:
        return [_outcome(table, check, False, "0 rows", "the table is empty") for check in checks]
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame.reset_index(drop=True)})
    named = [column for column in ids if column in frame.columns]
    result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": named}
    # As one suite: a check alone costs its own copy of the table.
    suite = gx.ExpectationSuite(name=table)
    for number, check in enumerate(checks):
        suite.add_expectation(getattr(gx.expectations, check.expectation)(**check.arguments, meta={"number": number}))
    results = batch.validate(suite, result_format=result_format).to_json_dict()["results"]
    by_number = {result["expectation_config"]["meta"]["number"]: result for result in results}
    return [_read(table, check, by_number[number], named, len(frame)) for number, check in enumerate(checks)]


def outcomes_table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The table `checks.parquet`."""
    columns = ["table", "check", "level", "passed", "observed", "detail"]
    return pd.DataFrame([{name: getattr(outcome, name) for name in columns} for outcome in outcomes], columns=columns)


def custom(
    table: str, says: str, level: Level, *, bad: Sequence[str], of: int, offenders: Sequence[Offender] = ()
) -> Outcome:
    """A check across rows or tables that was computed in plain pandas; `bad` names what broke it."""
    check = Check(level=level, says=says, expectation="")
    outcome = _outcome(table, check, not bad, f"{len(bad)} of {of}" if bad else "none", _naming(bad))
    return replace(outcome, offenders=tuple(offenders[:_SHOWN]))


def _read(table: str, check: Check, result: Mapping[str, Any], ids: Sequence[str], rows: int) -> Outcome:
    error = _error(result.get("exception_info") or {})
    if error:
        return _outcome(table, check, False, "could not run", error)
    facts = result.get("result") or {}
    wrong = facts.get("unexpected_count")
    if wrong is None:
        return _outcome(table, check, bool(result["success"]), str(facts.get("observed_value", "")), "")
    total = facts.get("element_count") or rows
    observed = f"{wrong} of {total} differ" if wrong else f"all of {total}"
    rows_wrong = facts.get("unexpected_index_list") or []
    names = ["/".join(str(row[column]) for column in ids if column in row) for row in rows_wrong]
    seen = facts.get("partial_unexpected_list") or []
    values = sorted({_shown(value) for value in seen if not isinstance(value, bool)})[:3]
    detail = _naming(names) + (f" (for example {', '.join(values)})" if values and wrong else "")
    outcome = _outcome(table, check, bool(result["success"]), observed, detail.strip())
    return outcome if outcome.passed else replace(outcome, offenders=_offenders(rows_wrong, check.arguments))


def _outcome(table: str, check: Check, passed: bool, observed: str, detail: str) -> Outcome:
    return Outcome(
        table=table, check=check.says, level=check.level, passed=passed, observed=observed, detail=detail
    )  # fmt: skip


def _naming(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(str(name) for name in names))
    more = f" and {len(unique) - _NAMED} more" if len(unique) > _NAMED else ""
    return ", ".join(unique[:_NAMED]) + more


def _offenders(rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> tuple[Offender, ...]:
    """A dozen of the rows that failed: the worst of every clip, the worst clips first, then their second worst, ..."""
    column = str(arguments.get("column", ""))
    low, high = arguments.get("min_value"), arguments.get("max_value")

    def badness(row: Mapping[str, Any]) -> float:
        value = row.get(column)
        if not isinstance(value, int | float) or math.isnan(value):
            return math.inf
        return max(low - value if low is not None else 0.0, value - high if high is not None else 0.0)

    turn: dict[str, int] = {}
    order = []
    for row in sorted((row for row in rows if "clip" in row), key=badness, reverse=True):
        clip = str(row["clip"])
        turn[clip] = turn.get(clip, 0) + 1
        order.append((turn[clip], row))
    chosen = [row for _, row in sorted(order, key=lambda pair: pair[0])[:_SHOWN]]
    return tuple(
        Offender(clip=str(row["clip"]), frame=int(row["frame"]) if "frame" in row else None,
                 value="" if isinstance(row.get(column), bool) else f"{column} {_shown(row.get(column))}".strip())
        for row in chosen
    )  # fmt: skip


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)


def _error(info: Mapping[str, Any]) -> str:
    """The message of a check that broke: Great Expectations nests it per metric, or not."""
    for part in (info, *(value for value in info.values() if isinstance(value, Mapping))):
        if part.get("raised_exception"):
            lines = str(part.get("exception_message") or "unknown error").splitlines()
            return lines[0][:200]
    return ""
