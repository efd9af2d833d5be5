"""Frames and labels of one shard: the files that stages write and the loader maps into memory.

A data stage's folder holds one folder per shard, with arrays `ARRAY.npy` (one row per frame of the shard) and a table
`rows.parquet`, and `stage.json` with the format number and, as `shards`, which shard lies in which folder. Frames are
RGB uint8, raw as one (N, S, S, 3) array, or JPEG bytes with an offset table.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.atomic import atomic_file, write_json
from reenact.corpus.tables import FORMAT, check_format, read_table, write_table
from reenact.errors import BadInput

Codec = Literal["raw", "jpeg"]
Image = NDArray[np.uint8]


def write_stage(folder: Path, *, kind: str, **facts: Any) -> None:
    """Mark a stage's folder as finished: written last, so that a folder without it is not complete."""
    write_json(folder / "stage.json", {"format": FORMAT, "kind": kind, **facts})


_MAKERS = {
    "videos": "fetch-data",
    "frames": "extract-frames",
    "landmarks": "label-landmarks",
    "actions": "label-actions",
    "segments": "label-segments",
    "validated": "validate-data",
    "guide": "train-guide",
    "model": "train",
    "evaluation": "evaluate",
    "comparison": "compare",
}


def read_stage(folder: Path, *, kind: str) -> dict[str, Any]:
    """Facts of a finished stage folder; raises BadInput for a missing, unfinished or foreign one."""
    path = folder / "stage.json"
    if not path.exists():
        raise BadInput(
            f"{folder}: no finished {kind} here (no stage.json). Run {_MAKERS.get(kind, 'its stage')} first."
        )
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise BadInput(f"{path}: damaged. Run {_MAKERS.get(kind, 'its stage')} again.") from None
    check_format(path, facts["format"])
    if facts["kind"] != kind:
        raise BadInput(f'{folder}: expected "{kind}", found "{facts["kind"]}".')
    return facts


def shard_place(folder: Path, shard: str) -> Path:
    """The folder of one shard inside a stage's folder: as `stage.json` says, else the one of its own name."""
    try:
        facts = (folder / "stage.json").stat()
    except OSError:
        return folder / shard
    return folder / _places(folder / "stage.json", facts.st_mtime_ns, facts.st_size).get(shard, shard)


@lru_cache(maxsize=16)
def _places(path: Path, _changed: int, _size: int) -> dict[str, str]:
    try:
        places: dict[str, str] = json.loads(path.read_text(encoding="utf-8")).get("shards", {})
    except (OSError, ValueError):
        return {}
    return places


def write_array(folder: Path, shard: str, name: str, array: NDArray[Any]) -> None:
    """Write `SHARD/NAME.npy`, one row per frame of the shard."""
    with atomic_file(folder / shard / f"{name}.npy") as temporary:
        np.save(temporary, array)


def read_array(folder: Path, shard: str, name: str) -> NDArray[Any]:
    """Map an array of a shard into memory, read-only."""
    path = shard_place(folder, shard) / f"{name}.npy"
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: can't be read ({error}). Run its stage again.") from None


def has_array(folder: Path, shard: str, name: str) -> bool:
    """Whether a shard has an array: labels that nobody asked for are not made."""
    return (shard_place(folder, shard) / f"{name}.npy").exists()


def write_rows(folder: Path, shard: str, table: pd.DataFrame, *, kind: str) -> None:
    """Write `SHARD/rows.parquet`, one row per frame of the shard."""
    write_table(folder / shard / "rows.parquet", table, kind=kind)


def read_rows(folder: Path, shard: str, *, kind: str) -> pd.DataFrame:
    """The table of a shard, one row per frame."""
    return read_table(shard_place(folder, shard) / "rows.parquet", kind=kind)


class FrameReader(Protocol):
    """Random access to the frames of one shard: `frames[row]` is an RGB uint8 (S, S, 3) image."""

    def __len__(self) -> int: ...
    def __getitem__(self, row: int) -> Image: ...


class _JpegFrames:
    def __init__(self, path: Path, offsets: NDArray[np.int64]) -> None:
        self.path = path
        self.data = np.memmap(path, dtype=np.uint8, mode="r")
        self.offsets = offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Image:
        encoded = self.data[self.offsets[row] : self.offsets[row + 1]]
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if image is None:
            raise BadInput(f"{self.path}: frame {row} is damaged. Delete the file and run extract_frames again.")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def open_frames(folder: Path, shard: str) -> FrameReader:
    """Frames of a shard in whichever codec they were written."""
    data = shard_place(folder, shard) / "frames.jpg"
    if data.exists():
        return _JpegFrames(data, np.asarray(read_array(folder, shard, "offsets")))
    return read_array(folder, shard, "frames")


class FrameWriter:
    """Appends frames of one shard in constant memory; see `frame_writer`."""

    def __init__(self, stream: Any, *, codec: Codec, quality: int) -> None:
        self.stream, self.codec, self.quality = stream, codec, quality
        self.offsets = [0]
        self.side: int | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def append(self, image: Image) -> None:
        """Add one RGB uint8 (S, S, 3) frame; all frames of a shard have one size."""
        self.side = self.side or image.shape[0]
        if image.shape != (self.side, self.side, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected uint8 ({self.side}, {self.side}, 3), got {image.dtype} {image.shape}")
        if self.codec == "raw":
            data = image.tobytes()
        else:
            bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1].tobytes()
        self.stream.write(data)
        self.offsets.append(self.offsets[-1] + len(data))

    def extend(self, images: Iterable[Image]) -> None:
        """Add several frames."""
        for image in images:
            self.append(image)


@contextmanager
def frame_writer(folder: Path, shard: str, *, codec: Codec, quality: int = 95) -> Iterator[FrameWriter]:
    """Write the frames of a shard one by one; the file takes its name only when the block ends well."""
    final = folder / shard / ("frames.npy" if codec == "raw" else "frames.jpg")
    with atomic_file(final) as temporary:
        with temporary.open("wb") as stream:
            if codec == "raw":
                stream.write(b"\0" * _HEADER)
            writer = FrameWriter(stream, codec=codec, quality=quality)
            yield writer
            if codec == "raw":
                stream.seek(0)
                stream.write(_npy_header(len(writer), writer.side or 1))
        if codec == "jpeg":
            write_array(folder, shard, "offsets", np.asarray(writer.offsets, dtype=np.int64))


_HEADER = 256


def _npy_header(count: int, side: int) -> bytes:
    """A version 1.0 .npy header padded to a fixed length, so that it can be written after the rows."""
    text = str({"descr": "|u1", "fortran_order": False, "shape": (count, side, side, 3)})
    padding = _HEADER - 10 - len(text) - 1
    return b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little") + (text + " " * padding + "\n").encode()
