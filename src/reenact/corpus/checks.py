"""Great Expectations on tables in memory: one small record per check, with the ids of what failed.

Great Expectations tells apart neither bad data from a check that could not run, nor an empty table from a good one;
both are settled here. It takes seconds to import, so it is imported on use.
"""

import gc
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


class Checking:
    """The checks of one table that comes in pieces; a piece holds all rows of its clips.

    What a check may see of rows is added up: memory follows the largest piece.
    """

    def __init__(self, table: str, *, ids: Sequence[str]) -> None:
        self.table, self.ids = table, ids  # `ids` are the columns that name a row to a person
        self._seen: dict[tuple[str, str], _Seen] = {}

    def add(self, frame: pd.DataFrame, checks: Sequence[Check]) -> None:
        """Look at a piece; a check is told from others by its words and level."""
        for check in checks:
            self._seen.setdefault((check.says, check.level), _Seen(check))
        named = [column for column in self.ids if column in frame.columns]
        if len(frame) and checks:
            for check, result in zip(checks, _validated(self.table, frame, checks, named), strict=True):
                self._seen[check.says, check.level].add(result, named, len(frame))
            # Great Expectations' objects hold each other and with them the piece: several would lie about.
            gc.collect()

    def outcomes(self) -> list[Outcome]:
        """Of every check; one that saw no row failed: nothing was there to be found good."""
        return [seen.outcome(self.table) for seen in self._seen.values()]


def run_checks(table: str, frame: pd.DataFrame, checks: Sequence[Check], *, ids: Sequence[str]) -> list[Outcome]:
    """Outcome of every check of one table that is there as a whole."""
    checking = Checking(table, ids=ids)
    checking.add(frame, checks)
    return checking.outcomes()


def _validated(
    table: str, frame: pd.DataFrame, checks: Sequence[Check], named: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Great Expectations' result of each check."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame.reset_index(drop=True)})
    result_format = {"result_format": "COMPLETE", "unexpected_index_column_names": list(named)}
    # As one suite: a check alone costs its own copy of the table.
    suite = gx.ExpectationSuite(name=table)
    for number, check in enumerate(checks):
        suite.add_expectation(getattr(gx.expectations, check.expectation)(**check.arguments, meta={"number": number}))
    results = batch.validate(suite, result_format=result_format).to_json_dict()["results"]
    by_number = {result["expectation_config"]["meta"]["number"]: result for result in results}
    return [by_number[number] for number in range(len(checks))]


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


@dataclass
class _Seen:
    """What one check has seen so far."""

    check: Check
    rows: int = 0
    judged: int = 0  # rows that have a value
    wrong: int = 0
    error: str = ""
    whole: bool | None = None  # of a check that judges the table and no row of it: whether it passed
    observed: str = ""
    names: list[str] = field(default_factory=list)
    unnamed: int = 0
    values: list[str] = field(default_factory=list)
    worst: "list[_Ranked]" = field(default_factory=list)

    def add(self, result: Mapping[str, Any], ids: Sequence[str], rows: int) -> None:
        """Add up one piece's result."""
        self.error = self.error or _error(result.get("exception_info") or {})
        if self.error:
            return
        facts = result.get("result") or {}
        wrong = facts.get("unexpected_count")
        total = int(facts.get("element_count") or rows)
        self.rows += total
        if wrong is None:
            self.whole = self.whole is not False and bool(result["success"])
            self.observed = str(facts.get("observed_value", ""))
            return
        self.judged += total - int(facts.get("missing_count") or 0)
        self.wrong += int(wrong)
        rows_wrong = facts.get("unexpected_index_list") or []
        names = dict.fromkeys("/".join(str(row[column]) for column in ids if column in row) for row in rows_wrong)
        self.unnamed += len(names)
        self.names = [*self.names, *names][:_NAMED]
        seen = facts.get("partial_unexpected_list") or []
        shown = {_shown(value) for value in seen if not isinstance(value, bool)}
        self.values = sorted({*self.values, *shown})[:3]
        ranked = [*self.worst, *_ranked(rows_wrong, self.check.arguments)]
        self.worst = sorted(ranked, key=lambda one: (one[0], -one[1]))[:_SHOWN]

    def outcome(self, table: str) -> Outcome:
        """What the pieces add up to."""
        if self.error:
            return _outcome(table, self.check, False, "could not run", self.error)
        if not self.rows:
            return _outcome(table, self.check, False, "0 rows", "the table is empty")
        if self.whole is not None:
            return _outcome(table, self.check, self.whole, self.observed, "")
        right = (self.judged - self.wrong) / self.judged if self.judged else 1.0
        passed = right >= float(self.check.arguments.get("mostly", 1.0))
        observed = f"{self.wrong} of {self.rows} differ" if self.wrong else f"all of {self.rows}"
        more = f" and {self.unnamed - _NAMED} more" if self.unnamed > _NAMED else ""
        values = f" (for example {', '.join(self.values)})" if self.values and self.wrong else ""
        detail = f"{', '.join(self.names)}{more}{values}".strip()
        outcome = _outcome(table, self.check, passed, observed, detail)
        return outcome if passed else replace(outcome, offenders=tuple(one for _, _, one in self.worst))


def _outcome(table: str, check: Check, passed: bool, observed: str, detail: str) -> Outcome:
    return Outcome(
        table=table, check=check.says, level=check.level, passed=passed, observed=observed, detail=detail
    )  # fmt: skip


def _naming(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(str(name) for name in names))
    more = f" and {len(unique) - _NAMED} more" if len(unique) > _NAMED else ""
    return ", ".join(unique[:_NAMED]) + more


_Ranked = tuple[int, float, Offender]  # the how many-th worst row of its clip, how bad it is, the row


def _ranked(rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> list[_Ranked]:
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
        order.append((turn[clip], badness(row), row))
    return [
        (number, bad, Offender(
            clip=str(row["clip"]), frame=int(row["frame"]) if "frame" in row else None,
            value="" if isinstance(row.get(column), bool) else f"{column} {_shown(row.get(column))}".strip(),
        ))
        for number, bad, row in sorted(order, key=lambda one: one[0])[:_SHOWN]
    ]  # fmt: skip


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)


def _error(info: Mapping[str, Any]) -> str:
    """The message of a check that broke: Great Expectations nests it per metric, or not."""
    for part in (info, *(value for value in info.values() if isinstance(value, Mapping))):
        if part.get("raised_exception"):
            lines = str(part.get("exception_message") or "unknown error").splitlines()
            return lines[0][:200]
    return ""
