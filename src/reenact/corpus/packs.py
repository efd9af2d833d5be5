"""Pictures in few files: the frames of a clip, or many stills, with their original bytes in an uncompressed zip.

A folder of a million pictures sinks copying, hashing and versioning; the zip keeps each as it came, with no second
loss from encoding. The rate of a clip's frames stands in the zip's comment.
"""

import json
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from reenact.corpus.shards import Image
from reenact.errors import BadInput

PACK_SUFFIX = ".zip"
MAXIMUM_SIDE = 16384  # what claims more is a broken header, and asking for its pixels would ask for gigabytes
MAXIMUM_PIXELS = 1 << 27
_MAXIMUM_BYTES = 1 << 28
_DATE = (1980, 1, 1, 0, 0, 0)  # equal pictures make equal packs


def write_pack(path: Path, pictures: Iterable[tuple[str, bytes]], *, fps: float = 0.0) -> None:
    """Store pictures under their names, in this order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:
        pack.comment = json.dumps({"fps": fps}).encode()
        for name, data in pictures:
            pack.writestr(zipfile.ZipInfo(name, _DATE), data)


@dataclass(frozen=True, kw_only=True)
class Pack:
    """An open pack: the members chosen, and the rate of a clip's frames."""

    path: Path
    fps: float
    members: tuple[str, ...]
    archive: zipfile.ZipFile

    def pictures(self) -> Iterator[tuple[int, Image | str]]:
        """(number, RGB picture), or (number, the sentence) where it can't be read."""
        for number, name in enumerate(self.members):
            try:
                yield number, decode_picture(self._bytes(name), f"{self.path}: {name}")
            except BadInput as error:
                yield number, str(error)

    def _bytes(self, name: str) -> bytes:
        if self.archive.getinfo(name).file_size > _MAXIMUM_BYTES:
            raise BadInput(f"{self.path}: {name}: too large for a picture.")
        try:
            return self.archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise BadInput(f"{self.path}: {name}: can't be read ({error}).") from None


@contextmanager
def open_pack(path: Path, member: str = "") -> Iterator[Pack]:
    """Open a pack for all its pictures or one; raises BadInput for a damaged pack or a missing member."""
    try:
        facts = path.stat()
        archive = _archive(path, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file.") from None
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadInput(f"{path}: this pack of pictures is damaged ({error}). Run fetch-data again.") from None
    if member and member not in archive.NameToInfo:
        raise BadInput(f"{path}: there is no picture {member} in it. Run fetch-data again.")
    members = (member,) if member else tuple(archive.namelist())
    yield Pack(path=path, fps=_rate(archive.comment), members=members, archive=archive)


@lru_cache(maxsize=2)
def _archive(path: Path, _file: int, _changed: int, _size: int) -> zipfile.ZipFile:
    """Kept open: of thousands of stills in a pack one after another is asked for, and each reads the same directory."""
    return zipfile.ZipFile(path)


def decode_picture(data: bytes, where: str) -> Image:
    """RGB uint8 (H, W, 3), upright by its EXIF orientation; raises BadInput, its sentence begins with `where`."""
    if not data:
        raise BadInput(f"{where}: the picture is empty (0 bytes).")
    size = picture_size(data)
    if size is None:
        raise BadInput(f"{where}: this is no picture that is read here (JPEG, PNG, BMP, WebP).")
    if max(size) > MAXIMUM_SIDE or size[0] * size[1] > MAXIMUM_PIXELS:
        raise BadInput(f"{where}: claims {size[0]}x{size[1]} pixels; a broken header, or far too large.")
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise BadInput(f"{where}: the picture is damaged.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) that the header of a JPEG, PNG, BMP or WebP claims; None where it is none of these.

    Looked at before decoding, since a decoder takes memory for whatever the header asks.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"BM"):
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            return None
        kind = data[at + 1]
        if kind == 0xFF:  # filler
            at += 1
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _rate(comment: bytes) -> float:
    try:
        fps = json.loads(comment)["fps"]
    except (ValueError, KeyError, TypeError):
        return 25.0
    return float(fps) if isinstance(fps, int | float) and 0 < fps <= 1000 else 25.0
