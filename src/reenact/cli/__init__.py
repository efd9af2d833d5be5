"""The command line: `reenact COMMAND`."""

import os
import sys

import typer

from reenact.cli import (
    compare_runs,
    data,
    doctor,
    edit,
    evaluate,
    judge_reader,
    labels,
    pairs,
    pipeline,
    pipelines,
    registry,
    repro,
    show,
    stages,
    study,
)
from reenact.errors import ReenactError

app = typer.Typer(
    name="reenact",
    help="Prepare face video, train and compare face-reenactment systems, review and use the winner.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from reenact import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks (or set REENACT_DEBUG=1)."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options before the command."""
    if debug:
        os.environ["REENACT_DEBUG"] = "1"


show.add_to(app)
data.add_to(app)
stages.add_to(app)
evaluate.add_to(app)
pipeline.add_to(app)
pipelines.add_to(app)
repro.add_to(app)
labels.add_to(app)
pairs.add_to(app)
edit.add_to(app)
compare_runs.add_to(app)
judge_reader.add_to(app)
study.add_to(app)
registry.add_to(app)
doctor.add_to(app)


def main() -> None:
    """Entry point: an error for people is one sentence on stderr and its exit code, without a traceback."""
    try:
        app()
    except ReenactError as error:
        if os.environ.get("REENACT_DEBUG"):
            raise
        print(f"reenact: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("REENACT_DEBUG"):
            raise
        said = " ".join(str(error).split())
        print(f"reenact: {type(error).__name__}: {said} (REENACT_DEBUG=1 shows where)", file=sys.stderr)
        sys.exit(1)
