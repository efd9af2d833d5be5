"""A grid of drawn faces as one PNG: captions above, every synthetic picture marked, and so is the file."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file

Image = NDArray[np.uint8]

LEAST = 128  # px, side of a picture in the grid; smaller ones are enlarged
_CAPTION, _GAP = 18, 4  # px
_INK, _PAPER = (28, 36, 48), 255
SYNTHETIC = "synthetic"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A picture of the grid, RGB (S, S, 3); `fake`: drawn by a system."""

    picture: Image
    caption: str
    fake: bool = False


def edit_grid(lines: Sequence[Sequence[Cell]]) -> Image:
    """(H, W, 3) RGB: a row per line, pictures of one size side by side."""
    side = max(LEAST, *(cell.picture.shape[0] for line in lines for cell in line))
    width = max(map(len, lines)) * (side + _GAP) + _GAP
    rows = []
    for line in lines:
        row = np.full((_CAPTION + side + _GAP, width, 3), _PAPER, dtype=np.uint8)
        for place, cell in enumerate(line):
            left = _GAP + place * (side + _GAP)
            _write(row, cell.caption, (left, _CAPTION - 5), side, _INK)
            row[_CAPTION : _CAPTION + side, left : left + side] = _shown(cell, side)
        rows.append(row)
    return np.concatenate(rows)


def write_synthetic_png(path: Path, image: Image, facts: Mapping[str, str]) -> None:
    """Write an RGB picture whose file says that it is synthetic: a text chunk `Comment`, and one for each fact."""
    data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    end = len(data) - 12  # before the last chunk, IEND, which is empty: 12 bytes
    told = {"Comment": "Faces in this picture are synthetic: drawn by a network, never filmed.", **facts}
    chunks = b"".join(_text_chunk(name, value) for name, value in told.items())
    with atomic_file(path) as temporary:
        temporary.write_bytes(data[:end] + chunks + data[end:])


def _text_chunk(name: str, value: str) -> bytes:
    """An iTXt chunk of the PNG standard: keyword, no compression, no language, UTF-8 text."""
    body = b"iTXt" + name.encode("latin-1") + b"\0\0\0\0\0" + value.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _shown(cell: Cell, side: int) -> Image:
    picture = cell.picture
    if picture.shape[0] != side:
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    if cell.fake:
        picture = picture.copy()
        picture[-13:, :56] = (picture[-13:, :56] * 0.4).astype(np.uint8)
        _write(picture, SYNTHETIC, (3, side - 4), 52, (255, 255, 255))
    return picture


def _write(image: Image, text: str, at: tuple[int, int], width: int, ink: tuple[int, int, int]) -> None:
    """Text with its foot at a place, small enough for a width; OpenCV's letters are ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    (wide, _), _ = cv2.getTextSize(plain, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    scale = 0.4 * min(1.0, width / max(wide, 1))
    cv2.putText(image, plain, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
