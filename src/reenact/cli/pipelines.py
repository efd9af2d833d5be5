"""`reenact pipelines ...`: compile the Kubeflow pipelines, run them here, send them to a cluster, look how they do."""

import time
from pathlib import Path
from typing import Annotated

import typer

from reenact.cli.cluster_options import (
    Account,
    CaFile,
    Experiment,
    Host,
    Namespace,
    Pipeline,
    Place,
    Token,
    TokenFile,
    sender,
)
from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.cli.pipelines_text import (
    echo_json,
    list_runs,
    list_schedules,
    print_requests,
    print_run,
    wait_for,
    warn_of_changes,
)
from reenact.errors import ReenactError, SettingsError

HELP = """Compile the Kubeflow pipelines, run them on this machine, send them to a cluster, look how they do.

Exit codes: 0 done; 2 a setting or an option is wrong; 6 the API out of reach; 12 the API refused; 13 the run failed."""
pipelines = typer.Typer(name="pipelines", help=HELP, no_args_is_help=True)

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
        settings,
        pipeline=pipeline,
        compiled=compiled_folder(),
        here=Path(),
        name=name,
        trainer=sender(),
        allow_dirty=dirty,
    )
    if dry_run:
        print_requests(settings, submission, "runs", submission.body("<of the experiment>"))
        return
    api = place.api(settings)
    warn_of_changes()
    experiment_id = api.experiment_id(submission.experiment)
    if name and api.runs_named(name, experiment_id):
        raise SettingsError(f"--name {name}: there is a run of that name in {submission.experiment}. Choose another.")
    made = api.create_run(submission.body(experiment_id))
    page = run_page(api.connection.access.host, made["run_id"])
    if as_json and not wait:
        echo_json({"run_id": made["run_id"], "name": submission.name, "page": page})
        return
    typer.echo(f"{submission.name}: sent\n  id    {made['run_id']}\n  page  {page}")
    if wait:
        wait_for(api, made["run_id"], deadline=deadline, as_json=as_json)


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
    """Let a cluster run a pipeline again and again: one at a time, without catching up on what was missed.

    The same command again changes nothing; with other settings it takes the place of the schedule of that name.
    """
    from reenact.cli.compiling import compiled_folder
    from reenact.cluster import schedules
    from reenact.cluster.cron import six_fields
    from reenact.cluster.submitting import checked_name, prepare

    place = Place(host, namespace, token, token_file, ca_file)
    settings = load(params, profile, [*(overrides or []), *place.changes(service_account, experiment)])
    if list_all:
        list_schedules(place.api(settings), as_json=as_json)
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
        settings,
        pipeline=pipeline,
        compiled=compiled_folder(),
        here=Path(),
        name=name,
        trainer=sender(),
        recurring=True,
    )
    wanted = schedules.Schedule(submission=submission, cron=fields)
    if dry_run:
        print_requests(settings, submission, "recurringruns", wanted.body("<of the experiment>", on=True))
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
        list_runs(api.recent_runs(known["experiment_id"], limit) if known else [], as_json=as_json)
        return
    found = find_run(api, run)
    if wait:
        wait_for(api, found["run_id"], deadline=deadline, as_json=as_json)
        return
    print_run(api, found, as_json=as_json)
    check_success(found)
