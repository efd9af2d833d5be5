"""Folders as DVC's objects: their hashes as DVC computes them, and a remote on S3 that they are brought to."""

import base64
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reenact.corpus.sources.dvc_remote import object_key, of_list
from reenact.corpus.sources.s3 import Bucket, passing, sentence
from reenact.corpus.sources.settings import S3Settings
from reenact.errors import StorageError

_CHUNK = 1 << 20
_PART = 64 << 20  # bytes of a large file that go in one request
_WAIT = 0.5  # seconds before the second attempt, doubled before each further one


@dataclass(frozen=True, kw_only=True)
class FolderObjects:
    """A folder as DVC sees it."""

    md5: str  # of the list of its files, with .dir
    size: int  # bytes of all files
    nfiles: int
    files: tuple[tuple[str, Path], ...]  # md5 and place of each file, in the order of their names
    listing: bytes  # contents of the object `md5`

    def facts(self) -> dict[str, Any]:
        """What dvc.lock says of it."""
        return {"md5": self.md5, "size": self.size, "nfiles": self.nfiles}


def folder_objects(folder: Path, *, threads: int = 4) -> FolderObjects:
    """Hash every file of a folder, several at a time. Empty folders don't count, as with DVC; links are followed."""
    names = sorted(_names(folder))
    with ThreadPoolExecutor(threads) as pool:
        hashed = list(pool.map(lambda name: _md5(folder / name), names))
    md5, listing = of_list([{"md5": one, "relpath": name} for name, one in zip(names, hashed, strict=True)])
    size = sum((folder / name).stat().st_size for name in names)
    files = tuple((one, folder / name) for name, one in zip(names, hashed, strict=True))
    return FolderObjects(md5=md5, size=size, nfiles=len(names), files=files, listing=listing)


def push_objects(objects: FolderObjects, remote: str, settings: S3Settings) -> int:
    """Bring a folder's objects to s3://BUCKET/PREFIX; returns how many were not there yet.

    The list goes last: where it is, everything it names is. Files are read in pieces, `settings.parallel` at a time,
    each tried `settings.attempts` times. Raises StorageError.
    """
    pusher = _Pusher(remote, settings)
    pushed = pusher.all((md5, path) for md5, path in objects.files)
    return pushed + pusher.all([(objects.md5, objects.listing)])


class _Pusher:
    """One remote; an object that a try left half or wrong is brought again."""

    def __init__(self, remote: str, settings: S3Settings) -> None:
        self.bucket = Bucket(remote, settings, setting="cluster.data_remote", rights="read and write")
        self.settings = settings
        self._stop = threading.Event()

    def all(self, objects: Iterable[tuple[str, Path | bytes]]) -> int:
        """Each object once, several at a time; the first that can't be had there ends the others soon."""
        different = dict(objects)
        with ThreadPoolExecutor(self.settings.parallel) as pool:
            jobs = [pool.submit(self._bring, md5, content) for md5, content in different.items()]
            try:
                return sum(job.result() for job in jobs)
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, md5: str, content: Path | bytes) -> bool:
        key = object_key(self.bucket.prefix, md5)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        if self._tried(md5, lambda: self._is_there(key, size, md5)):
            return False

        def once() -> None:
            self._put(key, content, md5)
            if self._is_there(key, size) is False:
                raise _Incomplete(f"{size} bytes were sent, others are there")

        self._tried(md5, once)
        return True

    def _tried(self, md5: str, call: Callable[[], Any]) -> Any:
        why = ""
        for attempt in range(self.settings.attempts):
            if attempt and self._stop.wait(min(30.0, _WAIT * 2 ** (attempt - 1))):
                break
            try:
                return call()
            except _Incomplete as error:
                why = str(error)
            except OSError as error:
                if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
                    raise
                why = str(error)
            except Exception as error:
                if not passing(error) and "BadDigest" not in str(error):
                    raise sentence(self.bucket, error) from None
                why = str(error)
        raise StorageError(
            f"{self.bucket.uri}: object {md5} can't be brought there in {self.settings.attempts} attempts "
            f"({' '.join(why.split())}). Run the same again: what is there is not brought twice."
        )

    def _is_there(self, key: str, size: int, md5: str = "") -> bool | None:
        """Whether the object is there, whole, by its size and, where both are told, its hash; None: no answer.

        Without the right to list, a store says 403 of what it doesn't have.
        """
        from botocore.exceptions import ClientError

        try:
            found = self.bucket.client.head_object(Bucket=self.bucket.bucket, Key=key)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status not in (403, 404):
                raise
            return False if status == 404 else None
        etag = found["ETag"].strip('"')
        plain = len(etag) == 32 and found.get("ServerSideEncryption", "AES256") == "AES256"
        return found["ContentLength"] == size and (not md5 or not plain or etag == md5.removesuffix(".dir"))

    def _put(self, key: str, content: Path | bytes, md5: str) -> None:
        client, place = self.bucket.client, {"Bucket": self.bucket.bucket, "Key": key}
        # The store compares what came with the hash.
        checked = {**place, "ContentMD5": base64.b64encode(bytes.fromhex(md5.removesuffix(".dir"))).decode()}
        if isinstance(content, bytes):
            client.put_object(Body=content, **checked)
        elif content.stat().st_size <= _PART:
            with content.open("rb") as stream:
                client.put_object(Body=stream, **checked)
        else:
            _put_in_parts(client, content, place)


def _put_in_parts(client: Any, content: Path, place: Mapping[str, str]) -> None:
    """Not by the client's own upload_file: its errors no longer say whether another try may help."""
    from boto3.s3.transfer import TransferConfig, create_transfer_manager

    config = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False)
    with create_transfer_manager(client, config) as manager:
        manager.upload(str(content), place["Bucket"], place["Key"]).result()


class _Incomplete(Exception):
    """What is there after an upload is not what was sent."""


def _names(folder: Path) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        for file in files:
            yield (Path(place) / file).relative_to(folder).as_posix()


def _md5(path: Path) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while data := stream.read(_CHUNK):
            md5.update(data)
    return md5.hexdigest()
