"""Named blobs in a folder or under an S3 prefix: each appears whole or not at all."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from reenact.atomic import atomic_file
from reenact.corpus.sources.s3_client import s3_client
from reenact.errors import SettingsError, StorageError


class Store(Protocol):
    """A flat set of named blobs."""

    where: str

    def names(self) -> list[str]:
        """What is there, sorted."""

    def get(self, name: str) -> bytes | None:
        """A blob, or None where there is none (any more)."""

    def put(self, name: str, data: bytes) -> None:
        """Write a blob; a reader sees all of it or nothing."""

    def delete(self, name: str) -> None:
        """Remove a blob if it is there."""


def open_store(uri: str, *parts: str) -> Store:
    """The store at `uri` (a folder, file://, or s3://bucket/prefix) and the folders `parts` below it."""
    if uri.startswith("s3://"):
        split = urlsplit(uri)
        if not split.netloc:
            raise SettingsError(f'checkpoints.uri: "{uri}" names no bucket; expected s3://bucket/prefix.')
        return S3Store(split.netloc, "/".join([*filter(None, split.path.split("/")), *parts]))
    if "://" in uri and not uri.startswith("file://"):
        raise SettingsError(f'checkpoints.uri: "{uri}" is neither a folder nor s3://bucket/prefix.')
    return FolderStore(Path(uri.removeprefix("file://")).joinpath(*parts))


class FolderStore:
    """Blobs as files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)

    def names(self) -> list[str]:
        """What is there, sorted; unfinished temporaries are hidden files."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_file() and not path.name.startswith("."))

    def get(self, name: str) -> bytes | None:
        """A blob, or None where there is none (any more)."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{self.folder / name}: can't be read ({error.strerror}).") from error

    def put(self, name: str, data: bytes) -> None:
        """Write beside the final name and move there."""
        with atomic_file(self.folder / name) as temporary:
            temporary.write_bytes(data)

    def delete(self, name: str) -> None:
        """Remove a blob if it is there."""
        (self.folder / name).unlink(missing_ok=True)


class S3Store:
    """Blobs under one prefix of a bucket, each written by one put.

    Credentials and endpoint are those of every AWS tool: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.where = f"s3://{bucket}/{prefix}"
        self.client = s3_client()

    def names(self) -> list[str]:
        """What is there, sorted."""
        pages = self._ask("list", lambda: list(
            self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        ))  # fmt: skip
        keys = (item["Key"] for page in pages for item in page.get("Contents", []))
        return sorted(key.removeprefix(f"{self.prefix}/") for key in keys)

    def get(self, name: str) -> bytes | None:
        """A blob, or None where there is none (any more)."""

        def read() -> bytes | None:
            try:
                return self.client.get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read()
            except self.client.exceptions.NoSuchKey:
                return None

        return self._ask(f"read {name}", read)

    def put(self, name: str, data: bytes) -> None:
        """One put: S3 shows an object only when it is complete."""
        self._ask(
            f"write {name}", lambda: self.client.put_object(Bucket=self.bucket, Key=self._key(name), Body=data)
        )  # fmt: skip

    def delete(self, name: str) -> None:
        """Remove a blob if it is there."""
        self._ask(f"delete {name}", lambda: self.client.delete_object(Bucket=self.bucket, Key=self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _ask(self, what: str, call: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            endpoint = self.client.meta.endpoint_url
            raise StorageError(
                f"{self.where}: can't {what} at {endpoint} ({error}). Check checkpoints.uri, the bucket, "
                "AWS_ENDPOINT_URL and the AWS credentials; a restart continues from the last checkpoint written."
            ) from error
