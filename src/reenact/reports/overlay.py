"""What labels say, drawn over the picture they were made from."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.faces.drawing import draw_landmarks
from reenact.faces.pose import rotation

# RGB: face warm, hair cool; axes x red, y green, z (out of the face) blue, as in most viewers
_SEGMENTS = {1: (255, 170, 60), 2: (80, 140, 255)}
_AXES = ((235, 60, 60), (60, 200, 80), (70, 110, 255))
_CORNER, _LENGTH = (0.84, 0.15), 0.13  # of the picture's side
LEGEND = (
    "Lines: jaw grey, brows orange, nose blue, eyes green, lips red. Axes of the head: its side red, down green, ahead "
    "blue. Tints: face orange, hair blue."
)
_SHIFT = 4  # sixteenths of a pixel


def resized(image: Image, side: int) -> Image:
    """RGB uint8 (S, S, 3) at another size."""
    way = cv2.INTER_AREA if image.shape[0] >= side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=way), dtype=np.uint8)


def with_landmarks(image: Image, landmarks: NDArray[np.floating]) -> Image:
    """A picture (S, S, 3) under the lines through its (68, 2) landmarks; as it was where one is not a number."""
    if not np.isfinite(landmarks).all():
        return image
    lines = draw_landmarks(np.clip(landmarks, -4.0, 5.0), image.shape[0])
    cover = lines.max(axis=-1, keepdims=True) / 255.0  # lines have soft edges
    return np.asarray(np.clip(image * (1.0 - cover) + lines, 0, 255), dtype=np.uint8)


def with_segments(image: Image, segments: NDArray[np.uint8]) -> Image:
    """A picture tinted by its segments (H, W): 1 face, 2 hair."""
    side = image.shape[0]
    classes = cv2.resize(segments, (side, side), interpolation=cv2.INTER_NEAREST)
    tinted = image.astype(np.float32)
    for number, colour in _SEGMENTS.items():
        tinted[classes == number] = 0.6 * tinted[classes == number] + 0.4 * np.array(colour, dtype=np.float32)
    return tinted.astype(np.uint8)


def with_pose(image: Image, pose: NDArray[np.floating]) -> Image:
    """A picture with the head's axes in its corner, where they hide nothing: to its side, down, and ahead."""
    if not np.isfinite(pose).all():
        return image
    drawn = image.copy()
    side = image.shape[0]
    start = np.array(_CORNER) * side
    turned = rotation(pose)
    # z points away from the camera: the head looks along -z.
    tips = [turned @ np.array(axis) for axis in ((1.0, 0, 0), (0, 1.0, 0), (0, 0, -1.0))]
    for tip, colour in sorted(zip(tips, _AXES, strict=True), key=lambda pair: -pair[0][2]):
        ends = [_pixels(start), _pixels(start + tip[:2] * side * _LENGTH)]
        for ink, width in (((0, 0, 0), max(3, side // 40)), (colour, max(1, side // 80))):
            cv2.line(drawn, ends[0], ends[1], ink, width, cv2.LINE_AA, _SHIFT)
    return drawn


def _pixels(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.rint((np.clip(point, -1e4, 1e4) - 0.5) * 2**_SHIFT).astype(int)
    return int(x), int(y)
