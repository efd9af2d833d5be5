"""`reenact systems` and `reenact settings`: what there is, and what holds."""

import json
from typing import Annotated

import typer
import yaml

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(systems)
    app.command()(settings)


def systems(
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects: name, seed, variants, labels.")] = False,
) -> None:
    """List the systems with their variants and the labels they need."""
    from reenact.systems.catalogue import SYSTEMS

    found = [
        {"name": card.name, "seed": card.seed, "variants": list(card.variants), "labels": list(card.labels)}
        for card in SYSTEMS.values()
    ]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for card in SYSTEMS.values():
        typer.echo(f"{card.name}  (seed {card.seed})  {card.title}")
        typer.echo(f"  labels:   {', '.join(card.labels)}")
        typer.echo(f"  variants: {', '.join(card.variants)}")


def settings(
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    pipeline: Annotated[
        str, typer.Option("--pipeline", metavar="NAME", help="The same as JSON arguments of a pipeline: training, ...")
    ] = "",
) -> None:
    """Print the effective settings: file, profile and overrides together."""
    effective = load(params, profile, overrides)
    if pipeline:
        from reenact.cluster.arguments import pipeline_arguments

        typer.echo(json.dumps(pipeline_arguments(effective, pipeline=pipeline), indent=1))
    else:
        typer.echo(yaml.safe_dump(effective.plain(), sort_keys=False, allow_unicode=True), nl=False)
