"""Parquet tables that carry their kind and format number."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reenact.atomic import atomic_file
from reenact.errors import BadInput, NewerFormat

FORMAT = 1


def write_table(path: Path, frame: pd.DataFrame, *, kind: str, facts: Mapping[str, Any] | None = None) -> None:
    """Write a table of a kind ("frames", "clips", "actions", ...) atomically, its format number in the metadata.

    `facts` are plain JSON types that stand there, too; `read_facts` gives them back.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    marks = {b"reenact.kind": kind.encode(), b"reenact.format": str(FORMAT).encode()}
    if facts is not None:
        marks[b"reenact.facts"] = json.dumps(facts, sort_keys=True).encode()
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


def read_facts(path: Path) -> dict[str, Any]:
    """What `write_table` was told beside the table; nothing for a table without, or of somebody else."""
    try:
        marks = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path}: this is no readable table ({error}).") from None
    return dict(json.loads(marks.get(b"reenact.facts", b"{}")))


def check_format(path: Path, number: int) -> None:
    """Refuse what a newer version wrote."""
    if number > FORMAT:
        raise NewerFormat(f"{path}: written in format {number}, this version reads up to {FORMAT}. Update reenact.")
