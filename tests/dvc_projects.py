"""Repositories with DVC in them, whose remote is the S3 server of `s3_server`."""

import subprocess
import sys
from pathlib import Path

import pytest


def command(folder: Path, *words: str, fails: bool = False) -> str:
    """Run git or DVC (`dvc ...`, `git ...`) in a folder; returns what it says."""
    words = (sys.executable, "-m", *words) if words[0] == "dvc" else words
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def make_repository(folder: Path, s3: dict[str, str], *, prefix: str = "dvc") -> Path:
    """git and DVC with the default remote s3://bucket/PREFIX, committed."""
    folder.mkdir(parents=True, exist_ok=True)
    command(folder, "git", "init", "-q", "-b", "main")
    name_committer(folder)
    for words in (
        ("dvc", "init", "-q"),
        ("dvc", "config", "core.analytics", "false"),
        ("dvc", "remote", "add", "-q", "-d", "store", f"s3://bucket/{prefix}"),
        ("dvc", "remote", "modify", "store", "endpointurl", s3["AWS_ENDPOINT_URL_S3"]),
        ("git", "add", "-A"),
        ("git", "commit", "-qm", "Start"),
    ):
        command(folder, *words)
    return folder


def name_committer(folder: Path) -> None:
    """Who commits here."""
    command(folder, "git", "config", "user.email", "trainer@example.org")
    command(folder, "git", "config", "user.name", "Trainer")


def environment(patch: pytest.MonkeyPatch, s3: dict[str, str]) -> None:
    """What AWS tools and DVC read."""
    for name, value in {**s3, "AWS_MAX_ATTEMPTS": "1", "DVC_NO_ANALYTICS": "1"}.items():
        patch.setenv(name, value)


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
