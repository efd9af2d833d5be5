"""Sources on this disk: a folder as it lies there, or an archive, unpacked into the cache."""

from pathlib import Path

from reenact.corpus.sources.archives import is_archive, unpack
from reenact.corpus.sources.settings import ArchiveSettings
from reenact.corpus.sources.tree import Material, cached, keep, locked
from reenact.errors import BadInput
from reenact.hashing import hash_json


def local_version(path: Path) -> str:
    """Names, sizes and times of a folder's files, or of one file, hashed."""
    if path.is_file():
        facts = path.stat()
        return hash_json(["file", str(path.resolve()), facts.st_size, facts.st_mtime_ns])[:40]
    rows = []
    for file in sorted(path.rglob("*")):
        if file.is_file():
            facts = file.stat()
            rows.append([str(file), facts.st_size, facts.st_mtime_ns])
        elif file.is_symlink() and not file.exists():
            rows.append([str(file), -1, 0])
    return hash_json(rows)


def fetch_local(path: Path, settings: ArchiveSettings, cache: Path) -> Material:
    """A folder stays where it is; raises BadInput for what is neither folder nor archive."""
    if path.is_dir():
        return Material(path, "")
    if path.is_file() and is_archive(path):
        version = local_version(path)
        with locked(cache):
            return cached(cache, version) or keep(
                cache, version, lambda folder: unpack(path, folder, settings), source=str(path)
            )
    if path.is_file():
        raise BadInput(f"{path}: neither a folder nor an archive (.zip, .tar.gz, ...). Name the folder it lies in.")
    raise BadInput(f"{path}: there is no such folder. Run render-clips first, or set fetch_data.videos to your own.")
