"""A project folder with the real graph and the real settings file, cut down to what runs in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
REENACT = str(Path(sys.executable).parent / "reenact")

TINY: dict[str, dict[str, Any]] = {
    "runtime": {"device": "cpu"},
    "render_clips": {"identities": 8, "frames": 10, "size": 192},
    "extract_frames": {"size": 64, "shard_clips": 7},
    "label_landmarks": {"enlarge_to": 256},
    # This salt deals 8 persons so that each split has two or more.
    "validate_data": {
        "split": {"val": 0.25, "test": 0.25, "salt": "tiny-5", "min_identities": 8},
        "review_clips": 2,
    },
    "train_guide": {"size": 32, "width": 2, "samples": 64, "batch": 16, "embedding": 8, "validate_frames": 16},
    "systems": {
        "cgan": {"width": 2, "discriminator_width": 2},
        "facegan": {
            "width": 4,
            "halvings": 1,
            "blocks": 1,
            "mixer_width": 4,
            "mixer_blocks": 1,
            "discriminator_width": 4,
        },
        "caingan": {"sources": 2, "width": 8, "embedding": 8, "discriminator_width": 4},
        "fewshot_heads": {"sources": 2, "width": 8, "finetune": {"epochs": 2}},
        "pix2pixhd": {"sources": 2, "width": 4, "halvings": 1, "blocks": 1, "discriminator_width": 4, "layers": 2},
    },
    "train": {"size": 32, "samples": 40, "batch": 5, "log_every": 10, "validate_every": 20, "validate_pairs": 4},
    "evaluate": {
        "val": {"self_pairs": 2, "cross_pairs": 1, "lsim": 1},
        "test": {"sources": 1, "self_pairs": 2, "cross_pairs": 1, "lsim": 1},
        "bootstrap": 20,
        "samples": 2,
    },
    "compare": {"bootstrap": 20, "choose": {"metric": "mse", "judged": 0.0}},
}


def merged(base: Any, change: Any) -> Any:
    """Mappings merged key by key."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    return change


def make_project(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Copy what a checkout holds for DVC and for kfp.local, with tiny settings."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    with (folder / ".dvc" / "config").open("a") as stream:
        stream.write("    no_scm = true\n")
    set_params(folder, merged(TINY, changes or {}), base=ROOT / "params.yaml")
    return folder


def set_params(folder: Path, changes: dict[str, Any], *, base: Path | None = None) -> None:
    """Change the project's params.yaml."""
    path = folder / "params.yaml"
    params = merged(yaml.safe_load((base or path).read_text()), changes)
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def call(folder: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the project with a bare home; output and error together."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    env = {**os.environ, "HOME": str(home), "PATH": path, "DVC_NO_ANALYTICS": "1", **environment}
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "REENACT_EVENTS", "REENACT_STEP"):
        env.pop(name, None)
    return subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
