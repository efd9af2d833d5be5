"""Who sits at this machine, as git knows them."""

import subprocess
from collections.abc import MutableMapping

TRAINER = "REENACT_TRAINER"


def git_user() -> str:
    """git's user.name; "" where there is no git, or no name."""
    try:
        told = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""


def name_trainer(environment: MutableMapping[str, str]) -> None:
    """Let trainings that are started from here know by whom, unless REENACT_TRAINER says so (nobody, where empty)."""
    if TRAINER not in environment:
        environment[TRAINER] = git_user()
