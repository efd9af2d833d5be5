"""Landmarks of clips, by whichever backend the settings name: one small function each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.annotations import OPENFACE, annotation_file, landmarks_of
from reenact.errors import BadInput
from reenact.faces.shape_model import shape_model
from reenact.labelling.backend import Box, LandmarkPredictor
from reenact.labelling.clip_frames import ClipFrames
from reenact.labelling.crops import landmarks_of_crop
from reenact.labelling.external import ExternalSettings, ask
from reenact.labelling.geometry import detector_like_box, plausible
from reenact.labelling.openface_csv import read_openface, rows_of_track

if TYPE_CHECKING:
    from reenact.labelling.synthetic.reading import FaceReader

# Annotated points may leave the crop with a chin or an ear; with more than a third of the face another one is meant.
_LEAST_INSIDE = 0.67
_LEAST_INSIDE_NETWORK = 0.9
_AT_ONCE = 64  # pictures held in memory


@dataclass(frozen=True, kw_only=True)
class SolidLabels:
    """What a backend knows beyond the flat points."""

    landmarks3d: NDArray[np.float32]  # (N, 68, 3): x, y in crop coordinates, z in the same unit, away from the camera
    visibility: NDArray[np.float32] | None = None  # (N, 68) 0..1
    pose: NDArray[np.float32] | None = None  # (N, 3) degrees


@dataclass(frozen=True, kw_only=True)
class LandmarkLabels:
    """Of one clip: `landmarks` (N, 68, 2) in crop coordinates, `found` (N,); `problem` is a sentence, "" where none."""

    landmarks: NDArray[np.float32]
    found: NDArray[np.bool_]
    problem: str = ""
    solid: SolidLabels | None = None


def by_predictor(
    clips: Sequence[ClipFrames], predictor: LandmarkPredictor, *, enlarge_to: int, looks: int
) -> Iterator[LandmarkLabels]:
    """A predictor on every crop, started on the tracked face's box."""
    for clip in clips:
        landmarks = np.empty((len(clip), 68, 2), dtype=np.float32)
        for index, box in enumerate(clip.boxes):
            landmarks[index] = landmarks_of_crop(
                clip[index], Box(*box), predictor, enlarge_to=enlarge_to, looks=looks
            )  # fmt: skip
        yield LandmarkLabels(landmarks=landmarks, found=plausible(landmarks))


def by_network(clips: Sequence[ClipFrames], reader: "FaceReader", *, sure: float) -> Iterator[LandmarkLabels]:
    """A network that knows turned heads, on every crop: points in depth, visibility, pose; found from `sure` on.

    A head in profile has its eyes' corners one behind the other, so what makes frontal points plausible says nothing
    here: the network's own confidence counts, and that the points lie in the crop.
    """
    for clip in clips:
        parts = []
        for start in range(0, len(clip), _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, len(clip)))
            parts.append(reader.read([clip[row] for row in rows], clip.boxes[rows.start : rows.stop]))
        points, seen, pose, confidence = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("landmarks3d", "visibility", "pose", "confidence")
        )
        flat = points[..., :2]
        inside = ((flat >= 0) & (flat <= 1)).all(axis=-1).mean(axis=-1)
        found = (confidence >= sure) & (inside >= _LEAST_INSIDE_NETWORK)
        solid = SolidLabels(
            landmarks3d=points.astype(np.float32), visibility=seen.astype(np.float32), pose=pose.astype(np.float32)
        )
        yield LandmarkLabels(landmarks=flat.astype(np.float32), found=found, solid=solid)


def from_files(clips: Sequence[ClipFrames]) -> Iterator[LandmarkLabels]:
    """The data set's own landmarks, by frame number; frames that it doesn't annotate are not found."""
    for clip in clips:
        try:
            known = landmarks_of(clip.videos, clip.row) if clip.videos and clip.row else None
        except BadInput as error:
            yield _nothing(clip, str(error))
            continue
        if known is None:
            yield _nothing(clip, f"{clip.clip}: the data set has no landmarks of it")
            continue
        rows = _rows_by_number(known.frames, clip.frames)
        # Pixels are counted from the first one's centre there and from its edge here.
        yield _placed(clip, known.values.astype(np.float64) + 0.5, rows)


