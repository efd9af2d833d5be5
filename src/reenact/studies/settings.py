"""What a study's file may say. Names of rows are checked here, those of systems and metrics in `reading`."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from reenact.config import Settings, nearest
from reenact.evaluation.further_names import FINETUNED, RAW, RETARGETED, further, shots_name
from reenact.evaluation.reference_names import REFERENCES

Protocol = Literal["self", "cross", "cross_truth", "lsim", "selfvideo", "crossvideo"]
Changes = dict[str, dict[str, Any]]  # blocks of params.yaml
ROW_BLOCKS = ("systems", "train", "evaluate")  # what rows may differ in: all stand on the same corpus
_FURTHER = re.compile(rf"(.+) \(((\d+) shots?|{FINETUNED}|{RAW}|{RETARGETED})\)")


def split_name(name: str) -> tuple[str, str]:
    """("caingan-8", "4 shots") of "caingan-8 (4 shots)": a further row of a row's evaluation; else (name, "")."""
    match = _FURTHER.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def shots_in(name: str) -> int | None:
    """4 of "caingan-8 (4 shots)"; None where the name says no number."""
    match = _FURTHER.fullmatch(name)
    return int(match[3]) if match and match[3] else None


class Row(Settings):
    """One training and its evaluation."""

    title: str = ""  # in tables and sentences; "": its name
    system: str
    variant: str = "full"
    seed: int = Field(default=0, ge=0)
    set: Changes = Field(default_factory=dict)  # what this row has otherwise than the others
    against: str = ""  # the row that tables test it against; "": none


class Published(Settings):
    """The paper's own columns."""

    source: str  # the publication
    columns: dict[str, Literal["higher", "lower"]]  # its names of metrics, and which way is better
    differs: tuple[str, ...]  # why they are no yardstick for ours
    notes: tuple[str, ...] = ()


class TableRow(Settings):
    """A line: a row of ours, figures of the paper's, or both."""

    row: str = ""
    title: str = ""  # "": the row's
    published: dict[str, FiniteFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.row and not (self.title and self.published):
            raise ValueError("name a row, or give a title and published figures")
        return self


class Table(Settings):
    """A table of the paper with our rows in it."""

    title: str
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    protocol: Protocol = "self"
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]
    published: Published | None = None

    @model_validator(mode="after")
    def _columns(self) -> Self:
        known = self.published.columns if self.published else {}
        for row in self.rows:
            for name in row.published:
                if name not in known:
                    raise ValueError(f"{row.title or row.row}: no column {name} among published.columns")
        return self


class Series(Settings):
    """A line of a curve: rows of their own, or one row given more and more source pictures, or both."""

    points: dict[float, str] = Field(default_factory=dict)  # x -> row
    row: str = ""
    shots: tuple[Annotated[int, Field(ge=1)], ...] = ()  # of `row`, as `evaluate.shot_curve` has them

    @model_validator(mode="after")
    def _something(self) -> Self:
        if bool(self.row) != bool(self.shots) or not (self.points or self.row):
            raise ValueError("give points (x: row), or a row and its shots")
        return self

    def named(self) -> list[tuple[float, str]]:
        """(x, name of the row) in the order of x."""
        own = {float(x): name for x, name in self.points.items()}
        own |= {float(count): further(self.row, shots_name(count)) for count in self.shots}
        return sorted(own.items())


class Curve(Settings):
    """Figures over a number that rows differ in."""

    title: str
    x: str  # label
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    protocol: Protocol = "self"
    log: bool = False  # x in powers of two
    series: Annotated[dict[str, Series], Field(min_length=1)]

    @model_validator(mode="after")
    def _places(self) -> Self:
        for name, series in self.series.items():
            if self.log and any(x <= 0 for x in series.points):
                raise ValueError(f"series.{name}.points: with log, x in powers of two, each x is above 0")
        return self


class Claim(Settings):
    """What the paper says is better than what; told from the data."""

    says: str
    better: str
    than: Annotated[tuple[str, ...], Field(min_length=1)]  # rows, or references of every table, as "copy source"
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    needs: int = Field(default=0, ge=0)  # in how many of the metrics it has to be better; 0: in all
    protocol: Protocol = "self"

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.needs > len(self.metrics):
            raise ValueError(f"needs: {self.needs} is more than there are metrics, {len(self.metrics)}")
        if self.better in self.than:
            raise ValueError(f"{self.better} can't be better than itself")
        return self

    @property
    def needed(self) -> int:
        """In how many metrics."""
        return self.needs or len(self.metrics)


class Study(Settings):
    """A study's file."""

    title: str
    about: str  # which paper, and what of it is done here
    side_by_side: int = Field(default=1, ge=1)  # rows at a time, each in a process with runtime.threads
    settings: Changes = Field(default_factory=dict)  # over params.yaml, for all rows
    rows: Annotated[dict[str, Row], Field(min_length=1)]
    tables: dict[str, Table] = Field(default_factory=dict)
    curves: dict[str, Curve] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        for where, name, _ in self.named():
            if where.startswith("claims.") and name in REFERENCES:
                continue
            if split_name(name)[0] not in self.rows:
                raise ValueError(f"{where}: there is no row {name}{nearest(name, self.rows)}")
        for block in ("rows", "tables", "curves"):
            for name in getattr(self, block):
                if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
                    raise ValueError(f"{block}.{name}: names are those of files: letters, digits, - _ . only")
        if both := sorted(self.tables.keys() & self.curves.keys()):
            raise ValueError(f"{both[0]} is both a table and a curve: give one of them another name")
        if "fanout" in self.settings:
            raise ValueError("settings.fanout: what is trained is said by the rows, each with system, variant and seed")
        for name, row in self.rows.items():
            if row.against == name:
                raise ValueError(f"rows.{name}.against: a row is tested against another one")
            for block in row.set:
                if block not in ROW_BLOCKS:
                    raise ValueError(f"rows.{name}.set.{block}: rows differ in {', '.join(ROW_BLOCKS)} only")
            for system in row.set.get("systems") or {}:
                if system != row.system:
                    raise ValueError(f"rows.{name}.set.systems.{system}: means nothing to a row of {row.system}")
        return self

    def named(self) -> Iterator[tuple[str, str, Protocol]]:
        """(where, row, protocol its figures are of) of every name of a row."""
        for name, row in self.rows.items():
            if row.against:
                yield f"rows.{name}.against", row.against, "self"
        for name, table in self.tables.items():
            yield from ((f"tables.{name}.rows", line.row, table.protocol) for line in table.rows if line.row)
        for name, curve in self.curves.items():
            for title, series in curve.series.items():
                where = f"curves.{name}.series.{title}"
                yield from ((where, row, curve.protocol) for _, row in series.named())
        for place, claim in enumerate(self.claims):
            yield from ((f"claims.{place}", row, claim.protocol) for row in (claim.better, *claim.than))

    def groups(self) -> dict[str, set[str]]:
        """The rows of each table and curve, by its name."""
        named = {name: [line.row for line in table.rows if line.row] for name, table in self.tables.items()}
        named |= {
            name: [row for series in curve.series.values() for _, row in series.named()]
            for name, curve in self.curves.items()
        }
        return {group: {split_name(row)[0] for row in rows} for group, rows in named.items()}

    def title_of(self, name: str) -> str:
        """What a row, or a further one of its evaluation, is called in tables and sentences."""
        if name in REFERENCES:
            return name
        row, what = split_name(name)
        shots, title = shots_in(name), self.rows[row].title or row
        what = f"{shots} source picture{'s' if shots > 1 else ''}" if shots else what
        return f"{title}, {what}" if what else title
