"""Write beside the final name and move there at the end: a killed process leaves nothing that looks finished."""

import errno
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reenact.errors import StorageError

_IN_THE_WAY = (errno.EEXIST, errno.EISDIR)  # a file where a folder is wanted, or the other way round


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; on success it becomes `path`, on failure it vanishes.

    Raises StorageError where the disk is full or the folder can't be written.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept: numpy.save and cv2.imwrite choose or append by it.
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """The same for a folder; an older folder of that name is replaced whole."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def link_tree(origin: Path, folder: Path) -> None:
    """Fill a folder with another's files: hard links where the file system allows, else copies."""
    shutil.copytree(origin, folder, dirs_exist_ok=True, copy_function=link_or_copy)


def link_or_copy(origin: str | Path, path: str | Path) -> None:
    """One file under a second name, or a copy of it."""
    try:
        os.link(origin, path)
    except OSError:
        shutil.copy2(origin, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted so that equal contents are equal files."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a second process out of a folder; raises StorageError where one is at work there.

    The folder itself is locked, so no file is left, and the lock ends with the process, however that ends.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(
                f"{folder}: another process is at work here. Wait for its end, or name another folder (--out)."
            ) from None
        except OSError:
            pass  # some network file systems have no locks
        yield
    finally:
        os.close(handle)


@contextmanager
def storage_errors(path: Path | None = None) -> Iterator[None]:
    """Turn what the file system refuses into StorageError, about `path` or else the file that the error names."""
    try:
        yield
    except OSError as error:
        where = path or error.filename or "."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"{where}: the disk is full. Free some space and run the same command again.") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, *_IN_THE_WAY):
            what = "can't write here" if path else "can't be read or written"
            raise StorageError(f"{where}: {what} ({os.strerror(error.errno)}).") from error
        raise
