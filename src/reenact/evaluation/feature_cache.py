"""What judges and networks read from pictures, kept by the reader's hash and the picture's content.

In memory everything is kept for one evaluation. On disk only what was read from real pictures, so that the branches of
an ablation, which all look at the same ones, read them once, and so that the folder doesn't grow with every training.

    FOLDER/BACKBONE/SHA256.npz   `keys` (N,) and `rows` (N, ...): what one evaluation read first; SHA256 is the file's

Files are written beside their name and moved there, and never changed: evaluations side by side each leave their own.
A damaged one is left out and what it held is read again. The folder may be deleted whenever nothing runs.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file
from reenact.corpus.shards import Image
from reenact.errors import StorageError
from reenact.progress import say

Rows = NDArray[Any]
Compute = Callable[[list[Image]], Rows]


class FeatureCache:
    """Rows of features by backbone and picture; without a folder in memory alone."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._rows: dict[str, dict[str, Rows]] = {}
        self._real: set[str] = set()
        self._stored: dict[str, set[str]] = {}

    def keep(self, pictures: Sequence[Image]) -> None:
        """Say that these pictures are real: what is read from them may go to disk."""
        if self.folder:
            self._real.update(map(content_key, pictures))

    def rows(self, backbone: str, pictures: Sequence[Image], compute: Compute) -> Rows:
        """(N, ...) features of N pictures, at least one; `compute` is given those that are not known, each once.

        `backbone` names what reads, with a hash of all that its answers depend on; it becomes the name of a folder.
        A row must depend on its picture alone.
        """
        known = self._known(backbone)
        keys = [content_key(picture) for picture in pictures]
        missing = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in known}
        if missing:
            known.update(zip(missing, compute(list(missing.values())), strict=True))
        return np.stack([known[key] for key in keys])

    def save(self) -> None:
        """Write what was read from real pictures since. Where that can't be written, it is read again next time."""
        if not self.folder:
            return
        try:
            for backbone, known in self._rows.items():
                stored = self._stored.setdefault(backbone, set())
                fresh = sorted((known.keys() & self._real) - stored)
                if fresh:
                    _write(self.folder / backbone, fresh, np.stack([known[key] for key in fresh]))
                    stored.update(fresh)
        except (OSError, StorageError) as error:
            say(f"evaluate.cache: what was read from real pictures is not kept ({error})")

    def _known(self, backbone: str) -> dict[str, Rows]:
        if backbone not in self._rows:
            self._rows[backbone] = _read(self.folder / backbone) if self.folder else {}
            self._stored[backbone] = set(self._rows[backbone])
        return self._rows[backbone]


def content_key(picture: Image) -> str:
    """What a picture is known by: a hash of its pixels and its shape."""
    pixels = np.ascontiguousarray(picture)
    return hashlib.blake2b(pixels.tobytes() + repr(pixels.shape).encode(), digest_size=16).hexdigest()


def _write(folder: Path, keys: list[str], rows: Rows) -> None:
    stream = io.BytesIO()
    np.savez(stream, keys=np.array(keys), rows=rows)
    data = stream.getvalue()
    with atomic_file(folder / f"{hashlib.sha256(data).hexdigest()}.npz") as temporary:
        temporary.write_bytes(data)


def _read(folder: Path) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for path in sorted(folder.glob("[0-9a-f]*.npz")):
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != path.stem:
                raise ValueError("its content is not what its name says")
            with np.load(io.BytesIO(data)) as stored:
                found.update(zip(map(str, stored["keys"]), stored["rows"], strict=True))
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            say(f"{path}: damaged, what it held is read again ({error})")
    return found
