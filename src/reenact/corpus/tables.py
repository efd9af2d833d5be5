"""Parquet tables that carry their kind and format number."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reenact.atomic import atomic_file
from reenact.errors import BadInput, NewerFormat

FORMAT = 1


def write_table(path: Path, frame: pd.DataFrame, *, kind: str) -> None:
    """Write a table of a kind ("frames", "clips", "actions", ...) atomically, its format number in the metadata."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    marks = {b"reenact.kind": kind.encode(), b"reenact.format": str(FORMAT).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **marks})
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary)


def read_table(path: Path, *, kind: str) -> pd.DataFrame:
    """Read a table back; raises BadInput for another kind or a damaged file, NewerFormat for a newer format."""
    if not path.exists():
        raise BadInput(f"{path}: there is no such table. Run the stage that makes it first.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path}: this is no readable table ({error}). Delete it and run its stage again.") from None
    marks = table.schema.metadata or {}
    found = marks.get(b"reenact.kind", b"").decode()
    if found != kind:
        raise BadInput(f'{path}: expected a table of kind "{kind}", found "{found or "unmarked"}".')
    check_format(path, int(marks.get(b"reenact.format", b"0")))
    return table.to_pandas()


def check_format(path: Path, number: int) -> None:
    """Refuse what a newer version wrote."""
    if number > FORMAT:
        raise NewerFormat(f"{path}: written in format {number}, this version reads up to {FORMAT}. Update reenact.")
