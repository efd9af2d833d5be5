"""Any source as a folder on this disk: the one door to this package."""

import re
from dataclasses import replace
from pathlib import Path

from reenact.corpus.sources.archives import is_archive
from reenact.corpus.sources.local import fetch_local, local_version
from reenact.corpus.sources.names import redacted
from reenact.corpus.sources.pointer import POINTER_SUFFIXES, read_pointer
from reenact.corpus.sources.settings import SourceSettings
from reenact.corpus.sources.tree import Material
from reenact.errors import SettingsError, StorageError

__all__ = ["Material", "SourceSettings", "is_remote", "materialise", "version_of"]


def is_remote(source: str) -> bool:
    """Whether a source is an address, not a path."""
    return "://" in source


def materialise(source: str, settings: SourceSettings, cache: Path | None = None) -> Material:
    """The folder that holds a source, what of it had to be left out, and its version.

    `source` is a folder, an archive, s3://bucket/prefix, dvc://REPO?rev=REV&path=FOLDER,
    dvc+s3://BUCKET/PREFIX?md5=HASH.dir, or a YAML file that names one of these. What is fetched or unpacked lies in the
    cache (by default the setting's), whole, and is never changed there. Raises BadInput, StorageError or
    SettingsError with one sentence.
    """
    cache = Path(settings.cache) if cache is None else cache
    if source.lower().endswith(POINTER_SUFFIXES):
        pointer = read_pointer(Path(source))
        if pointer.version and pointer.version != version_of(pointer.source, settings):
            raise StorageError(
                f"{source}: {redacted(pointer.source)} has changed since its version was noted. To use what is there "
                f"now: reenact data pin {source}"
            )
        return materialise(pointer.source, settings, cache)
    kind = _kind(source)
    if kind == "s3":
        from reenact.corpus.sources.s3 import fetch_s3

        material = fetch_s3(source, settings.s3, cache)
    elif kind == "dvc":
        from reenact.corpus.sources.dvc_source import fetch_dvc

        material = fetch_dvc(source, cache)
    elif kind == "dvc+s3":
        from reenact.corpus.sources.dvc_remote import fetch_dvc_remote

        material = fetch_dvc_remote(source, settings.s3, cache)
    else:
        return fetch_local(Path(source.removeprefix("file://")), settings.archive, cache)
    # An address may name one archive.
    files = list(material.folder.iterdir())
    if len(files) == 1 and files[0].is_file() and is_archive(files[0]):
        inner = fetch_local(files[0], settings.archive, cache)
        return replace(inner, skipped=(*material.skipped, *inner.skipped))
    return material


def version_of(source: str, settings: SourceSettings) -> str:
    """A hash that changes with the contents of a source; nothing is fetched."""
    if source.lower().endswith(POINTER_SUFFIXES):
        return version_of(read_pointer(Path(source)).source, settings)
    kind = _kind(source)
    if kind == "s3":
        from reenact.corpus.sources.s3 import listed_version

        return listed_version(source, settings.s3)
    if kind == "dvc":
        from reenact.corpus.sources.dvc_source import resolved_version

        return resolved_version(source)
    if kind == "dvc+s3":
        from reenact.corpus.sources.dvc_remote import parse_dvc_remote

        return parse_dvc_remote(source).version
    return local_version(Path(source.removeprefix("file://")))


def _kind(source: str) -> str:
    scheme = re.match(r"([a-z0-9+]+)://", source)
    if scheme is None or scheme[1] == "file":
        return "local"
    if scheme[1] not in ("s3", "dvc", "dvc+s3"):
        raise SettingsError(
            f'fetch_data.videos: "{redacted(source)}": known are a folder, an archive, s3://bucket/prefix, '
            "dvc://REPO?rev=REV&path=FOLDER and dvc+s3://BUCKET/PREFIX?md5=HASH.dir."
        )
    return scheme[1]
