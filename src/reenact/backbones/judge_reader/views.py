"""The square that the judge reader looks at, and cutting it out of a picture; free of torch."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 80  # px, side of the views that the network is given
EMBEDDING = 96  # numbers that say who somebody is
# Sides of the landmarks' box that the reader looks at once it knows where the face is: some forehead and hair, which
# say who it is, and room for a wrong first look.
CLOSE = 1.5


@dataclass(frozen=True)
class Square:
    """Centre and side, in shares of a picture's side."""

    x: float
    y: float
    side: float

    @classmethod
    def around(cls, centre: NDArray[np.floating], side: float) -> "Square":
        """With this centre (2,)."""
        return cls(float(centre[0]), float(centre[1]), side)

    @property
    def centre(self) -> NDArray[np.float64]:
        """(2,)."""
        return np.array([self.x, self.y])

    @property
    def corner(self) -> NDArray[np.float64]:
        """(2,) left and top."""
        return self.centre - self.side / 2


def face_square(landmarks: NDArray[np.floating]) -> Square:
    """Where to look closely at a face with these (68, 2) landmarks."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    return Square.around((low + high) / 2, CLOSE * float((high - low).max()))


def cut_view(
    picture: NDArray[np.uint8], square: Square, size: int, *, back: NDArray[np.floating] | None = None, side: int = 0
) -> NDArray[np.uint8]:
    """The part of a square (H, H, C) picture inside a square as (size, size, C); beyond the border its edge repeats.

    back: (3, 3) homogeneous, leads from the square's coordinates to the picture's, where they differ.
    """
    side = side or picture.shape[0]
    step = square.side / size
    x, y = square.corner + step / 2  # pixel i's centre lies at i + 0.5 here, at i in OpenCV
    inwards = np.array([[step, 0.0, x], [0.0, step, y], [0.0, 0.0, 1.0]])
    if back is not None:
        inwards = back @ inwards
    # Bilinear sampling alone would skip pixels of a picture that is much larger than the view.
    shrink = step * side
    if shrink >= 1.5:
        side = max(1, round(side / shrink))
        picture = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    whole = np.diag([side, side, 1.0]) @ inwards
    whole[:2, 2] -= 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(picture, whole[:2], (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, dtype=np.uint8)
