"""Unpack archives that nobody vouches for: nothing is written outside the folder, nothing grows without end."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from reenact.corpus.sources.names import problem_with, shown
from reenact.corpus.sources.settings import ArchiveSettings
from reenact.corpus.sources.tree import Skipped
from reenact.errors import BadInput, StorageError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
UNKNOWN_SUFFIXES = (".7z", ".rar", ".tar.zst", ".gz", ".bz2", ".xz", ".zst")
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError)
_SLACK = 64 << 20  # bytes that any archive may unpack to, however small it is
_CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """By its name: an archive of any kind, also of those that can't be unpacked here."""
    return path.name.lower().endswith((".zip", *TAR_SUFFIXES, *UNKNOWN_SUFFIXES))


def unpack(archive: Path, folder: Path, settings: ArchiveSettings) -> Iterator[Skipped]:
    """Unpack plain files below `folder`; yields the members that are left out, each with its sentence.

    Raises BadInput for an archive that is damaged, of a kind unknown here, or beyond the limits.
    """
    name = archive.name.lower()
    budget = _Budget(archive, settings, shutil.disk_usage(folder).free)
    try:
        if name.endswith(".zip"):
            yield from _unzip(archive, folder, budget)
        elif name.endswith(TAR_SUFFIXES):
            yield from _untar(archive, folder, budget)
        else:
            raise BadInput(f"{archive}: archives of this kind are not unpacked here. Unpack it, or make it a .zip.")
    except _DAMAGE as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            f"{archive}: this archive is damaged, cut off, or of another kind than its name says ({shown(said)}). "
            "Copy or download it again."
        ) from None
    except (OSError, ValueError, RuntimeError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BadInput(
            f"{archive}: can't be unpacked ({shown(' '.join(str(error).split()))}). Pack it again."
        ) from None


class _Budget:
    """Counts what comes out of an archive."""

    def __init__(self, archive: Path, settings: ArchiveSettings, free: int) -> None:
        self.archive, self.settings, self.free = archive, settings, free
        self.members = self.bytes = 0
        packed = archive.stat().st_size
        self.most = min(settings.max_gigabytes * 1e9, max(_SLACK, packed * settings.max_ratio))

    def member(self) -> None:
        self.members += 1
        if self.members > self.settings.max_members:
            raise BadInput(
                f"{self.archive}: more than {self.settings.max_members} members. If that is right, raise "
                "fetch_data.archive.max_members."
            )

    def spend(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.most:
            raise BadInput(
                f"{self.archive}: unpacks to more than {self.most / 1e6:.0f} MB, which no archive of videos of its "
                "size does. If that is right, raise fetch_data.archive.max_ratio or max_gigabytes."
            )
        if self.bytes > self.free:
            raise StorageError(
                f"{self.archive}: unpacked it does not fit on the disk. Free some space, or unpack it elsewhere."
            )


def _unzip(archive: Path, folder: Path, budget: _Budget) -> Iterator[Skipped]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            budget.member()
            if info.is_dir():
                continue
            name = info.filename.replace("\\", "/")  # packed on Windows by old tools
            mode = info.external_attr >> 16
            problem = problem_with(name) or _special(mode) or ("encrypted" if info.flag_bits & 1 else "")
            if not problem and info.file_size > budget.most:
                budget.spend(info.file_size)
            path = folder / name
            if not problem:
                problem = _occupied(folder, path)
            if problem:
                yield _left_out(archive, info.filename, problem)
                continue
            try:
                with opened.open(info) as stream:
                    _write(stream, path, budget)
            except (*_DAMAGE, NotImplementedError) as error:
                path.unlink(missing_ok=True)
                yield _left_out(archive, info.filename, f"damaged ({shown(' '.join(str(error).split()))})")


def _untar(archive: Path, folder: Path, budget: _Budget) -> Iterator[Skipped]:
    # A stream: the list of members is not kept, and nothing is looked for twice.
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            vars(opened)["members"] = []
            budget.member()
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            problem = problem_with(name) or ("" if member.isreg() else "a link or device")
            if not problem and member.issparse():
                problem = "a sparse file"
            if not problem and member.size > budget.most:
                budget.spend(member.size)
            path = folder / name
            if not problem:
                problem = _occupied(folder, path)
            stream = None if problem else opened.extractfile(member)
            if stream is None:
                yield _left_out(archive, member.name, problem or "not a plain file")
                continue
            _write(stream, path, budget)
        if not budget.members and archive.stat().st_size:
            raise tarfile.ReadError("no members")


def _special(mode: int) -> str:
    kind = stat.S_IFMT(mode)
    return "" if kind in (0, stat.S_IFREG) else "a link or device"


def _occupied(folder: Path, path: Path) -> str:
    """Two members of one name, or a file where another member needs a folder."""
    if path.exists():
        return "a second member of that name"
    parent = path.parent
    while parent != folder and not parent.exists():
        parent = parent.parent
    return "" if parent.is_dir() else "a name below a file"


def _write(stream: IO[bytes], path: Path, budget: _Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        while data := stream.read(_CHUNK):
            budget.spend(len(data))
            out.write(data)


def _left_out(archive: Path, name: str, problem: str) -> Skipped:
    return Skipped(shown(name), f"{archive.name}: member {shown(name)} is left out: {problem}.")
