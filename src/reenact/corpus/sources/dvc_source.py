"""A folder that DVC tracks in any repository, at any revision: `dvc://REPO?rev=REV&path=FOLDER`."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from reenact.config import nearest
from reenact.corpus.sources.names import problem_with, redacted, shown
from reenact.corpus.sources.tree import (
    Item,
    Material,
    Skipped,
    accept,
    cached,
    hashes,
    keep,
    link_items,
    locked,
    recorded_sha256,
    version_of_items,
)
from reenact.errors import SettingsError, StorageError
from reenact.progress import progress

_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class DvcPlace:
    """Where the data is; `repo` is a folder or an address that git understands."""

    repo: str
    path: str
    rev: str = "HEAD"
    remote: str = ""  # the repository's DVC remote, where not its default


def parse_dvc(uri: str) -> DvcPlace:
    """Read `dvc://REPO?rev=REV&path=FOLDER[&remote=NAME]`; raises SettingsError."""
    repo, _, query = uri.removeprefix("dvc://").partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in ("rev", "path", "remote"):
            raise SettingsError(
                f"fetch_data.videos: {redacted(uri)}: unknown part {name}{nearest(name, ('rev', 'path', 'remote'))}"
            )
    if not repo or not given.get("path"):
        raise SettingsError(f'fetch_data.videos: "{redacted(uri)}" is not of the form dvc://REPO?rev=REV&path=FOLDER.')
    return DvcPlace(repo=repo, **{name: value for name, value in given.items() if value})


def resolved_version(uri: str) -> str:
    """The contents of a folder at a revision, hashed; another revision with the same contents is the same version."""
    answers = _ask(uri, parse_dvc(uri))
    return version_of_items("dvc", _items(uri, next(answers)["listing"])[0])


def fetch_dvc(uri: str, cache: Path) -> Material:
    """The folder at the revision as a folder of the cache; files that are there already are not brought again."""
    with locked(cache):
        objects = (cache / "objects").resolve()
        answers = _ask(uri, parse_dvc(uri), objects)
        listing = next(answers)
        items, skipped = _items(uri, listing["listing"])
        missing = sum(not (objects / identity).exists() for identity in {item.id for item in items})
        for one in progress(answers, f"fetch {redacted(uri)}: files", total=missing) if missing else answers:
            _accept(uri, objects / f"{one['have']}.part", one)
        version = version_of_items("dvc", items)
        if known := cached(cache, version):
            return known

        def fill(folder: Path) -> list[Skipped]:
            link_items(cache, folder, items)
            return skipped

        files = {item.name: {"id": item.id, "sha256": recorded_sha256(cache, item)} for item in items}
        return keep(cache, version, fill, source=uri, commit=listing["commit"], files=files)


def _items(uri: str, listing: list[dict[str, Any]]) -> tuple[list[Item], list[Skipped]]:
    items, skipped = [], []
    for one in listing:
        if problem := problem_with(one["name"]):
            name = shown(one["name"])
            skipped.append(Skipped(name, f"{redacted(uri)}: {name} is left out: {problem}."))
        else:
            items.append(Item(one["name"], one["id"], one["size"]))
    if not listing:
        raise StorageError(f"{redacted(uri)}: this folder is empty at this revision. Check fetch_data.videos.")
    return items, skipped


def _accept(uri: str, part: Path, one: dict[str, Any]) -> None:
    md5, sha256 = hashes(part)
    if one["md5"] not in (None, md5):
        part.unlink()
        raise StorageError(
            f"{redacted(uri)}: {shown(one['name'])} has not the hash that DVC recorded: the remote holds a damaged "
            "file. Push it again (dvc push) from where it is whole."
        )
    accept(part, sha256)


def _ask(uri: str, place: DvcPlace, objects: Path | None = None) -> Iterator[Any]:
    """Answers of the child; a passing failure of the network is tried again, any other is a sentence."""
    if importlib.util.find_spec("dvc") is None:
        raise SettingsError(f"{redacted(uri)}: DVC is not installed here. Install it (pip install 'dvc[s3]').")
    question = {"repo": place.repo, "rev": place.rev, "path": place.path, "remote": place.remote,
                "objects": str(objects or "")}  # fmt: skip
    listed = False
    for attempt in range(_TRIES):
        failure = None
        for line in _child(question):
            if "error" in line:
                failure = line
            elif not (listed and "listing" in line):
                yield line
            listed = True
        if failure is None:
            return
        if attempt == _TRIES - 1 or not _passing(failure):
            raise _sentence(uri, place, failure)
        time.sleep(2**attempt)


def _child(question: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # Nobody is there to type a password, and what DVC says about itself is not wanted.
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "DVC_NO_ANALYTICS": "1"}
    env.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    with tempfile.TemporaryFile("w+") as noise, tempfile.NamedTemporaryFile("w", suffix=".json") as asked:
        json.dump(question, asked)
        asked.flush()
        child = subprocess.Popen(
            [sys.executable, "-m", "reenact.corpus.sources.dvc_child", asked.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=noise, text=True, env=env,
        )  # fmt: skip
        try:
            assert child.stdout is not None
            for line in child.stdout:
                if line.startswith("{"):
                    yield json.loads(line)
            if child.wait():
                noise.seek(0)
                last = (noise.read().strip().splitlines() or ["no message"])[-1]
                yield {"error": f"ended with code {child.returncode}: {last}", "kinds": []}
        finally:
            child.kill()
            child.wait()


def _passing(failure: dict[str, Any]) -> bool:
    said = failure["error"].lower()
    return any(word in said for word in ("timed out", "timeout", "connection reset", "temporarily", "503", "early eof"))


def _sentence(uri: str, place: DvcPlace, failure: dict[str, Any]) -> Exception:
    """What a person can do about DVC's words."""
    kinds, repo = set(failure["kinds"]), redacted(place.repo)
    said = redacted(" ".join(failure["error"].split()))
    if kinds & {"RevError", "UnknownGitRevision"}:
        return StorageError(f'{repo}: there is no revision "{place.rev}". Check rev= in fetch_data.videos.')
    if kinds & {"NotDvcRepoError", "InvalidRemote"} or "NotGitRepo" in said:
        return StorageError(f"{repo}: this is no Git repository with DVC in it. Check fetch_data.videos.")
    if kinds & {"CloneError", "SCMError", "AuthError"}:
        return StorageError(f"{repo}: can't be cloned ({said}). Check the address and your access to it.")
    if kinds & {"NoRemoteError", "RemoteNotFoundError", "RemoteConfigError"}:
        return StorageError(f"{repo}: no DVC remote to take the files from ({said}). Name one with remote=.")
    if kinds & {"FileNotFoundError", "PathMissingError", "OutputNotFoundError"}:
        return StorageError(
            f'{repo}: "{place.path}" is not there at revision {place.rev}, or its files were never pushed to the DVC '
            f"remote ({said}). Check path= and rev= in fetch_data.videos, or run dvc push there."
        )
    return StorageError(f"{redacted(uri)}: DVC fails: {said}")
