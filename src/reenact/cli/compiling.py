"""Compiling the pipelines from the command line: their code stands in a checkout, beside the package."""

import filecmp
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from reenact.errors import StorageError

COMPILED = Path("pipelines", "compiled")


def compile_into(folder: Path | None = None) -> list[Path]:
    """Write every pipeline below `folder`, by default into the checkout. Raises StorageError outside of one."""
    project = place_of(Path("pipelines", "compile.py"))
    sys.path.insert(0, str(project))
    try:
        compiler: Any = import_module("pipelines.compile")
    finally:
        sys.path.remove(str(project))
    return list(compiler.compile_all(folder or project / COMPILED))


def compiled_folder() -> Path:
    """The folder of compiled pipelines: that of this folder, or of the checkout this package is installed from."""
    return place_of(COMPILED) / COMPILED


def place_of(holding: Path) -> Path:
    """The folder that holds a part of the project: this one, or the checkout this package is installed from."""
    for folder in (Path.cwd(), Path(__file__).parents[3]):
        if (folder / holding).exists():
            return folder
    raise StorageError(f"{Path.cwd()}: no {holding} here. Run this inside a checkout of the project.")


def stale(folder: Path | None = None) -> list[Path]:
    """Files that are not what the code compiles to, or are missing."""
    place = folder or compiled_folder()
    with tempfile.TemporaryDirectory() as scratch:
        fresh = compile_into(Path(scratch))
        return [
            place / file.name
            for file in fresh
            if not (place / file.name).is_file() or not filecmp.cmp(file, place / file.name, shallow=False)
        ]