def from_openface(clips: Sequence[ClipFrames], *, least_confidence: float) -> Iterator[LandmarkLabels]:
    """The points of the OpenFace file beside the video, where OpenFace was sure enough."""
    for clip in clips:
        try:
            path = annotation_file(clip.videos, clip.row, OPENFACE) if clip.videos and clip.row else None
            if path is None:
                raise BadInput(f"{clip.clip}: no OpenFace file beside the video")
            file = read_openface(path)
            if file.landmarks is None:
                raise BadInput(f"{path}: no points (x_0, ..., y_67). Run OpenFace with -2Dfp as well.")
            rows = rows_of_track(file, path, clip.frames, clip.video_boxes)
        except BadInput as error:
            yield _nothing(clip, str(error))
            continue
        rows[(rows >= 0) & ~file.trusted(least_confidence)[rows]] = -1
        yield _placed(clip, file.landmarks, rows)


def by_program(clips: Sequence[ClipFrames], settings: ExternalSettings) -> Iterator[LandmarkLabels]:
    """A program of the user's."""
    clips = list(clips)
    result = ask("landmarks", clips, settings, where="label_landmarks.external")
    start = 0
    for clip in clips:
        rows = slice(start, start + len(clip))
        start += len(clip)
        size = clip[0].shape[0]
        points = (result["landmarks"][rows].astype(np.float64) + 0.5) / size
        found = result["found"][rows].astype(bool) & np.isfinite(points).all(axis=(1, 2))
        labels = _filled(clip, points, found)
        if "landmarks3d" in result:
            solid = np.concatenate([labels.landmarks, result["landmarks3d"][rows, :, 2:] / size], axis=-1)
            found = found & np.isfinite(solid).all(axis=(1, 2))
            solid = np.where(found[:, None, None], solid, 0.0).astype(np.float32)
            labels = replace(labels, found=found, solid=SolidLabels(landmarks3d=solid))
        yield labels


def _placed(clip: ClipFrames, points: NDArray[np.floating], rows: NDArray[np.int64]) -> LandmarkLabels:
    """`points` (R, 68, 2) in video pixels; `rows` (N,) says which of them belong to each frame, -1: none."""
    known = rows >= 0
    video = np.full((len(clip), 68, 2), np.nan)
    video[known] = points[rows[known]]
    crop = clip.to_crop(video)
    with np.errstate(invalid="ignore"):
        inside = ((crop >= 0) & (crop <= 1)).all(axis=-1).mean(axis=-1)
    return _filled(clip, crop, known & (inside >= _LEAST_INSIDE) & np.isfinite(crop).all(axis=(1, 2)))


def _filled(clip: ClipFrames, points: NDArray[np.floating], found: NDArray[np.bool_]) -> LandmarkLabels:
    """With a mean face in the tracked box where nothing was found: numbers that nobody may use, but no NaN."""
    points = points.copy()
    for index in np.flatnonzero(~found):
        points[index] = _mean_face(Box(*clip.boxes[index]))
    return LandmarkLabels(landmarks=points.astype(np.float32), found=found)


def _nothing(clip: ClipFrames, problem: str) -> LandmarkLabels:
    empty = _filled(clip, np.zeros((len(clip), 68, 2)), np.zeros(len(clip), dtype=bool))
    return LandmarkLabels(landmarks=empty.landmarks, found=empty.found, problem=problem)


def _mean_face(box: Box) -> NDArray[np.float64]:
    mean = shape_model().mean[:, :2]
    around = detector_like_box(mean)
    x, y = around.centre
    cx, cy = box.centre
    return np.asarray((mean - [x, y]) * (box.side / around.side) + [cx, cy])


def _rows_by_number(known: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) where each wanted number stands in `known` (ascending), -1 where it doesn't."""
    at = np.minimum(np.searchsorted(known, wanted), max(len(known) - 1, 0))
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    return np.where(known[at] == wanted, at, -1)
