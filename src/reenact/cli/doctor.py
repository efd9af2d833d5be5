"""`reenact doctor`: whether steps of the pipeline would find here what they need."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

_MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    gpus: Annotated[int | None, typer.Option("--gpus", min=0, help="At least so many GPUs have to be there.")] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="A folder for results has to be writable; may be repeated.")
    ] = None,
    s3: Annotated[str, typer.Option("--s3", help="s3://BUCKET/PREFIX: write, read and remove an object there.")] = "",
    mlflow: Annotated[
        str, typer.Option("--mlflow", envvar="MLFLOW_TRACKING_URI", help="The MLflow server to ask.", show_envvar=True)
    ] = "",
    write: Annotated[
        str, typer.Option("--write", metavar="EXPERIMENT", help="Also make a run in MLflow there, and delete it.")
    ] = "",
    data_remote: Annotated[
        str, typer.Option("--data-remote", help="s3://BUCKET/PREFIX of the DVC remote: look whether it can be read.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects: name, verdict, sentence.")] = False,
) -> None:
    """Check this container, pod or machine: versions, GPUs, /dev/shm, folders, object store, MLflow."""
    from reenact.errors import SettingsError
    from reenact.process import prepare_process

    if write and not mlflow.startswith(("http://", "https://")):
        raise SettingsError("--write: name a server of MLflow, by --mlflow or MLFLOW_TRACKING_URI.")
    prepare_process(1)
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")  # who waits for a doctor's word wants it soon
    from reenact.cluster.doctor import Asked, examine, judge

    asked = Asked(gpus=gpus, folders=folder or [], s3=s3, mlflow=mlflow, experiment=write, data_remote=data_remote)
    findings = []
    for finding in examine(asked):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{_MARKS[finding.verdict]} {finding.name}: {finding.sentence}")
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    judge(findings)
