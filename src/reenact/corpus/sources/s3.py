"""Objects under an S3 prefix, brought in parallel; each continues where it stopped and is checked at the end."""

import hashlib
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reenact.corpus.sources.names import problem_with, redacted, shown
from reenact.corpus.sources.s3_client import s3_client
from reenact.corpus.sources.settings import S3Settings
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
from reenact.hashing import hash_json
from reenact.progress import progress

_CHUNK = 1 << 20


class _Changed(Exception):
    """An object is no longer the one that was listed."""


class Bucket:
    """A prefix of a bucket; `setting` names it, and `rights` are what is needed there."""

    def __init__(
        self, uri: str, settings: S3Settings, *, setting: str = "fetch_data.videos", rights: str = "list and read"
    ) -> None:
        self.setting, self.rights = setting, rights
        split = urlsplit(uri)
        if not split.netloc or split.query or split.fragment:
            raise SettingsError(f'{setting}: "{redacted(uri)}" is not of the form s3://bucket/prefix.')
        self.uri, self.bucket, self.prefix = uri, split.netloc, split.path.strip("/")
        self.settings = settings
        self.client = s3_client(endpoint=settings.endpoint, anonymous=settings.anonymous, connections=settings.parallel)
        self.etags: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    def listed(self) -> tuple[list[Item], list[Skipped]]:
        """What lies under the prefix, sorted by key, and the keys that can be no file's name."""
        found: dict[str, Item] = {}
        skipped: list[Skipped] = []
        for entry in self._ask(lambda: list(self._entries())):
            key = entry["Key"]
            inside = key.rpartition("/")[2] if key == self.prefix else key.removeprefix(f"{self.prefix}/")
            if key.endswith("/") and not entry["Size"]:
                continue  # a marker that some tools write for a folder
            if problem := problem_with(inside):
                skipped.append(Skipped(shown(inside), f"{self.uri}: object {shown(inside)} is left out: {problem}."))
                continue
            etag = entry["ETag"].strip('"')
            self.keys[inside], self.etags[inside] = key, etag
            content = [self.bucket, key, etag, entry["Size"]]
            found[inside] = Item(inside, hash_json(content)[:40], entry["Size"])
        for name in [name for name in found if below_a_file(name, found)]:
            skipped.append(
                Skipped(
                    shown(name),
                    f"{self.uri}: object {shown(name)} is left out: another object has the name of its folder.",
                )
            )
            del found[name]
        if not found and not skipped:
            raise StorageError(f"{self.uri}: nothing lies under this prefix. Check fetch_data.videos.")
        return [found[name] for name in sorted(found)], skipped

    def _entries(self) -> Iterator[dict[str, Any]]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                if not self.prefix or entry["Key"] == self.prefix or entry["Key"].startswith(f"{self.prefix}/"):
                    yield entry

    def bring(self, cache: Path, items: list[Item]) -> None:
        """All objects that the cache lacks; the first that can't be had ends the others soon."""
        wanted = {item.id: item for item in items if not (cache / "objects" / item.id).exists()}
        stop = threading.Event()
        with ThreadPoolExecutor(self.settings.parallel) as pool:
            jobs = [
                pool.submit(self._bring, item, cache / "objects" / f"{item.id}.part", stop) for item in wanted.values()
            ]
            try:
                for job in progress(as_completed(jobs), f"fetch {self.uri}: objects", total=len(jobs)) if jobs else ():
                    job.result()
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _bring(self, item: Item, part: Path, stop: threading.Event) -> None:
        """One object: tries continue the same `.part`, unless it proves wrong."""
        from botocore.exceptions import EndpointConnectionError

        why = ""
        for attempt in range(self.settings.attempts):
            if attempt and stop.wait(min(30.0, 0.5 * 2 ** (attempt - 1))):
                return
            try:
                self._continue(item, part, stop)
                if stop.is_set():
                    return
                sha256, why = self._check(item, part)
                if not why:
                    accept(part, sha256)
                    return
                part.unlink()
            except StorageError:
                raise
            except OSError as error:
                if error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
                    raise
                why = str(error)
            except Exception as error:
                nobody = isinstance(error, EndpointConnectionError) and attempt == self.settings.attempts - 1
                if nobody or not passing(error):
                    raise sentence(self, error, item.name) from None
                why = str(error)
        why = redacted(" ".join(why.split()))
        raise StorageError(
            f"{self.uri}: object {shown(item.name)} can't be had in {self.settings.attempts} attempts ({why}). "
            "Run the same command again: it continues from here."
        )

    def _continue(self, item: Item, part: Path, stop: threading.Event) -> None:
        have = part.stat().st_size if part.exists() else 0
        size, etag = item.size or 0, self.etags[item.name]
        if have > size:
            part.unlink()
            have = 0
        if have == size:
            part.touch()
            return
        asked = {"Range": f"bytes={have}-"} if have else {}
        answer = self.client.get_object(Bucket=self.bucket, Key=self.keys[item.name], IfMatch=f'"{etag}"', **asked)
        if answer["ETag"].strip('"') != etag:
            raise _Changed
        self._write(answer, part, have, stop)

    def _write(self, answer: Mapping[str, Any], part: Path, have: int, stop: threading.Event) -> None:
        """The rest behind the `have` bytes of a `.part`, or all anew where the store sends the whole."""
        mode = "ab" if have and answer.get("ContentRange", "").startswith(f"bytes {have}-") else "wb"
        body = answer["Body"]
        try:
            with part.open(mode) as out:
                while not stop.is_set() and (data := body.read(_CHUNK)):
                    out.write(data)
        finally:
            body.close()

    def _check(self, item: Item, part: Path) -> tuple[str, str]:
        """sha256 of a whole `.part`, and what is wrong with it, by size and by the hash that the store tells."""
        if part.stat().st_size != item.size:
            return "", f"{part.stat().st_size} of {item.size} bytes came"
        md5, sha256 = hashes(part)
        etag = self.etags[item.name]
        if re.fullmatch(r"[0-9a-f]{32}", etag):
            if md5 != etag and not self._encrypted(item):
                return sha256, "its hash is not the one the store tells"
        elif found := re.fullmatch(r"([0-9a-f]{32})-(\d+)", etag):
            size = self._part_size(item)
            if size and math.ceil(part.stat().st_size / size) == int(found[2]) and of_parts(part, size) != etag:
                return sha256, "the hash of its parts is not the one the store tells"
        return sha256, ""

    def _encrypted(self, item: Item) -> bool:
        """Objects encrypted under a key of one's own have ETags that are no hash of their bytes."""
        facts = self.client.head_object(Bucket=self.bucket, Key=self.keys[item.name])
        return facts.get("ServerSideEncryption", "AES256") != "AES256" or "SSECustomerAlgorithm" in facts

    def _part_size(self, item: Item) -> int:
        """Of an object uploaded in parts; 0 where the store does not tell or its ETag is no hash."""
        facts = self.client.head_object(Bucket=self.bucket, Key=self.keys[item.name], PartNumber=1)
        if facts.get("ServerSideEncryption", "AES256") != "AES256" or facts.get("PartsCount", 0) < 2:
            return 0
        return int(facts["ContentLength"])

    def _ask(self, call: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            raise sentence(self, error) from None


def of_parts(path: Path, size: int) -> str:
    """The ETag of an object uploaded in parts: md5 of the parts' md5s, and their number."""
    digests = []
    with path.open("rb") as stream:
        while data := stream.read(size):
            digests.append(hashlib.md5(data, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def listed_version(uri: str, settings: S3Settings) -> str:
    """Keys, sizes and ETags under a prefix, hashed: what is new there is a new version."""
    return version_of_items("s3", Bucket(uri, settings).listed()[0])


def fetch_s3(uri: str, settings: S3Settings, cache: Path) -> Material:
    """The objects under a prefix as a folder of the cache; objects that are there already are not asked for again."""
    with locked(cache):
        bucket = Bucket(uri, settings)
        for _ in range(3):
            items, skipped = bucket.listed()
            version = version_of_items("s3", items)
            if known := cached(cache, version):
                return known
            try:
                bucket.bring(cache, items)
            except _Changed:
                continue

            def fill(folder: Path, items: list[Item] = items, skipped: list[Skipped] = skipped) -> list[Skipped]:
                link_items(cache, folder, items)
                return skipped

            files = {
                item.name: {"bytes": item.size, "etag": bucket.etags[item.name], "sha256": recorded_sha256(cache, item)}
                for item in items
            }
            return keep(cache, version, fill, source=uri, files=files)
    raise StorageError(f"{uri}: objects keep changing while they are fetched. Run again when the upload has ended.")


def below_a_file(name: str, found: dict[str, Item]) -> bool:
    """Whether a part of the name before its last is itself the name of a file."""
    parts = name.split("/")
    return any("/".join(parts[:end]) in found for end in range(1, len(parts)))


def passing(error: Exception) -> bool:
    """Whether another try may help: the connection or the server failed, not the request."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError
    from urllib3.exceptions import HTTPError

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429
    if isinstance(error, NoCredentialsError | ParamValidationError):
        return False
    return isinstance(error, BotoCoreError | HTTPError)


def sentence(bucket: Bucket, error: Exception, name: str = "") -> Exception:
    """What a person can do about an answer of the store."""
    from botocore.exceptions import (
        ClientError,
        ConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    if isinstance(error, _Changed):
        return error
    where, endpoint = bucket.uri, bucket.client.meta.endpoint_url
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StorageError(
            f"{where}: no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), or "
            "fetch_data.s3.anonymous: true for a public bucket."
        )
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if name and code in ("PreconditionFailed", "412", "NoSuchKey", "404", "InvalidRange", "416"):
        return _Changed()
    what = f"object {shown(name)}: " if name else ""
    if code in ("NoSuchBucket", "404"):
        return StorageError(
            f'{where}: {what}there is no bucket "{bucket.bucket}" at {endpoint}. Check {bucket.setting} and the '
            "endpoint (fetch_data.s3.endpoint, AWS_ENDPOINT_URL)."
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"):
        return StorageError(f"{where}: {endpoint} does not accept the AWS credentials ({code}). Check or renew them.")
    if code in ("AccessDenied", "403", "Forbidden", "AllAccessDisabled"):
        return StorageError(
            f"{where}: {what}{endpoint} refuses access ({code}). These credentials need the right "
            f"to {bucket.rights} here."
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return StorageError(
            f"{where}: {endpoint} can't be reached. Check the network and the endpoint (fetch_data.s3.endpoint, "
            "AWS_ENDPOINT_URL); what has come so far is kept."
        )
    said = redacted(" ".join(str(error).split()))
    return StorageError(f"{where}: {what}{endpoint} answers: {said}")
