"""Options that commands share, and the settings they lead to."""

from pathlib import Path
from typing import Annotated

import typer

from reenact.config import Runtime
from reenact.params import Params, parse, read_raw
from reenact.process import prepare_process

ParamsFile = Annotated[Path, typer.Option("--params", help="The settings file.")]
Profile = Annotated[str, typer.Option("--profile", help="A profile of the settings file, in place of its own choice.")]
Overrides = Annotated[
    list[str] | None, typer.Option("-S", "--set", help="block.key=value, as often as needed; the value is YAML.")
]

PARAMS = Path("params.yaml")


def load(params: Path, profile: str, overrides: list[str] | None) -> Params:
    """Effective settings; sets this process' thread count before anything heavy is loaded."""
    raw = read_raw(params, profile=profile or None, overrides=overrides or [])
    prepare_process(Runtime.parse(raw.get("runtime") or {}, where="runtime").threads)
    return parse(raw)
