"""What a training tells whoever keeps its record."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Tracker(Protocol):
    """Takes figures and pictures of one run as they come; a step is one batch."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures by name at a step."""

    def image(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """An RGB (H, W, 3) picture at a step."""


class NullTracker:
    """Keeps nothing."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Nothing."""

    def image(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """Nothing."""
