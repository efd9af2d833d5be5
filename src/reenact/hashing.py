"""Content hashes: what lineage, caches and checkpoints are named by."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def hash_json(value: Any) -> str:
    """sha256 of a value of plain JSON types, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_tree(root: Path, patterns: Iterable[str] = ("**/*",)) -> str:
    """sha256 over names and contents of the files below `root`, in sorted order; names relative to `root`."""
    files = sorted({file for pattern in patterns for file in root.glob(pattern) if file.is_file()})
    return hash_json([[file.relative_to(root).as_posix(), hash_file(file)] for file in files])


def hash_code(*parts: str) -> str:
    """sha256 of the source of parts of this package ("systems", "stages/train.py", ...): a part of every cache key."""
    here = Path(__file__).parent
    return hash_json([[part, _hash_source(here / part)] for part in parts])


def _hash_source(path: Path) -> str:
    """Of a module, or of all modules below a folder; a part that does not exist is an error, not an empty hash."""
    if path.is_dir():
        return hash_tree(path, ["**/*.py"])
    return hash_file(path)
