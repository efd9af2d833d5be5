"""What `reenact pipelines` prints: requests, runs, schedules."""

import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
import yaml

if TYPE_CHECKING:
    from reenact.cluster.api import Api
    from reenact.cluster.submitting import Submission
    from reenact.params import Params


def print_requests(params: "Params", submission: "Submission", kind: str, body: Mapping[str, Any]) -> None:
    """What would be sent, as YAML; credentials are not looked at."""
    from reenact.cluster.credentials import ENDPOINT
    from reenact.cluster.settings import cluster_settings

    cluster = cluster_settings(params)
    typer.echo(f"# POST {cluster.host or os.environ.get(ENDPOINT, '')}/apis/v2beta1/{kind}")
    typer.echo("# Authorization: Bearer *** (where a token is given)")
    typer.echo(f"# experiment {submission.experiment}, namespace {cluster.namespace}; made where it is missing")
    typer.echo(yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=120), nl=False)


def warn_of_changes() -> None:
    from reenact.tracking.lineage import read_lineage

    if read_lineage().git_dirty:
        typer.echo("Note: there are uncommitted changes; images hold the code they were built from.", err=True)


def wait_for(api: "Api", run: str, *, deadline: float, as_json: bool) -> None:
    from reenact.cluster.runs import check_success, wait

    def tell(line: str) -> None:
        typer.echo(f"{time.strftime('%H:%M:%S')} {line}", err=as_json)

    every = min(10.0, deadline / 10)
    found = wait(api, run, deadline=deadline, every=every, tell=tell)
    print_run(api, found, as_json=as_json)
    check_success(found)


def print_run(api: "Api", run: Mapping[str, Any], *, as_json: bool) -> None:
    from reenact.cluster.runs import run_lines, run_page, tasks

    page = run_page(api.connection.access.host, str(run["run_id"]))
    if as_json:
        facts = {key: run.get(key) for key in ("run_id", "display_name", "state", "created_at", "finished_at")}
        echo_json({**facts, "page": page, "tasks": tasks(run)})
        return
    for line in run_lines(run, link=page):
        typer.echo(line)


def list_runs(runs: list[dict[str, Any]], *, as_json: bool) -> None:
    keys = ("run_id", "display_name", "state", "created_at", "finished_at")
    if as_json:
        echo_json([{key: one.get(key) for key in keys} for one in runs])
        return
    for one in runs:
        typer.echo(f"{one.get('state', 'PENDING').lower():<10} {one.get('created_at', ''):<21} {one['display_name']}")
    if not runs:
        typer.echo("No runs yet.")


def list_schedules(api: "Api", *, as_json: bool) -> None:
    from reenact.cluster.schedules import cron_of, is_on

    found = [
        {"name": one["display_name"], "on": is_on(one), "cron": cron_of(one), "id": one["recurring_run_id"]}
        for one in api.recurring_runs()
    ]
    if as_json:
        echo_json(found)
        return
    for one in found:
        typer.echo(f"{'on' if one['on'] else 'off':<4} {one['cron']:<20} {one['name']}")
    if not found:
        typer.echo("No schedules yet.")


def echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1))
