"""Segments by a program of the user's: the backend `external`."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.labelling.clip_frames import ClipFrames
from reenact.labelling.external import ExternalSettings, ask
from reenact.labelling.segments.classes import OURS
from reenact.labelling.segments.place import SIDE


def program_segments(clips: Sequence[ClipFrames], settings: ExternalSettings) -> Iterator[NDArray[np.uint8]]:
    """(N, 128, 128) of each clip; other numbers than 1 and 2 are background."""
    said = OURS.segments(ask("segments", clips, settings, where="label_segments.external")["segments"])
    start = 0
    for clip in clips:
        rows = said[start : start + len(clip)]
        start += len(clip)
        yield np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT) for one in rows]).astype(
            np.uint8
        )
