"""One command per stage: what `dvc.yaml` calls. Folders lie below `--out` as docs/architecture.md says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from reenact.atomic import storage_errors
from reenact.cli.options import PARAMS, Overrides, ParamsFile, Profile, load
from reenact.config import nearest
from reenact.errors import BranchesMissing, SettingsError
from reenact.params import Params
from reenact.steps import FOLDERS, STEPS, arguments, input_folders, run_step

HELP = {
    "render_clips": "Draw the embedded clips.",
    "fetch_data": "Collect the videos to work on.",
    "extract_frames": "Find, track and crop the face of every video.",
    "label_landmarks": "Label every frame with 68 landmarks.",
    "label_actions": "Fit action units, pose and 3D landmarks.",
    "label_segments": "Tell face, hair and background apart, if anybody needs it.",
    "validate_data": "Check the tables and write the split.",
    "drift": "Hold today's data against what the champion was trained on.",
    "rescore": "Score the champion again and decide whether a new model is needed.",
    "train_guide": "Train the feature network of the losses.",
    "train": "Train one branch.",
    "evaluate": "Score one trained branch, or another method's pictures of the same pairs.",
    "compare": "Put the branches side by side and choose the winner.",
    "register": "Register the winner.",
    "gate": "Hold the registered challenger against the champion.",
}
Root = Annotated[Path, typer.Option("--out", help="The folder below which all stages' folders lie.")]
ROOT = Path("out")


def add_to(app: typer.Typer) -> None:
    """Add a command for every stage."""
    for stage, step in STEPS.items():
        if stage == "evaluate":  # has options of its own: cli/evaluate.py
            continue
        command = _branch_command(stage) if step.branch else _command(stage)
        app.command(stage.replace("_", "-"), help=HELP[stage])(command)


def _command(stage: str) -> Callable[..., None]:
    def command(
        params: ParamsFile = PARAMS, profile: Profile = "", overrides: Overrides = None, out: Root = ROOT
    ) -> None:
        run_stage(stage, load(params, profile, overrides), out)

    return command if stage != "compare" else compare_command


def compare_command(
    add: Annotated[
        list[Path] | None,
        typer.Option("--add", help="A folder that `evaluate --predictions` wrote: one more row; as often as needed."),
    ] = None,
    params: ParamsFile = PARAMS,
    profile: Profile = "",
    overrides: Overrides = None,
    out: Root = ROOT,
) -> None:
    """The comparison, with rows of other methods beside those that the settings name."""
    effective = load(params, profile, overrides)
    if add:
        listed = [*effective.plain()["compare"]["predictions"], *map(str, add)]
        effective = load(params, profile, [*(overrides or []), f"compare.predictions={json.dumps(listed)}"])
    compare(effective, out)


def _branch_command(stage: str) -> Callable[..., None]:
    def command(
        branch: Annotated[str, typer.Option("--branch", help="SYSTEM-VARIANT-SEED, for example cgan-full-0.")],
        params: ParamsFile = PARAMS,
        profile: Profile = "",
        overrides: Overrides = None,
        out: Root = ROOT,
    ) -> None:
        run_stage(stage, load(params, profile, overrides), out, branch)

    return command


def run_stage(stage: str, params: Params, root: Path, branch: str = "") -> None:
    """Run one stage on the folders below `root`."""
    chosen = _branch(branch, params)
    own = root / "branches" / branch
    if stage == "train":
        # A branch that dies must not leave an older run's model and scores in its place.
        shutil.rmtree(own, ignore_errors=True)
    out = (own if branch else root) / FOLDERS[stage]
    folders = input_folders(stage, root, own)
    run_step(stage, out=out, told=arguments(params, stage), folders=folders, branch=chosen)


def compare(params: Params, root: Path) -> None:
    """Compare; where branches are missing or sick, forget the sick ones' records so that they are trained again."""
    with storage_errors():
        (root / "branches").mkdir(parents=True, exist_ok=True)
    try:
        run_stage("compare", params, root)
    except BranchesMissing:
        forget_failed(root / "branches")
        raise


def forget_failed(branches: Path) -> None:
    """Set the status of failed branches aside.

    `dvc repro` compares a stage's output with what it recorded; a changed folder is trained again, so that a failure is
    never taken for a result. The record stays readable as `status.failed.json` until then.
    """
    for status in sorted(branches.glob("*/train/status.json")):
        if json.loads(status.read_text())["status"] != "trained":
            status.rename(status.with_name("status.failed.json"))


def _branch(name: str, params: Params) -> dict[str, Any] | None:
    if not name:
        return None
    from reenact.systems.branch import Branch
    from reenact.systems.catalogue import SYSTEMS

    branch = Branch.parse(name)
    if branch.system not in params.systems:
        near = nearest(branch.system, params.systems)
        raise SettingsError(f"--branch {name}: the settings have no system {branch.system}{near}")
    variants = SYSTEMS[branch.system].variants
    if branch.variant not in variants:
        raise SettingsError(
            f"--branch {name}: {branch.system} has no variant {branch.variant}{nearest(branch.variant, variants)}"
        )
    return {"system": branch.system, "variant": branch.variant, "seed": branch.seed}
