"""The cache of fetched sources: objects by content, and one immutable folder for each version of a source.

`objects/ID` is a whole file (`ID.part` while it comes in), `objects/ID.sha256` its hash; `versions/VERSION/` holds
hard links to objects, or what an archive unpacked to, and `versions/VERSION.json` the manifest, written last.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from reenact.atomic import atomic_folder, storage_errors, write_json, write_text
from reenact.corpus.sources.names import redacted
from reenact.hashing import hash_json
from reenact.progress import say

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Skipped:
    """A part of a source that can't be used, and why: a row of the quarantine table."""

    file: str
    reason: str


@dataclass(frozen=True)
class Material:
    """A source on this disk."""

    folder: Path
    version: str  # equal versions have equal contents
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Item:
    """One file of a source; equal ids have equal contents."""

    name: str
    id: str
    size: int | None


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One process at a time fetches into a cache; what a killed one left half done is swept away."""
    with storage_errors(cache):
        (cache / "objects").mkdir(parents=True, exist_ok=True)
        (cache / "versions").mkdir(exist_ok=True)
    lock = FileLock(cache / "lock")
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        say(f"{cache}: waiting for another run that fetches into this cache")
        lock.acquire()
    try:
        for path in (cache / "versions").glob(".*"):
            shutil.rmtree(path, ignore_errors=True)
        yield
    finally:
        lock.release()


def cached(cache: Path, version: str) -> Material | None:
    """A version that was fetched before."""
    try:
        manifest = json.loads((cache / "versions" / f"{version}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    folder = cache / "versions" / version
    if not folder.is_dir():
        return None
    return Material(folder, version, tuple(Skipped(**one) for one in manifest["skipped"]))


def keep(
    cache: Path, version: str, fill: Callable[[Path], Iterable[Skipped]], *, source: str, **facts: Any
) -> Material:
    """Let `fill` write a version's folder; it and its manifest appear whole or not at all."""
    folder = cache / "versions" / version
    with atomic_folder(folder) as temporary:
        skipped = tuple(fill(temporary))
    manifest = {"source": redacted(source), "skipped": [asdict(one) for one in skipped], **facts}
    write_json(cache / "versions" / f"{version}.json", manifest)
    return Material(folder, version, skipped)


def link_items(cache: Path, folder: Path, items: Iterable[Item]) -> None:
    """Lay out a version's folder with hard links to the objects, copies where the disk knows no links."""
    for item in items:
        path = folder / item.name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(cache / "objects" / item.id, path)
        except OSError:
            shutil.copyfile(cache / "objects" / item.id, path)


def version_of_items(kind: str, items: Iterable[Item]) -> str:
    """A hash over names and contents."""
    return hash_json([kind, [[item.name, item.id] for item in items]])[:40]


def hashes(path: Path) -> tuple[str, str]:
    """md5 and sha256 of a file, read once."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as stream:
        while data := stream.read(_CHUNK):
            md5.update(data)
            sha256.update(data)
    return md5.hexdigest(), sha256.hexdigest()


def accept(part: Path, sha256: str) -> None:
    """A checked `.part` becomes an object."""
    final = part.with_suffix("")
    write_text(final.with_suffix(".sha256"), sha256 + "\n")
    part.replace(final)


def recorded_sha256(cache: Path, item: Item) -> str:
    """What an object's bytes hashed to when it came in."""
    return (cache / "objects" / item.id).with_suffix(".sha256").read_text(encoding="utf-8").strip()
