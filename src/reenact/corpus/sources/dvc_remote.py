"""What DVC pushed to S3, by its hash alone: `dvc+s3://BUCKET/PREFIX?md5=HASH.dir`; no git and no DVC are needed.

A DVC remote holds files under the md5 of their contents, and for a folder a list of names and md5s, itself under the
md5 of that list, which ends in `.dir`.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from reenact.config import nearest
from reenact.corpus.sources.names import problem_with, redacted, shown
from reenact.corpus.sources.s3 import Bucket, below_a_file
from reenact.corpus.sources.settings import S3Settings
from reenact.corpus.sources.tree import (
    Item,
    Material,
    Skipped,
    cached,
    hashes,
    keep,
    link_items,
    locked,
    recorded_sha256,
)
from reenact.errors import SettingsError, StorageError
from reenact.hashing import hash_json

SCHEME = "dvc+s3://"
# Where objects lie below a remote's folder: since DVC 3, and before.
LAYOUTS = ("files/md5/", "")


@dataclass(frozen=True, kw_only=True)
class ObjectPlace:
    """A folder (`md5` ends in .dir) or one file (`name` is what it is called) on a DVC remote."""

    remote: str  # s3://BUCKET/PREFIX
    md5: str
    name: str = ""

    @property
    def version(self) -> str:
        """Equal versions have equal contents: the hash itself, of one file with its name."""
        return f"{self.md5}-{hash_json(self.name)[:8]}" if self.name else self.md5

    def uri(self) -> str:
        """The address of it."""
        name = f"&name={quote(self.name, safe='')}" if self.name else ""
        return f"dvc+{self.remote}?md5={self.md5}{name}"


def parse_dvc_remote(uri: str) -> ObjectPlace:
    """Read `dvc+s3://BUCKET/PREFIX?md5=HASH.dir`, or `?md5=HASH&name=NAME` of one file; raises SettingsError."""
    remote, _, query = uri.removeprefix("dvc+").partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in ("md5", "name"):
            raise SettingsError(
                f"fetch_data.videos: {redacted(uri)}: unknown part {name}{nearest(name, ('md5', 'name'))}"
            )
    md5, name = given.get("md5", ""), given.get("name", "")
    if not re.fullmatch(r"[0-9a-f]{32}(\.dir)?", md5) or md5.endswith(".dir") == bool(name):
        raise SettingsError(
            f'fetch_data.videos: "{redacted(uri)}" is not of the form dvc+s3://BUCKET/PREFIX?md5=HASH.dir (a folder) '
            "or ?md5=HASH&name=NAME (a file)."
        )
    if name and ("/" in name or problem_with(name)):
        raise SettingsError(f"fetch_data.videos: {redacted(uri)}: name= is no plain file name.")
    return ObjectPlace(remote=remote.rstrip("/"), md5=md5, name=name)


def object_key(prefix: str, md5: str, layout: str = LAYOUTS[0]) -> str:
    """Key of an object below a remote's prefix."""
    return f"{prefix}/{layout}{md5[:2]}/{md5[2:]}".lstrip("/")


def fetch_dvc_remote(uri: str, settings: S3Settings, cache: Path) -> Material:
    """The folder as one of the cache; files that are there already are not asked for again. Raises StorageError."""
    place = parse_dvc_remote(uri)
    with locked(cache):
        if known := cached(cache, place.version):
            return known
        objects = _Objects(place, settings)
        items, skipped = objects.files(cache)
        objects.bring(cache, items)

        def fill(folder: Path) -> list[Skipped]:
            link_items(cache, folder, items)
            return skipped

        files = {item.name: {"md5": item.id, "sha256": recorded_sha256(cache, item)} for item in items}
        return keep(cache, place.version, fill, source=uri, files=files)


