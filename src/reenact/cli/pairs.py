"""`reenact pairs`: the list of pairs that every branch will be scored on, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pairs)


def pairs(
    file: Annotated[Path, typer.Argument(help="Where to write the list (.parquet).")],
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option("--out", help="The folder below which all stages' folders lie.")] = Path("out"),
) -> None:
    """Draw the pairs of `evaluate.val` and `.test` and write them, to be used by `-S evaluate.pairs=FILE`."""
    effective = load(params, profile, overrides)

    from reenact.atomic import storage_errors
    from reenact.corpus.corpus import Corpus
    from reenact.evaluation.pair_files import write_pairs
    from reenact.stages.evaluate import EvaluateSettings, pairs_of

    settings = effective.blocks["evaluate"]
    assert isinstance(settings, EvaluateSettings)
    corpus = Corpus(out / "frames", landmarks=out / "landmarks", actions=out / "actions", validated=out / "validated")
    listed, seed = pairs_of(corpus, out / "validated", settings, videos=out / "videos")
    with storage_errors():
        facts = write_pairs(file, listed, seed=seed)
    for (split, protocol), group in listed.groupby(["split", "protocol"], sort=False):
        typer.echo(f"{split:5} {protocol:12} {len(group):6} pairs of {group['source_identity'].nunique()} people")
    typer.echo(f"{file}: seed {seed}, rules {facts['rules']}, sha256 {facts['sha256']}")
