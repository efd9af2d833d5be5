"""Pictures without their detail."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.alarms.way import Rows

CELLS = 16  # to a side


def coarse(pictures: Rows) -> NDArray[np.float32]:
    """(N, H, W, 3) -> (N, 16, 16, 3), means over cells.

    Pictures that differ in noise alone would seem to differ.
    """
    small = [cv2.resize(np.asarray(one, dtype=np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
             for one in pictures]  # fmt: skip
    return np.stack(small) if small else np.zeros((0, CELLS, CELLS, 3), dtype=np.float32)
