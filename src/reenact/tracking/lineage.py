"""Where a result comes from: one record, stamped on runs, model versions and reports."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Everything a result was made from; "" where it is not known."""

    git_commit: str = ""
    git_dirty: bool = False
    data_version: str = ""  # of the source of the videos: the hash by which DVC knows it
    data_hash: str = ""
    params_hash: str = ""
    kfp_run_id: str = ""
    mlflow_run_id: str = ""
    image_digest: str = ""
    rights: str = ""  # licence and consent of the clips, in words
    trainer: str = ""  # who started the training; whoever that is can't approve its model

    def tags(self) -> dict[str, str]:
        """As MLflow tags; what is not known is left out."""
        return {f"lineage.{name}": str(value) for name, value in asdict(self).items() if value != ""}


def read_lineage(
    *,
    data_hash: str = "",
    params_hash: str = "",
    mlflow_run_id: str = "",
    rights: str = "",
    code: Path = _HERE,
    environment: Mapping[str, str] | None = None,
) -> Lineage:
    """Lineage of what this process makes.

    Commit and state of the work tree come from git in `code`; an image has no git, so REENACT_GIT_COMMIT comes
    first. REENACT_IMAGE_DIGEST, KFP_RUN_ID and REENACT_DATA_VERSION are set by the image and the pipeline,
    REENACT_TRAINER by whoever starts one (`reenact run` and `reenact repro` take git's user.name).
    """
    env = os.environ if environment is None else environment
    told = env.get("REENACT_GIT_COMMIT", "")
    commit = told.removesuffix("-dirty")  # what an image says that was built from a work tree with changes
    changes = told[len(commit) :]
    if not commit:
        commit = _git(code, "rev-parse", "HEAD")
        changes = _git(code, "status", "--porcelain", "--untracked-files=no") if commit else ""
    return Lineage(
        git_commit=commit,
        git_dirty=bool(changes),
        data_version=env.get("REENACT_DATA_VERSION", ""),
        data_hash=data_hash,
        params_hash=params_hash,
        kfp_run_id=env.get("KFP_RUN_ID", ""),
        mlflow_run_id=mlflow_run_id or env.get("MLFLOW_RUN_ID", ""),
        image_digest=env.get("REENACT_IMAGE_DIGEST", ""),
        rights=rights,
        trainer=env.get("REENACT_TRAINER", ""),
    )


def _git(folder: Path, *arguments: str) -> str:
    """Output of a git command; "" without git or outside a repository."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
