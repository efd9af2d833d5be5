"""Labels that data sets bring along: read in their own formats, kept beside the videos in one of ours.

In `videos/` a clip's row names its files in `annotation` (relative names, separated by blanks):
    NAME.landmarks.npz  `member` (F,) text, `frame` (F,) int64, `points` (F, 68, 2) float32
    NAME.aus.npz        `member` (F,) text, `frame` (F,) int64, `actions` (F, 17) float32, 0..5, OpenFace's order
    NAME.csv            what OpenFace wrote, unchanged
`NAME` is the clip's file or pack without its suffix; `member` is the row's `member` where many stills share a pack and
"" elsewhere. `frame` counts the decoded frames of the clip from 0 and may have gaps. Points are in pixels of the video,
x to the right, y down, (0, 0) in the centre of the first pixel.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.atomic import atomic_file
from reenact.corpus.pickles import read_pickle
from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS

LANDMARKS, ACTIONS, OPENFACE = ".landmarks.npz", ".aus.npz", ".csv"
_SHAPES = {"points": (68, 2), "actions": (len(ACTION_UNITS),)}
_LARGEST_PTS = 1 << 16
_COUNT = re.compile(r"n[_ ]?points\s*:?\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Labels of some frames of one clip: `frames` (F,), ascending, and `values` (F, 68, 2) or (F, 17)."""

    frames: NDArray[np.int64]
    values: NDArray[np.float32]


def landmarks_of(videos: Path, row: Mapping[str, Any]) -> Annotation | None:
    """The data set's own landmarks of a clip, `row` of `videos/clips.parquet`; None where it has none."""
    path = annotation_file(videos, row, LANDMARKS)
    return read_annotation(path, "points", str(row.get("member", ""))) if path else None


def actions_of(videos: Path, row: Mapping[str, Any]) -> Annotation | None:
    """The data set's own AU intensities of a clip, (F, 17); None where it has none."""
    path = annotation_file(videos, row, ACTIONS)
    return read_annotation(path, "actions", str(row.get("member", ""))) if path else None


def annotation_file(videos: Path, row: Mapping[str, Any], suffix: str) -> Path | None:
    """The file of one kind (LANDMARKS, ACTIONS, OPENFACE) that belongs to a clip."""
    names = [name for name in str(row.get("annotation") or "").split() if name.endswith(suffix)]
    return videos / names[0] if names else None


def write_annotation(path: Path, name: str, parts: Iterable[tuple[str, Annotation]]) -> None:
    """Write `points` or `actions` of one clip (member "") or of all clips of a pack."""
    listed = [(member, part) for member, part in parts if len(part.frames)]
    members = [member for member, part in listed for _ in part.frames]
    # The empty arrays keep the shape right where no clip has any.
    frames = np.concatenate([np.empty(0, dtype=np.int64), *(part.frames for _, part in listed)])
    values = np.concatenate([np.empty((0, *_SHAPES[name]), dtype=np.float32), *(part.values for _, part in listed)])
    arrays: dict[str, Any] = {"member": np.array(members, dtype=np.str_), "frame": frames, name: values}
    with atomic_file(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def read_annotation(path: Path, name: str, member: str = "") -> Annotation:
    """The rows of one member; raises BadInput for a file that is none of ours."""
    try:
        with np.load(path, allow_pickle=False) as data:
            mine = data["member"] == member
            frames, values = data["frame"][mine], data[name][mine]
    # A damaged zip raises errors of zip, zlib, numpy and its own kinds.
    except Exception as error:
        raise BadInput(f"{path}: can't be read ({error}). Run fetch-data again.") from None
    if values.shape != (len(frames), *_SHAPES[name]):
        raise BadInput(f"{path}: {name} has the shape {values.shape}. Run fetch-data again.")
    order = np.argsort(frames, kind="stable")
    return Annotation(frames=frames[order], values=values[order])


def read_pts(path: Path) -> NDArray[np.float64]:
    """(68, 2) of a .pts file as it stands there (300-W and 300VW count pixels from 1).

    Tolerant of what third parties write: `npoints`, other blanks, commas, a missing version or closing brace.
    """
    try:
        if path.stat().st_size > _LARGEST_PTS:
            raise BadInput(f"{path}: too large for 68 points.")
        text = path.read_text(encoding="latin1")
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}).") from None
    head, brace, body = text.partition("{")
    words = (body.partition("}")[0] if brace else _COUNT.sub("", _without_version(text))).replace(",", " ").split()
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError:
        raise BadInput(
            f"{path}: something else than numbers between the braces, so this is no .pts file, or a damaged one."
        ) from None
    claimed = _COUNT.search(head)
    if claimed and int(claimed[1]) * 2 != len(numbers):
        raise BadInput(f"{path}: {claimed[1]} points announced, {len(numbers) / 2:g} found (a cut-off file?).")
    return _points(numbers.reshape(-1, 2) if len(numbers) % 2 == 0 else numbers, str(path))


