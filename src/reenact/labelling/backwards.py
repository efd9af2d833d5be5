"""Follow a face back to before it was found: detectors need frontal faces, some predictors do not."""

from collections import deque

import cv2
import numpy as np

from reenact.labelling.backend import Gray, Points
from reenact.labelling.finding import Tools
from reenact.labelling.follow import Face
from reenact.labelling.tracks import TrackedFrame

_QUALITY = 95  # of the JPEG as which frames are kept: a second of video in a few megabytes


class Backlog:
    """The latest frames of the shot in which nobody was present."""

    def __init__(self, most: int) -> None:
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=most)

    def add(self, number: int, gray: Gray) -> None:
        """Keep one more frame; the oldest goes where there are too many."""
        if self._frames.maxlen:
            coded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            self._frames.append((number, coded.tobytes()))

    def clear(self) -> None:
        """Forget all: the shot is over, or a face is present."""
        self._frames.clear()

    def follow(self, tools: Tools, number: int, gray: Gray, landmarks: Points) -> list[TrackedFrame]:
        """The face with these landmarks in the frames before this one, as far back as it is not lost; in order."""
        face = Face(tools, "")
        face.seen(number, gray, _coloured(gray), landmarks, float("nan"))
        for before, coded in reversed(self._frames):
            picture = np.asarray(cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
            face.advance(before, picture, _coloured(picture))
            if not face.present:
                break
        return face.track.frames[:0:-1]


def _coloured(gray: Gray) -> Gray:
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
