"""`reenact registry ...`: look at registered models, decide about them, see what was decided."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.cli.person import git_user
from reenact.errors import SettingsError

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from reenact.review.records import Decision

HELP = """Look at registered models, and decide which of them is used.

Exit codes: 0 done; 2 a setting, --by or --reason is missing or wrong; 3 no such model or version, or weights that are
not the registered ones; 6 MLflow out of reach; 9 a rule stands against the decision; 10 somebody else decided at the
same moment. After 2, 3, 9 and 10 nothing was changed."""
registry = typer.Typer(name="registry", help=HELP, no_args_is_help=True)

Model = Annotated[str, typer.Option("--model", help="The registered model; default: registry.model of the settings.")]
Version = Annotated[str, typer.Argument(help="A number, or an alias: challenger, champion, previous.")]
By = Annotated[str, typer.Option("--by", help="Who decides; default: git's user.name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history later.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(registry)


@registry.command("list")
def list_versions(
    model: Model = "", as_json: Json = False, params: ParamsFile = PARAMS, profile: Profile = "",
    overrides: Overrides = None,
) -> None:  # fmt: skip
    """All versions with their aliases, what the gate said and what was decided, the newest first."""
    from reenact.cli.registry_text import versions_table
    from reenact.review.history import history
    from reenact.review.versions import read_versions

    with _opened(params, profile, overrides, model) as (client, name):
        found, lines = read_versions(client, name), history(client, name)
    # what lies between two decisions is history
    odd = [line.says for line in lines if line.says and not (line.kind == "outside" and line.number)]
    odd += [
        f"{line.decision} is not carried out yet; the next decision does it." for line in lines if not line.finished
    ]
    if as_json:
        _echo_json({"versions": [one.plain() for one in found], "unexplained": odd})
        return
    typer.echo(versions_table(found))
    for says in odd:
        typer.echo(says)


@registry.command()
def show(
    version: Version,
    check: Annotated[bool, typer.Option("--check", help="Fetch the weights and compare them with the tag.")] = False,
    model: Model = "",
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """All that the registry knows of a version, and the decisions about it."""
    from reenact.cli.registry_text import version_text
    from reenact.review.history import effects, history
    from reenact.review.integrity import check_weights
    from reenact.review.versions import find

    with _opened(params, profile, overrides, model) as (client, name):
        found = find(client, name, version)
        lines = history(client, name)
        if check:
            check_weights(client, found)
    lines = [line for line in lines if line.decision and found.version in effects(line.decision)]
    if as_json:
        _echo_json({**found.plain(), "weights_checked": check, "decisions": [line.plain() for line in lines]})
        return
    typer.echo(version_text(found, lines, checked=check))


@registry.command()
def review(
    version: Version = "challenger",
    out: Annotated[Path | None, typer.Option("--out", help="Write the page to this file (.html).")] = None,
    model: Model = "",
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """What a reviewer should read before deciding: the page of a version, or (without --out) its core as text."""
    from reenact.review.attach import fetch_page
    from reenact.review.desk import one_line
    from reenact.review.versions import find

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"--out {out}: name an .html file.")
    with _opened(params, profile, overrides, model) as (client, name):
        found = find(client, name, version)
        if out is None:
            told = client.get_model_version(name, found.version).description
            shown = "\n".join(map(one_line, (told or "").split("\n")))  # a terminal obeys what is in it
            typer.echo(shown or f"{name}, version {found.version}: nobody described it. `reenact gate` does.")
            return
        fetch_page(client, name, found.version, out)
    typer.echo(f"{out}: the review of {name}, version {found.version}")


@registry.command()
def approve(
    version: Version,
    reason: Reason = "",
    by: By = "",
    override: Annotated[str, typer.Option("--override", help="Why the gate, failed or missing, does not matter.")] = "",
    model: Model = "",
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Make a version the champion. The former one becomes `previous`."""
    from reenact.review import decisions

    by = _reviewer(by)
    with _opened(params, profile, overrides, model) as (client, name):
        done = decisions.approve(client, name, version, by=by, reason=reason, override=override)
    _echo_decision(done, as_json)


@registry.command()
def reject(
    version: Version,
    reason: Reason = "",
    by: By = "",
    model: Model = "",
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Mark a version as rejected: it waits no longer."""
    from reenact.review import decisions

    by = _reviewer(by)
    with _opened(params, profile, overrides, model) as (client, name):
        done = decisions.reject(client, name, version, by=by, reason=reason)
    _echo_decision(done, as_json)


@registry.command()
def rollback(
    reason: Reason = "",
    by: By = "",
    to: Annotated[str, typer.Option("--to", help="A version that was approved before; default: previous.")] = "",
    model: Model = "",
    as_json: Json = False,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
) -> None:
    """Go back to the champion before this one."""
    from reenact.review import decisions

    by = _reviewer(by)
    with _opened(params, profile, overrides, model) as (client, name):
        done = decisions.rollback(client, name, by=by, reason=reason, to=to)
    _echo_decision(done, as_json)


@registry.command("history")
def show_history(
    model: Model = "", as_json: Json = False, params: ParamsFile = PARAMS, profile: Profile = "",
    overrides: Overrides = None,
) -> None:  # fmt: skip
    """Every decision, oldest first, and what was changed in MLflow without one."""
    from reenact.cli.registry_text import history_text
    from reenact.review.history import history

    with _opened(params, profile, overrides, model) as (client, name):
        lines = history(client, name)
    if as_json:
        _echo_json([line.plain() for line in lines])
        return
    typer.echo(history_text(lines))


@contextmanager
def _opened(
    params: Path, profile: str, overrides: list[str] | None, model: str
) -> Iterator[tuple["MlflowClient", str]]:
    """A client of the registry that the settings name, and the model's name."""
    if model:
        overrides = [*(overrides or ()), f"registry.model={json.dumps(model)}"]
    blocks = load(params, profile, overrides).blocks
    from reenact.tracking.connect import TrackingSettings, connect
    from reenact.tracking.errors import mlflow_errors
    from reenact.tracking.registry import RegistrySettings

    tracking, settings = blocks["tracking"], blocks["registry"]
    assert isinstance(tracking, TrackingSettings)
    assert isinstance(settings, RegistrySettings)
    with mlflow_errors():
        yield connect(tracking)[0], settings.model


def _reviewer(by: str) -> str:
    """The name to be written down. Raises SettingsError where there is none, or one that nobody may have."""
    from reenact.review.decisions import AUTO
    from reenact.review.desk import same_person

    name = by or git_user()
    if not name:
        raise SettingsError("--by: who decides? Git knows no user.name here; give a name.")
    if same_person(name, AUTO):
        raise SettingsError(f"--by {name}: that is how the gate signs. Give your name.")
    return name


def _echo_decision(decision: "Decision", as_json: bool) -> None:
    from dataclasses import asdict

    from reenact.cli.registry_text import outcome_text

    if as_json:
        _echo_json(asdict(decision))
        return
    typer.echo(outcome_text(decision))


def _echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))
