"""`reenact pipelines ...`: compile the Kubeflow pipelines, run them here, send them to a cluster, look how they do."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.errors import ReenactError, SettingsError

if TYPE_CHECKING:
    from reenact.cluster.api import Api
    from reenact.cluster.submitting import Submission
    from reenact.params import Params

HELP = """Compile the Kubeflow pipelines, run them on this machine, send them to a cluster, look how they do.

Exit codes: 0 done; 2 a setting or an option is wrong; 6 the API out of reach; 12 the API refused; 13 the run failed."""
pipelines = typer.Typer(name="pipelines", help=HELP, no_args_is_help=True)

Pipeline = Annotated[str, typer.Option("--pipeline", help="training, ablation or refresh.")]
Host = Annotated[str, typer.Option("--host", help="Of the API; default: cluster.host, then KF_PIPELINES_ENDPOINT.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Default: cluster.namespace.")]
Token = Annotated[
    str, typer.Option("--token", help="Others on this machine can see it here; not so in KF_PIPELINES_TOKEN.")
]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="Read for each request, so it may be renewed.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Certificates (PEM) to trust beside the system's.")]
Account = Annotated[str, typer.Option("--service-account", help="Of the pods; default: cluster.service_account.")]
Experiment = Annotated[str, typer.Option("--experiment", help="Made where it is missing; default: cluster.experiment.")]
Dirty = Annotated[bool, typer.Option("--dirty", help="Take the recorded version of videos that were changed since.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; ask nobody.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(pipelines)


@pipelines.command("compile")
def compile_command(
    out: Annotated[Path | None, typer.Option("--out", help="Another folder than pipelines/compiled.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where files are not current.")] = False,
) -> None:
    """Write every pipeline as YAML for a Kubeflow server: the same bytes for the same code."""
    from reenact.cli.compiling import compile_into, stale

    if check:
        if old := stale(out):
            raise ReenactError(f"{', '.join(map(str, old))}: not what the code compiles to. Run `make compile`.")
        typer.echo("The compiled pipelines are current.")
        return
    for path in compile_into(out):
        typer.echo(path)


@pipelines.command()
def run(
    local: Annotated[bool, typer.Option("--local", help="On this machine, below runs/NAME/.")] = False,
    containers: Annotated[bool, typer.Option("--containers", help="Each step in a container of its image.")] = False,
    pipeline: Pipeline = "training",
    name: Annotated[str, typer.Option("--name", help="Of the run's folder below runs/.")] = "",
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Run a pipeline here, in subprocesses or in containers (`--local`); a cluster's runs come from `submit`."""
    from reenact.cli.pipeline import RUNS, run_pipeline

    if not local:
        raise SettingsError("pipelines run: say --local, or send it to a cluster: reenact pipelines submit.")
    if name and (Path(name).name != name or name.startswith(".")):
        raise SettingsError(f"--name {name}: give a plain name, the folder is made below runs/.")
    folder = RUNS / (name or time.strftime(f"{pipeline}-%Y%m%d-%H%M%S"))
    run_pipeline(load(params, profile, overrides), folder, pipeline=pipeline, containers=containers)


