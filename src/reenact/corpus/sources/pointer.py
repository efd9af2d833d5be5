"""A source named by a small YAML file, so that DVC, which watches paths alone, can watch an address too."""

import difflib
from collections.abc import Mapping
from pathlib import Path

import yaml

from reenact.atomic import write_text
from reenact.config import Settings
from reenact.corpus.sources.names import redacted
from reenact.errors import BadInput, SettingsError

POINTER_SUFFIXES = (".yaml", ".yml")


class Pointer(Settings):
    """Contents of such a file."""

    source: str  # a folder, an archive, or an address
    version: str = ""  # what `reenact data pin` noted; anything else under the address is then refused


def read_pointer(path: Path) -> Pointer:
    """Read the file; raises BadInput or SettingsError."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}). Name a file with a line `source: ...`.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: this is not YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(values, Mapping) or "source" not in values:
        keys = [str(key) for key in values] if isinstance(values, Mapping) else []
        slips = difflib.get_close_matches("source", keys, n=1)
        slip = f' (did you mean "source" by "{slips[0]}"?)' if slips else ""
        raise SettingsError(f"{path}: expected a line like `source: s3://bucket/prefix`{slip}.")
    pointer = Pointer.parse(values, where=str(path))
    if pointer.source.lower().endswith(POINTER_SUFFIXES):
        raise SettingsError(f"{path}: source: {redacted(pointer.source)} is such a file again; name the data itself.")
    return pointer


def write_version(path: Path, version: str) -> None:
    """Note a version in the file; its other lines stay as they are."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("version:")]
    write_text(path, "\n".join([*lines, f"version: {version}"]) + "\n")
