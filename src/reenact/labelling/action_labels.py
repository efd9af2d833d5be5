"""Action units and pose from elsewhere than our fit: an OpenFace file, a program of the user's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.annotations import OPENFACE, actions_of, annotation_file
from reenact.errors import BadInput
from reenact.labelling.clip_frames import ClipFrames
from reenact.labelling.external import ExternalSettings, ask
from reenact.labelling.openface_csv import read_openface, rows_of_track


@dataclass(frozen=True, kw_only=True)
class ActionLabels:
    """Of one clip: `actions` (N, 17) 0..5, `valid` (N,), `pose` (N, 3) in degrees or None; how they were made."""

    actions: NDArray[np.float64]
    valid: NDArray[np.bool_]
    pose: NDArray[np.float64] | None = None
    mode: str = ""
    problem: str = ""


def from_openface(clips: Sequence[ClipFrames], *, least_confidence: float) -> Iterator[ActionLabels]:
    """From the OpenFace file beside the video; frames of success 0 or less confidence are not valid."""
    for clip in clips:
        try:
            path = annotation_file(clip.videos, clip.row, OPENFACE) if clip.videos and clip.row else None
            if path is None:
                raise BadInput(f"{clip.clip}: no OpenFace file beside the video")
            file = read_openface(path)
            if file.actions is None:
                raise BadInput(f"{path}: no action units (AU01_r, ...). Run {file.mode.split()[0]} with -aus.")
            rows = rows_of_track(file, path, clip.frames, clip.video_boxes)
        except BadInput as error:
            yield _nothing(clip, str(error))
            continue
        valid = (rows >= 0) & file.trusted(least_confidence)[rows] & np.isfinite(file.actions[rows]).all(axis=1)
        pose = None
        if file.pose is not None:
            valid &= np.isfinite(file.pose[rows]).all(axis=1)
            pose = bridged(file.pose[rows], valid)
        yield ActionLabels(actions=bridged(file.actions[rows], valid), valid=valid, pose=pose, mode=file.mode)


def from_files(clips: Sequence[ClipFrames]) -> Iterator[ActionLabels]:
    """The data set's own intensities (GANimation's `aus_openface.pkl`), by frame number; no pose."""
    for clip in clips:
        try:
            known = actions_of(clip.videos, clip.row) if clip.videos and clip.row else None
        except BadInput as error:
            yield _nothing(clip, str(error))
            continue
        if known is None:
            yield _nothing(clip, f"{clip.clip}: the data set has no action units of it")
            continue
        places = {int(frame): row for row, frame in enumerate(known.frames)}
        rows = np.array([places.get(int(frame), -1) for frame in clip.frames], dtype=np.int64)
        values = known.values.astype(np.float64) if len(known.values) else np.full((1, 17), np.nan)
        valid = (rows >= 0) & np.isfinite(values[rows]).all(axis=1)
        yield ActionLabels(actions=bridged(np.clip(values[rows], 0, 5), valid), valid=valid, mode="files")


def by_program(clips: Sequence[ClipFrames], settings: ExternalSettings) -> Iterator[ActionLabels]:
    """A program of the user's."""
    clips = list(clips)
    result = ask("actions", clips, settings, where="label_actions.external")
    about = str(result["about"]) if "about" in result else ""
    start = 0
    for clip in clips:
        rows = slice(start, start + len(clip))
        start += len(clip)
        actions = result["actions"][rows].astype(np.float64)
        valid = result["valid"][rows].astype(bool) & np.isfinite(actions).all(axis=1)
        pose = None
        if "pose" in result:
            pose = result["pose"][rows].astype(np.float64)
            valid &= np.isfinite(pose).all(axis=1)
            pose = bridged(pose, valid)
        yield ActionLabels(
            actions=bridged(np.clip(actions, 0.0, 5.0), valid), valid=valid, pose=pose, mode=about
        )  # fmt: skip


def bridged(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, C) with invalid rows drawn as lines between their valid neighbours, 0 where there is none."""
    if not valid.any():
        return np.zeros_like(values)
    at, known = np.arange(len(values)), np.flatnonzero(valid)
    return np.stack([np.interp(at, known, column[known]) for column in values.T], axis=1)


def _nothing(clip: ClipFrames, problem: str) -> ActionLabels:
    count = len(clip)
    return ActionLabels(actions=np.zeros((count, 17)), valid=np.zeros(count, dtype=bool), problem=problem)
