"""What a label backend is: the small protocols that detectors and landmark predictors keep."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]  # (H, W)
Points = NDArray[np.float64]  # (68, 2) pixel coordinates, a pixel's centre at +0.5


@dataclass(frozen=True)
class Box:
    """A square or rectangle in pixels, x to the right, y down."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def side(self) -> float:
        """The longer side."""
        return max(self.x1 - self.x0, self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        """x, y."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def scaled(self, factor: float, dx: float = 0.0, dy: float = 0.0) -> "Box":
        """All coordinates times `factor`, then moved by (dx, dy)."""
        return Box(self.x0 * factor + dx, self.y0 * factor + dy, self.x1 * factor + dx, self.y1 * factor + dy)

    def varied(self, dx: float, dy: float, size: float) -> "Box":
        """Moved by fractions of the side, and made larger about its centre."""
        x, y = self.centre
        x, y = x + dx * self.side, y + dy * self.side
        half_x, half_y = size * (self.x1 - self.x0) / 2, size * (self.y1 - self.y0) / 2
        return Box(x - half_x, y - half_y, x + half_x, y + half_y)


@dataclass(frozen=True)
class Detection:
    """A face found by a detector; `score` in the detector's own unit, higher is surer."""

    box: Box
    score: float


class Detector(Protocol):
    """Finds faces; `smallest` is the side in pixels of the smallest face it finds in a picture at its own size."""

    name: str
    smallest: float

    def __call__(self, gray: Gray) -> list[Detection]: ...


@runtime_checkable
class Confirmer(Protocol):
    """Says whether there is still a face near a box, at any turn of the head, and where exactly."""

    name: str

    def near(self, gray: Gray, box: Box) -> Detection | None: ...


class LandmarkPredictor(Protocol):
    """Places the 68 points given a face box of the kind that its detector makes."""

    name: str

    def __call__(self, gray: Gray, box: Box) -> Points: ...


class Recogniser(Protocol):
    """Tells people apart: an embedding of a face, near for one person and far for two."""

    name: str

    def __call__(self, image: NDArray[np.uint8], landmarks: Points) -> NDArray[np.float64]: ...
