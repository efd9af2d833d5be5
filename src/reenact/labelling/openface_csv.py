"""What OpenFace wrote: CSV files of its programs and versions, read by column name.

    FeatureExtraction 2.x     frame, face_id, timestamp, confidence, success, ..., AU01_r, ...
    FeatureExtraction before  frame, timestamp, confidence, success, ...         (no face_id)
    FaceLandmarkImg           face, confidence, ..., AU01_r, ...                 (one picture, a row per face)

Columns are never taken by position: with `-aus` alone the intensities begin elsewhere than in a full file. In video
mode OpenFace calibrates each unit on the whole clip, on single pictures (FaceLandmarkImg) it doesn't, so the same
picture has other values: the mode is kept with the labels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.errors import BadInput
from reenact.faces.actions import ACTION_UNITS

Array = NDArray[np.float64]

_LARGEST_HEADER = 1 << 16
_LARGEST_FILE = 4 << 30
_ANGLES = ("pose_Rx", "pose_Ry", "pose_Rz")
_POINTS = tuple(f"{axis}_{point}" for axis in "xy" for point in range(68))
_INTENSITIES = tuple(f"{name}_r" for name in ACTION_UNITS)
_KNOWN = {"frame", "face_id", "face", "confidence", "success", *_ANGLES, *_POINTS, *_INTENSITIES}
_LEAST_OVERLAP = 0.2  # of the points' box and a tracked face's box, of the same person
# No head turns by more than half a circle: larger numbers are degrees, which OpenFace doesn't write but others do.
_LARGEST_RADIANS = 3.2


@dataclass(frozen=True, kw_only=True)
class OpenFaceFile:
    """R rows, one per face and frame; what the file doesn't have is None."""

    mode: str  # as in this module's head
    frame: NDArray[np.int64]  # (R,), counted from 0
    face: NDArray[np.int64]  # (R,)
    confidence: Array  # (R,) 0..1
    success: NDArray[np.bool_]  # (R,)
    actions: Array | None  # (R, 17) 0..5
    pose: Array | None  # (R, 3) pitch, yaw, roll in degrees
    landmarks: Array | None  # (R, 68, 2) in video pixels, a pixel's centre at +0.5

    def trusted(self, least: float) -> NDArray[np.bool_]:
        """(R,): rows of success and enough confidence; values of others are extrapolated."""
        return self.success & (self.confidence >= least)


def read_openface(path: Path) -> OpenFaceFile:
    """Read a file of any kind; raises BadInput that names what is missing or wrong."""
    names = _names(path)
    frame_column = "frame" if "frame" in names else None
    if frame_column is None and "face" not in names:
        raise BadInput(
            f"{path}: no OpenFace file: its first line names neither a column frame (as FeatureExtraction writes) nor "
            "face (as FaceLandmarkImg does)."
        )
    if "confidence" not in names:
        raise BadInput(f"{path}: no column confidence, so nobody knows which rows to trust. Run OpenFace again.")
    table = _table(path)
    mode = "FaceLandmarkImg" if not frame_column else f"FeatureExtraction {'2' if 'face_id' in names else '1'}"
    count = len(table)
    numbers = _column(table, frame_column, 0.0)
    keep = (numbers >= 0) & (numbers < 2**40)
    table, numbers = table[keep], numbers[keep]
    if not len(table):
        rows = f"{count} rows, and none" if count else "no row"
        raise BadInput(f"{path}: {rows} with a frame number. Run OpenFace again.")
    # OpenFace counts frames from 1; whoever counts from 0 has a frame 0.
    first = 1 if frame_column and numbers.min() >= 1 else 0
    face = _column(table, "face_id" if "face_id" in names else "face" if "face" in names else None, 0.0)
    return OpenFaceFile(
        mode=mode,
        frame=numbers.astype(np.int64) - first,
        face=np.nan_to_num(np.clip(face, -1, 2**40)).astype(np.int64),
        confidence=np.nan_to_num(_column(table, "confidence", 1.0), nan=0.0),
        success=_column(table, "success" if "success" in names else None, 1.0) > 0.5,
        actions=_actions(path, table, names, mode),
        pose=_pose(path, table, names),
        landmarks=_landmarks(table, names),
    )


