"""A picture file as 8-bit RGB: what had to be changed is said, and what can't be made sense of is refused by a reason.

Nothing is guessed: a file either has one meaning as a square RGB picture, or the pair has no picture.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.sampling import resized
from reenact.corpus.shards import Image

Reason = Literal["unreadable", "not finite", "another size", "transparent", "values out of range"]
Change = Literal["grey to RGB", "16 bits to 8", "opaque alpha dropped", "floats to 8 bits", "resized"]


@dataclass(frozen=True)
class Refused:
    """Why a file holds no picture of a pair."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class Taken:
    """RGB uint8 (S, S, 3), and what was changed to get there."""

    picture: Image
    changes: tuple[Change, ...] = ()


def read_picture(path: Path, *, size: int, resize: bool) -> Taken | Refused:
    """A picture of side `size`; another size is refused unless `resize`, a picture that isn't square always."""
    values = _decoded(path)
    return Refused("unreadable") if values is None else as_rgb(values, size=size, resize=resize)


def as_rgb(values: NDArray[Any], *, size: int, resize: bool) -> Taken | Refused:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) in RGB order: integers of 8 or 16 bits, or floats 0..1."""
    changes: list[Change] = []
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)) or not values.size:
        return Refused("unreadable", f"an array of shape {'x'.join(map(str, values.shape))}")
    if values.shape[0] != values.shape[1] or (values.shape[0] != size and not resize):
        return Refused("another size", f"{values.shape[1]}x{values.shape[0]}")
    levels = _eight_bits(values, changes)
    if isinstance(levels, Refused):
        return levels
    if levels.ndim == 2:
        levels = np.repeat(levels[..., None], 3, axis=2)
        changes.append("grey to RGB")
    if levels.shape[2] == 4:
        if (levels[..., 3] < 255).any():
            return Refused("transparent")
        levels = levels[..., :3]
        changes.append("opaque alpha dropped")
    if levels.shape[0] != size:
        changes.append("resized")
    return Taken(np.ascontiguousarray(resized(levels, size)), tuple(changes))


def _decoded(path: Path) -> NDArray[Any] | None:
    """RGB order; None where there is no picture in the file."""
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        decoded = cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, EOFError, ValueError, cv2.error):
        return None
    if decoded is None:
        return None
    swapped = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(decoded.shape[2] if decoded.ndim == 3 else 1)
    return decoded if swapped is None else np.asarray(cv2.cvtColor(decoded, swapped))


def _eight_bits(values: NDArray[Any], changes: list[Change]) -> NDArray[np.uint8] | Refused:
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        changes.append("16 bits to 8")
        return np.asarray(np.rint(values / 257.0), dtype=np.uint8)
    if not np.issubdtype(values.dtype, np.floating):
        return Refused("unreadable", f"values of type {values.dtype}")
    if not np.isfinite(values).all():
        return Refused("not finite")
    low, high = float(values.min()), float(values.max())
    if low < 0.0 or high > 1.0:
        return Refused("values out of range", f"{low:.3g} to {high:.3g}, expected 0 to 1")
    changes.append("floats to 8 bits")
    return np.asarray(np.rint(values * 255.0), dtype=np.uint8)