class _Objects(Bucket):
    """A DVC remote: parts are continued as everywhere, but names and hashes come from DVC's list, not from S3's."""

    def __init__(self, place: ObjectPlace, settings: S3Settings) -> None:
        super().__init__(place.remote, settings)
        self.place = place
        self.layout = LAYOUTS[0]
        self._wrong: set[str] = set()

    def files(self, cache: Path) -> tuple[list[Item], list[Skipped]]:
        """The files of the folder, and names that can't be files'; the list itself is brought into the cache."""
        if self.place.name:
            return [Item(self.place.name, self.place.md5, None)], []
        own = Item(self.place.md5, self.place.md5.replace(".", "-"), None)
        self.bring(cache, [own])
        found: dict[str, Item] = {}
        skipped: list[Skipped] = []
        for name, md5 in self._entries_of((cache / "objects" / own.id).read_bytes()):
            if problem := problem_with(name):
                skipped.append(Skipped(shown(name), f"{self.uri}: {shown(name)} is left out: {problem}."))
            else:
                found[name] = Item(name, md5, None)
        for name in [name for name in found if below_a_file(name, found)]:
            skipped.append(
                Skipped(shown(name), f"{self.uri}: {shown(name)} is left out: another file has its folder's name.")
            )
            del found[name]
        if not found and not skipped:
            raise StorageError(f"{self.uri}: the folder {self.place.md5} is empty. Check fetch_data.videos.")
        return [found[name] for name in sorted(found)], skipped

    def _entries_of(self, data: bytes) -> list[tuple[str, str]]:
        try:
            entries = [(str(one["relpath"]), str(one["md5"])) for one in json.loads(data)]
        except (ValueError, TypeError, KeyError):
            entries = [("", "")]
        if not all(re.fullmatch("[0-9a-f]{32}", md5) for _, md5 in entries):
            raise StorageError(f"{self.uri}: {self.place.md5} is no list of a folder that DVC writes.")
        return entries

    def _continue(self, item: Item, part: Path, stop: threading.Event) -> None:
        have = part.stat().st_size if part.exists() else 0
        answer = self._asked(item, have)
        if answer is not None:  # else the part is whole, or wrong, and its hash will tell
            self._write(answer, part, have, stop)

    def _asked(self, item: Item, start: int) -> Any:
        """S3's answer with an object's bytes from `start` on, in the layout that has it; None where there are none."""
        from botocore.exceptions import ClientError

        rest = {"Range": f"bytes={start}-"} if start else {}
        for layout in (self.layout, *(other for other in LAYOUTS if other != self.layout)):
            try:
                key = object_key(self.prefix, _oid(item), layout)
                answer = self.client.get_object(Bucket=self.bucket, Key=key, **rest)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code in ("InvalidRange", "416"):
                    return None
                if code != "NoSuchKey":
                    raise
            else:
                self.layout = layout
                return answer
        raise self._never_pushed(_oid(item), item.name)

    def _check(self, item: Item, part: Path) -> tuple[str, str]:
        """sha256 of a `.part`; what is wrong with it the first time, since then it may have been the part's fault."""
        md5, sha256 = hashes(part)
        expected = _oid(item).removesuffix(".dir")
        if md5 == expected or (self.layout == LAYOUTS[1] and _with_unix_lines(part) == expected):
            return sha256, ""
        if item.name not in self._wrong:
            self._wrong.add(item.name)
            return sha256, "its hash is not the one that DVC recorded"
        part.unlink()
        raise StorageError(
            f"{self.uri}: {shown(item.name)} has not the hash that DVC recorded: the remote holds a damaged object "
            f"({object_key(self.prefix, _oid(item), self.layout)}). Remove it there and push it again (dvc push) from "
            "where it is whole."
        )

    def _never_pushed(self, md5: str, name: str = "") -> StorageError:
        what = f"{shown(name)} ({md5})" if name and name != md5 else md5
        return StorageError(
            f"{self.uri}: {what} is not on this DVC remote. Run dvc push where the data is, or check the address."
        )


def _oid(item: Item) -> str:
    """The hash DVC knows an object by; a folder's list is kept under a name without a dot."""
    return item.id.replace("-", ".")


def _with_unix_lines(path: Path) -> str:
    """The md5 by which DVC 2 knew text: with the line ends of Unix."""
    data = path.read_bytes().replace(b"\r\n", b"\n")
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def of_list(entries: list[dict[str, str]]) -> tuple[str, bytes]:
    """(hash, contents) of the list of a folder as DVC writes it; entries: md5 and relpath of each file."""
    data = json.dumps(sorted(entries, key=lambda one: one["relpath"]), sort_keys=True).encode()
    return f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}.dir", data
