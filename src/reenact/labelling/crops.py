"""A steady square around a tracked face, and cutting it out of the frames."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.labelling.backend import Box, Gray, LandmarkPredictor
from reenact.labelling.tracks import TrackedFrame

# Seconds over which centre and size are smoothed: the centre follows the head's motion and not the landmarks' noise,
# the size only a walk towards the camera, not an opened mouth.
CENTRE_SECONDS, SIZE_SECONDS = 0.2, 1.5

# Shifts (in sides of the box) and sizes of the boxes over which landmarks are averaged.
_LOOKS = ((0.0, 0.0, 1.0), (0.04, 0.04, 1.04), (-0.04, -0.04, 0.96), (0.04, -0.04, 0.96), (-0.04, 0.04, 1.04))


@dataclass(frozen=True)
class Crop:
    """A square in whole video pixels; it may reach beyond the picture."""

    x: int
    y: int
    side: int


def steady_crops(stretch: list[TrackedFrame], *, fps: float, scale: float) -> list[Crop]:
    """One crop per tracked frame: centre = landmark 28, side = `scale` times the landmarks' extent, both smoothed."""
    times = np.array([one.frame for one in stretch], dtype=np.float64) / fps
    centre = _smooth(np.array([one.centre for one in stretch]), times, CENTRE_SECONDS)
    extent = np.array([[one.extent] for one in stretch])
    typical = float(np.median(extent))
    # An extent far from the usual is a misplaced landmark rather than a step towards the camera.
    side = scale * _smooth(np.clip(extent, 0.6 * typical, 1.67 * typical), times, SIZE_SECONDS)[:, 0]
    whole = np.maximum(np.rint(side).astype(int), 2)
    corner = np.rint(centre - whole[:, None] / 2).astype(int)
    return [Crop(int(x), int(y), int(s)) for (x, y), s in zip(corner, whole, strict=True)]


def cut_out(image: Image, crop: Crop, size: int) -> Image:
    """The crop as RGB uint8 (size, size, 3); what lies beyond the picture repeats its border."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = crop.x, crop.y, crop.x + crop.side, crop.y + crop.side
    inside = image[
        min(max(y0, 0), height - 1) : max(min(y1, height), 1), min(max(x0, 0), width - 1) : max(min(x1, width), 1)
    ]
    padding = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(padding):
        inside = np.asarray(cv2.copyMakeBorder(inside, *padding, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)
    way = cv2.INTER_AREA if crop.side >= size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(inside, (size, size), interpolation=way), dtype=np.uint8)


def box_in_crop(box: Box, crop: Crop) -> Box:
    """A box of video pixels in crop coordinates 0..1."""
    return Box(box.x0 - crop.x, box.y0 - crop.y, box.x1 - crop.x, box.y1 - crop.y).scaled(1.0 / crop.side)


def landmarks_of_crop(
    image: Image | Gray, box: Box, predictor: LandmarkPredictor, *, enlarge_to: int = 512, looks: int = 1
) -> NDArray[np.float64]:
    """(68, 2) landmarks in crop coordinates of a square picture whose face box is given in crop coordinates.

    Predictors answer in whole pixels, and an eye of a 128 px crop is open by four of them: the picture is enlarged
    first. What they answer depends on the box: the mean over `looks` (1 to 5) slightly different boxes is steadier.
    """
    gray = np.asarray(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    if gray.shape[0] != enlarge_to:
        gray = np.asarray(cv2.resize(gray, (enlarge_to, enlarge_to), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    views = [box.scaled(enlarge_to).varied(*change) for change in _LOOKS[:looks]]
    return np.mean([predictor(gray, view) for view in views], axis=0) / enlarge_to


def _smooth(values: NDArray[np.float64], times: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """(N, C) over time: at each time the line that fits the Gaussian-weighted neighbours best, read off there.

    A line and not a mean, or a moving head would be left behind at both ends of a clip; gaps in time are respected.
    """
    smoothed = np.empty_like(values)
    starts = np.searchsorted(times, times - 3 * seconds)
    ends = np.searchsorted(times, times + 3 * seconds, side="right")
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        away = (times[start:end] - times[row]) / seconds
        weights = np.exp(-0.5 * np.square(away))
        total, first, second = weights.sum(), weights @ away, weights @ np.square(away)
        spread = total * second - first**2
        line = spread > 1e-6 * total**2
        weights = weights * (second - first * away) / spread if line else weights / total
        smoothed[row] = weights @ values[start:end]
    return smoothed
