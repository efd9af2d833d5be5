"""Where one shot ends and another begins."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.labelling.backend import Gray


class CutFinder:
    """Tells whether a frame begins another shot: its thumbnail differs much, and much more than frames did lately."""

    def __init__(self, *, least: float = 12.0, ratio: float = 5.0) -> None:
        self.least, self.ratio = least, ratio
        self._before: NDArray[np.float32] | None = None
        self._usual = 2.0

    def __call__(self, gray: Gray) -> bool:
        """Feed the next frame; True where it is the first of another shot."""
        small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        small -= small.mean()  # a light that goes on is no cut
        before, self._before = self._before, small
        if before is None:
            return False
        difference = float(np.abs(small - before).mean())
        cut = difference > self.least and difference > self.ratio * self._usual
        if not cut:
            self._usual = 0.9 * self._usual + 0.1 * difference
        return cut
