"""Register the winner of a comparison as a version of the project's model, with the alias `challenger`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.config import Settings
from reenact.stages.result import StageResult
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.registry import RegistrySettings


class RegisterSettings(Settings):
    """Block `register`."""

    description: str = ""  # put before what the version's description says by itself


def register(
    *,
    comparison: Path,
    branches: Path,
    out: Path,
    settings: RegisterSettings,
    tracking: TrackingSettings,
    registry: RegistrySettings,
) -> StageResult:
    """Register the winner and write `version.json`. Doing it again finds the same version.

    Raises StorageError where MLflow is away, or an upload is cut short: no version is made then.
    """
    import json
    from dataclasses import asdict, replace

    from reenact.atomic import write_json
    from reenact.corpus.shards import read_stage, write_stage
    from reenact.errors import BadInput
    from reenact.tracking.errors import mlflow_errors
    from reenact.tracking.lineage import read_lineage
    from reenact.tracking.registry import register_model

    comparison, branches, out = Path(comparison), Path(branches), Path(out)
    read_stage(comparison, kind="comparison")
    winner = json.loads((comparison / "winner.json").read_text())
    if not winner.get("branch"):
        raise BadInput(f"{comparison / 'winner.json'}: there is no winner to register. Look at table.md beside it.")
    folder = branches / winner["model"]
    facts = read_stage(folder, kind="model") | json.loads((folder / "status.json").read_text())
    run = str(facts.get("mlflow_run_id", ""))
    known = facts.get("lineage", {})
    lineage = read_lineage(
        data_hash=str(facts.get("data", "")), params_hash=str(known.get("params_hash", "")), mlflow_run_id=run,
        rights=str(known.get("rights", "")),
    )  # fmt: skip
    lineage = replace(lineage, trainer=str(known.get("trainer", "")))
    card = json.loads((folder / "model.json").read_text())
    tags = {**_tags(winner, facts), "shots": str(card.get("shots", 1))}
    if known.get("trainer"):  # of the training; whoever registers its result is somebody else
        tags["trainer"] = str(known["trainer"])
    words = _description(settings.description, winner, tags, lineage.rights, exact=card.get("exact_sources", False))
    with mlflow_errors("register"):
        version = register_model(folder, tracking=tracking, settings=registry, tags={**tags, **lineage.tags()},
                                 run_id=run, description=words)  # fmt: skip
    (out / "stage.json").unlink(missing_ok=True)
    write_json(out / "version.json", {**asdict(version), "winner": winner, "tags": tags, "lineage": asdict(lineage)})
    write_stage(out, kind="registered", model=version.model, version=version.version)
    word = "registered" if version.new else "known already"
    waits = f"alias {version.alias}" if version.alias else "people decided about it before"
    return StageResult(stage="register", counts={"version": float(version.version)},
                       notes=(f"{version.uri} ({winner['branch']}) {word}, {waits}",))  # fmt: skip


def _tags(winner: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    from reenact.systems.branch import Branch

    branch = Branch.parse(winner["branch"])
    return {
        "system": branch.system,
        "variant": branch.variant,
        "seed": str(branch.seed),
        "branch": branch.name,
        "reenact.key": str(facts.get("key", "")),
    }


def _description(first: str, winner: Mapping[str, Any], tags: Mapping[str, str], rights: str, *, exact: bool) -> str:
    from reenact.tracking.registry import SYNTHETIC

    rule = winner["rule"]
    faces = f"of the branches in whose pictures the judge finds a face in {rule['judged']:.0%} or more"
    chosen = f"Chosen by {winner['metric']} = {winner['value']:.5g} on {rule['split']}, {faces}."
    licence = "Its landmarks come from dlib's 68-point model, which is for research only."
    many = "takes exactly as many" if exact else "takes any number"
    sources = f"Source pictures: trained with K = {tags['shots']}, {many}."
    lines = [first, f"System `{tags['system']}`, variant `{tags['variant']}`, seed {tags['seed']}.", sources, chosen]
    return "\n\n".join(filter(None, [*lines, SYNTHETIC, rights, licence]))