def _without_version(text: str) -> str:
    return re.sub(r"version\s*:?\s*\S+", "", text, flags=re.IGNORECASE)


def read_landmark_pickle(path: Path) -> Annotation:
    """Landmark caches of talking-head projects: a list of (frame, 68 points), frames without a face left out."""
    contents = read_pickle(path)
    if not isinstance(contents, list | tuple):
        raise BadInput(f"{path}: expected a list of (frame, 68 points), found {type(contents).__name__}.")
    frames, points = [], []
    for number, entry in enumerate(contents):
        if not (isinstance(entry, list | tuple) and len(entry) == 2 and _is_whole(entry[0])):
            raise BadInput(f"{path}: entry {number} is not (frame, 68 points).")
        frames.append(int(entry[0]))
        points.append(_points(entry[1], f"{path}: entry {number}"))
    order = np.argsort(frames, kind="stable")
    values = np.array(points, dtype=np.float32).reshape(-1, 68, 2)
    return Annotation(frames=np.array(frames, dtype=np.int64)[order], values=values[order])


def read_actions_pickle(path: Path) -> dict[str, NDArray[np.float32]]:
    """GANimation's `aus_openface.pkl`: picture's name without suffix -> (17,) intensities 0..5."""
    contents = read_pickle(path)
    if not isinstance(contents, dict):
        raise BadInput(f"{path}: expected names with 17 intensities each, found {type(contents).__name__}.")
    read = {}
    for name, value in contents.items():
        numbers = _numbers(value, (len(ACTION_UNITS),))
        if not isinstance(name, str) or numbers is None or not np.isfinite(numbers).all():
            raise BadInput(f"{path}: {str(name)[:80]}: expected a name with {len(ACTION_UNITS)} intensities.")
        read[name] = numbers.astype(np.float32)
    return read


def _points(value: Any, where: str) -> NDArray[np.float64]:
    points = _numbers(value, (68, 2))
    if points is None:
        shape: tuple[int, ...] = value.shape if isinstance(value, np.ndarray) else ()
        found = f"{len(value) or 'none'}" if shape[1:] == (2,) else f"an array of {shape or type(value).__name__}"
        raise BadInput(f"{where}: expected 68 points, found {found}.")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e6:
        raise BadInput(f"{where}: a point lies nowhere in a picture (not a number, or beyond a million pixels).")
    return points


def _numbers(value: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """As an array of this shape, None where it is none; looks before it builds, since lists can nest without end."""
    if isinstance(value, list | tuple):
        if len(value) != shape[0]:
            return None
        parts = [_numbers(part, shape[1:]) if len(shape) > 1 else _number(part) for part in value]
        return None if any(part is None for part in parts) else np.array(parts, dtype=np.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.shape == shape:
        return value.astype(np.float64)
    return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float | np.number) and not isinstance(value, bool) else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= int(value) < 2**40