@pipelines.command()
def submit(
    pipeline: Pipeline = "training",
    name: Annotated[str, typer.Option("--name", help="Of the run; one that there is already is refused.")] = "",
    host: Host = "",
    namespace: Namespace = "",
    token: Token = "",
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    service_account: Account = "",
    experiment: Experiment = "",
    dirty: Dirty = False,
    dry_run: DryRun = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; 13 where it failed.")] = False,
    deadline: Annotated[float, typer.Option("--deadline", min=1, help="Seconds of waiting.")] = 24 * 3600.0,
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Send a pipeline to a cluster, once."""
    from reenact.cli.compiling import compiled_folder
    from reenact.cluster.runs import run_page
    from reenact.cluster.submitting import prepare

    place = Place(host, namespace, token, token_file, ca_file)
    settings = load(params, profile, [*(overrides or []), *place.changes(service_account, experiment)])
    submission = prepare(
        settings, pipeline=pipeline, compiled=compiled_folder(), here=Path(), name=name, allow_dirty=dirty
    )
    if dry_run:
        _print_requests(settings, submission, "runs", submission.body("<of the experiment>"))
        return
    api = place.api(settings)
    _warn_of_changes()
    experiment_id = api.experiment_id(submission.experiment)
    if name and api.runs_named(name, experiment_id):
        raise SettingsError(f"--name {name}: there is a run of that name in {submission.experiment}. Choose another.")
    made = api.create_run(submission.body(experiment_id))
    page = run_page(api.connection.access.host, made["run_id"])
    if as_json and not wait:
        _echo_json({"run_id": made["run_id"], "name": submission.name, "page": page})
        return
    typer.echo(f"{submission.name}: sent\n  id    {made['run_id']}\n  page  {page}")
    if wait:
        _wait(api, made["run_id"], deadline=deadline, as_json=as_json)


@pipelines.command()
def schedule(
    name: Annotated[str, typer.Argument(help="Of the schedule; there is one of a name.")] = "",
    cron: Annotated[str, typer.Option("--cron", help='Five fields, as "0 3 * * *", or six with seconds first.')] = "",
    pipeline: Pipeline = "refresh",
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; runs it has started go on.")] = False,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Only let it start runs, or not.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="All schedules of the namespace.")] = False,
    host: Host = "",
    namespace: Namespace = "",
    token: Token = "",
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    service_account: Account = "",
    experiment: Experiment = "",
    dry_run: DryRun = False,
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Let a cluster run a pipeline again and again: one at a time, missed times are not made up for.

    The same command again changes nothing; with other settings it takes the place of the schedule of that name.
    """
    from reenact.cli.compiling import compiled_folder
    from reenact.cluster import schedules
    from reenact.cluster.cron import six_fields
    from reenact.cluster.submitting import checked_name, prepare

    place = Place(host, namespace, token, token_file, ca_file)
    settings = load(params, profile, [*(overrides or []), *place.changes(service_account, experiment)])
    if list_all:
        _list_schedules(place.api(settings), as_json=as_json)
        return
    if not name or bool(cron) + delete + (on is not None) != 1:
        raise SettingsError('pipelines schedule: give a name and one of --cron "0 3 * * *", --on, --off, --delete.')
    checked_name(name)
    if delete or on is not None:
        api = place.api(settings)
        typer.echo(schedules.delete(api, name) if delete else schedules.switch(api, name, on=bool(on)))
        return
    fields = six_fields(cron)
    submission = prepare(
        settings, pipeline=pipeline, compiled=compiled_folder(), here=Path(), name=name, recurring=True
    )
    wanted = schedules.Schedule(submission=submission, cron=fields)
    if dry_run:
        _print_requests(settings, submission, "recurringruns", wanted.body("<of the experiment>", on=True))
        return
    api = place.api(settings)
    typer.echo(schedules.schedule(api, wanted))


@pipelines.command()
def status(
    run: Annotated[str, typer.Argument(help="Id or name of a run; without it the newest are listed.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended.")] = False,
    deadline: Annotated[float, typer.Option("--deadline", min=1, help="Seconds of waiting.")] = 24 * 3600.0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many are listed.")] = 10,
    host: Host = "",
    namespace: Namespace = "",
    token: Token = "",
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    experiment: Experiment = "",
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """How runs on the cluster do. Exit code 13 where the run that was named has failed."""
    from reenact.cluster.runs import check_success, find_run
    from reenact.cluster.settings import cluster_settings

    place = Place(host, namespace, token, token_file, ca_file)
    settings = load(params, profile, [*(overrides or []), *place.changes("", experiment)])
    api = place.api(settings)
    if not run:
        if wait:
            raise SettingsError("pipelines status --wait: name the run.")
        known = api.find_experiment(cluster_settings(settings).experiment)
        _list_runs(api.recent_runs(known["experiment_id"], limit) if known else [], as_json=as_json)
        return
    found = find_run(api, run)
    if wait:
        _wait(api, found["run_id"], deadline=deadline, as_json=as_json)
        return
    _print_run(api, found, as_json=as_json)
    check_success(found)


@dataclass(frozen=True)
class Place:
    """Where to send things, as given on the command line."""

    host: str
    namespace: str
    token: str
    token_file: Path | None
    ca_file: Path | None

    def changes(self, service_account: str, experiment: str) -> list[str]:
        """The options that are settings of the block `cluster`, as -S has them; they come after -S, and win."""
        given = {
            "host": self.host,
            "namespace": self.namespace,
            "service_account": service_account,
            "experiment": experiment,
        }
        return [f"cluster.{key}={json.dumps(value)}" for key, value in given.items() if value]

    def api(self, params: "Params") -> "Api":
        """The API at that place; nothing is asked yet. Raises SettingsError or StorageError."""
        from reenact.cluster.api import Api
        from reenact.cluster.connection import Connection
        from reenact.cluster.credentials import find_access
        from reenact.cluster.settings import cluster_settings

        cluster = cluster_settings(params)
        access = find_access(host=cluster.host, token=self.token, token_file=self.token_file, ca_file=self.ca_file)
        return Api(Connection(access), namespace=cluster.namespace)


def _print_requests(params: "Params", submission: "Submission", kind: str, body: Mapping[str, Any]) -> None:
    """What would be sent, as YAML; credentials are not looked at."""
    import os

    from reenact.cluster.credentials import ENDPOINT
    from reenact.cluster.settings import cluster_settings

    cluster = cluster_settings(params)
    typer.echo(f"# POST {cluster.host or os.environ.get(ENDPOINT, '')}/apis/v2beta1/{kind}")
    typer.echo("# Authorization: Bearer *** (where a token is given)")
    typer.echo(f"# experiment {submission.experiment}, namespace {cluster.namespace}; made where it is missing")
    typer.echo(yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=120), nl=False)


def _warn_of_changes() -> None:
    from reenact.tracking.lineage import read_lineage

    if read_lineage().git_dirty:
        typer.echo("Note: there are uncommitted changes; images hold the code they were built from.", err=True)


def _wait(api: "Api", run: str, *, deadline: float, as_json: bool) -> None:
    from reenact.cluster.runs import check_success, wait

    def tell(line: str) -> None:
        typer.echo(f"{time.strftime('%H:%M:%S')} {line}", err=as_json)

    every = min(10.0, deadline / 10)
    found = wait(api, run, deadline=deadline, every=every, tell=tell)
    _print_run(api, found, as_json=as_json)
    check_success(found)


def _print_run(api: "Api", run: Mapping[str, Any], *, as_json: bool) -> None:
    from reenact.cluster.runs import run_lines, run_page, tasks

    page = run_page(api.connection.access.host, str(run["run_id"]))
    if as_json:
        facts = {key: run.get(key) for key in ("run_id", "display_name", "state", "created_at", "finished_at")}
        _echo_json({**facts, "page": page, "tasks": tasks(run)})
        return
    for line in run_lines(run, link=page):
        typer.echo(line)


def _list_runs(runs: list[dict[str, Any]], *, as_json: bool) -> None:
    keys = ("run_id", "display_name", "state", "created_at", "finished_at")
    if as_json:
        _echo_json([{key: one.get(key) for key in keys} for one in runs])
        return
    for one in runs:
        typer.echo(f"{one.get('state', 'PENDING').lower():<10} {one.get('created_at', ''):<21} {one['display_name']}")
    if not runs:
        typer.echo("No runs yet.")


def _list_schedules(api: "Api", *, as_json: bool) -> None:
    from reenact.cluster.schedules import cron_of, is_on

    found = [
        {"name": one["display_name"], "on": is_on(one), "cron": cron_of(one), "id": one["recurring_run_id"]}
        for one in api.recurring_runs()
    ]
    if as_json:
        _echo_json(found)
        return
    for one in found:
        typer.echo(f"{'on' if one['on'] else 'off':<4} {one['cron']:<20} {one['name']}")
    if not found:
        typer.echo("No schedules yet.")


def _echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1))