def rows_of_track(file: OpenFaceFile, path: Path, frames: NDArray[np.integer], boxes: Array) -> NDArray[np.int64]:
    """(N,) the row that shows the tracked face in each frame, -1 where none does.

    frames: (N,) numbers counted from 0. boxes: (N, 4) face boxes x0, y0, x1, y1 in video pixels. Where the file has
    several faces in a frame, its points tell them apart.
    """
    rows = np.full(len(frames), -1, dtype=np.int64)
    order = np.argsort(file.frame, kind="stable")
    sorted_frames = file.frame[order]
    starts, ends = np.searchsorted(sorted_frames, frames), np.searchsorted(sorted_frames, frames, side="right")
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        candidates = order[start:end]
        if not len(candidates):
            continue
        if file.landmarks is None:
            if len(candidates) > 1:
                raise BadInput(
                    f"{path}: several faces in frame {frames[index]} and no points (x_0, y_0, ...) to tell them apart. "
                    "Run OpenFace with -2Dfp as well."
                )
            rows[index] = candidates[0]
            continue
        overlaps = [_overlap(file.landmarks[row], boxes[index]) for row in candidates]
        best = int(np.argmax(overlaps))
        if overlaps[best] >= _LEAST_OVERLAP:
            rows[index] = candidates[best]
    return rows


def _names(path: Path) -> set[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise BadInput(f"{path}: larger than 4 GiB, no OpenFace file of one clip.")
        with path.open("rb") as stream:
            head = stream.readline(_LARGEST_HEADER)
    except OSError as error:
        raise BadInput(f"{path}: can't be read ({error.strerror}).") from None
    if not head:
        raise BadInput(f"{path}: the file is empty. Run OpenFace again, or copy it again.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{path}: saved as UTF-16, OpenFace writes UTF-8. Save it as UTF-8.")
    text = head.decode("utf-8-sig", errors="replace")
    names = {name.strip() for name in text.split(",")}
    if len(names) < 3:
        raise BadInput(f"{path}: its first line names no columns between commas, so this is no OpenFace file.")
    return names


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path,
            usecols=lambda name: str(name).strip() in _KNOWN,
            # With a comma too many in each row pandas would take the first columns for names of rows.
            index_col=False,
            skipinitialspace=True,
            on_bad_lines="skip",
            low_memory=False,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    # pandas has errors of its own for each way in which a file can be broken.
    except (OSError, ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        why = " ".join(str(error).split())[:160].rstrip(".")
        raise BadInput(f"{path}: damaged, its rows can't be read ({why}). Run OpenFace again.") from None
    return table.rename(columns=lambda name: str(name).strip())


def _column(table: pd.DataFrame, name: str | None, otherwise: float) -> Array:
    """Numbers of a column, NaN where it has none; `otherwise` everywhere where there is no such column."""
    if name is None:
        return np.full(len(table), otherwise)
    column: Any = table[name]
    return np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)


def _columns(table: pd.DataFrame, names: tuple[str, ...]) -> Array:
    return np.stack([_column(table, name, np.nan) for name in names], axis=1)


def _actions(path: Path, table: pd.DataFrame, names: set[str], mode: str) -> Array | None:
    missing = [name for name in _INTENSITIES if name not in names]
    if len(missing) == len(_INTENSITIES):
        if any(f"{name}_c" in names for name in ACTION_UNITS):
            raise BadInput(
                f"{path}: presences only (AU12_c), no intensities (AU12_r). Run {mode.split()[0]} with -aus."
            )
        return None
    if missing:
        raise BadInput(
            f"{path}: {', '.join(missing)} missing ({mode}). All 17 intensities are needed: use OpenFace 2 with -aus."
        )
    return np.clip(_columns(table, _INTENSITIES), 0.0, 5.0)


def _pose(path: Path, table: pd.DataFrame, names: set[str]) -> Array | None:
    missing = [name for name in _ANGLES if name not in names]
    if len(missing) == len(_ANGLES):
        return None
    if missing:
        raise BadInput(f"{path}: {', '.join(missing)} missing beside the other angles. Run OpenFace with -pose.")
    angles = _columns(table, _ANGLES)
    finite = angles[np.isfinite(angles)]
    in_degrees = finite.size > 0 and float(np.abs(finite).max()) > _LARGEST_RADIANS
    return angles if in_degrees else np.degrees(angles)


def _landmarks(table: pd.DataFrame, names: set[str]) -> Array | None:
    if not set(_POINTS) <= names:
        return None
    points = _columns(table, _POINTS).reshape(len(table), 2, 68).transpose(0, 2, 1)
    return np.asarray(points + 0.5)


def _overlap(points: Array, box: Array) -> float:
    """Intersection over union of the points' bounding box and a box."""
    if not np.isfinite(points).all():
        return 0.0
    low, high = points.min(axis=0), points.max(axis=0)
    inner = np.clip(np.minimum(high, box[2:]) - np.maximum(low, box[:2]), 0, None).prod()
    union = (high - low).prod() + (box[2:] - box[:2]).prod() - inner
    return float(inner / union) if union > 0 else 0.0
