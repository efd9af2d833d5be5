"""Small text tables of data sets, whatever separates their columns."""

import csv
from collections.abc import Iterator
from pathlib import Path

from reenact.errors import BadInput

_LONGEST_LINE = 1 << 20


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table with a header, names and values stripped; separated by tabs, semicolons or commas."""
    with _text(path) as stream:
        head = stream.readline(_LONGEST_LINE)
        mark = next((mark for mark in "\t;," if mark in head), ",")
        names = [name.strip() for name in next(csv.reader([head], delimiter=mark), [])]
        try:
            for values in csv.reader(stream, delimiter=mark):
                yield {name: value.strip() for name, value in zip(names, values, strict=False)}
        except csv.Error as error:
            raise BadInput(f"{path}: a damaged table ({error}).") from None


def read_words(path: Path) -> Iterator[list[str]]:
    """The words of every line that has any, separated by blanks or commas."""
    with _text(path) as stream:
        for line in stream:
            if words := line.replace(",", " ").split():
                yield words


def header(path: Path) -> str:
    """The first line."""
    with _text(path) as stream:
        return stream.readline(_LONGEST_LINE)


def _text(path: Path):  # type: ignore[no-untyped-def]
    try:
        return path.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}).") from None
