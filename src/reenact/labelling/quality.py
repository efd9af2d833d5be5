"""What a frame's picture says about its own worth: the quality columns of `frames/SHARD/rows.parquet`.

Columns (float32, beside `score`, the detector's):
    blur        0 sharp .. 1 blurred, of the face at 64 px (Crete and others 2007); enlarged faces are blurred ones
    exposure    mean luma of the face, 0 black .. 1 white
    clipped     share of the face's pixels that are black or white, 0..1
    face_size   side of the face's box in pixels of the video
    occlusion   share of the face in colours that the clip doesn't show near that place, 0..1; NaN for short clips

Pose, the remaining fact of a frame, stands in the tables of `label_actions`.
"""

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.corpus.shards import Image
from reenact.labelling.backend import Box
from reenact.labelling.crops import Crop, cut_out

QUALITY = ("blur", "exposure", "clipped", "face_size", "occlusion")
PATCH = 64  # px, side of the face as it is measured: another size is another scale of `blur`

_CELLS = 16  # cells of a colour patch in each direction
_REACH = 2  # cells: how far a colour may wander when the head turns
_FAR = 20.0  # in the space of `_colours`: chosen on real faces, see docs/labels.md
_BLACK, _WHITE = 4, 251
_BLUR_TAPS = 11  # of the strong blur that sharpness is compared with, as in the paper


@dataclass(frozen=True)
class Quality:
    """One frame's row of the columns named in `QUALITY`."""

    blur: float
    exposure: float
    clipped: float
    face_size: float
    occlusion: float

    def row(self) -> tuple[float, ...]:
        """Values in the order of `QUALITY`."""
        return tuple(float(getattr(self, name)) for name in QUALITY)


@dataclass
class FaceColours:
    """What colours a face shows where, from a few frames spread evenly over its track: memory doesn't grow with it."""

    most: int = 48
    least: int = 8  # frames below which nothing is usual yet
    patches: list[NDArray[np.float32]] = field(default_factory=list)
    _seen: int = 0
    _stride: int = 1

    def offer(self, image: Image, box: Box) -> None:
        """Take this frame's colours if it is one of those to be remembered; `box` in pixels of the RGB picture."""
        if self._seen % self._stride == 0:
            self.patches.append(_colours(face_patch(image, box, _CELLS)))
            if len(self.patches) > self.most:
                self.patches, self._stride = self.patches[::2], 2 * self._stride
        self._seen += 1

    def usual(self) -> NDArray[np.float32] | None:
        """(cells of the oval, 25, 3): the median colours of the clip about each place; None for too few frames."""
        if len(self.patches) < self.least:
            return None
        median = np.median(np.stack(self.patches), axis=0).astype(np.float32)
        padded = cv2.copyMakeBorder(median, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
        window = 2 * _REACH + 1
        near = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(0, 1))  # (16, 16, 3, 5, 5)
        flat = near[_oval(_CELLS)].reshape(-1, 3, window**2)
        return np.ascontiguousarray(flat.transpose(0, 2, 1))


def quality(image: Image, box: Box, *, face_size: float, usual: NDArray[np.float32] | None = None) -> Quality:
    """Measure one RGB (H, W, 3) picture whose face lies in `box` (pixels, as a detector draws it: brows to chin)."""
    patch = face_patch(image, box, PATCH)
    luma = np.asarray(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    face = luma[_oval(PATCH)]
    return Quality(
        blur=blur_effect(luma),
        exposure=float(face.mean()) / 255.0,
        clipped=float(((face <= _BLACK) | (face >= _WHITE)).mean()),
        face_size=face_size,
        occlusion=float("nan") if usual is None else occlusion(patch, usual),
    )


def face_patch(image: Image, box: Box, size: int) -> Image:
    """The square about a box's middle as (size, size, 3); beyond the picture its border is repeated."""
    x, y = box.centre
    side = max(1, round(box.side))
    return cut_out(image, Crop(round(x - side / 2), round(y - side / 2), side), size)


def blur_effect(luma: NDArray[np.uint8]) -> float:
    """0 (sharp) .. 1: how little a strong blur takes away, the worse of both directions.

    Crete, Dolmiere, Ladret, Nicolas 2007, "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric". A ratio, so contrast and light don't count; a picture without any edge is blurred.
    """
    picture = luma.astype(np.float32)
    worst = 0.0
    for dx, dy in ((1, 0), (0, 1)):
        taps = (_BLUR_TAPS, 1) if dx else (1, _BLUR_TAPS)
        blurred = cv2.blur(picture, taps, borderType=cv2.BORDER_REFLECT)
        before = np.abs(cv2.Sobel(picture, cv2.CV_32F, dx, dy))[2:-2, 2:-2]
        after = np.abs(cv2.Sobel(blurred, cv2.CV_32F, dx, dy))[2:-2, 2:-2]
        total = float(before.sum())
        lost = float(np.maximum(before - after, 0.0).sum())
        worst = max(worst, 1.0 - lost / total if total > 0 else 1.0)
    return worst


def occlusion(patch: Image, usual: NDArray[np.float32]) -> float:
    """Share of the face's oval whose colour is far from all that the clip usually shows within two cells of there.

    Sees what has another hue or shade than the face: a microphone, a cup, a sleeve. Doesn't see what is coloured as the
    face is (hands, brown hair), nor what covers it for half of the clip or more (glasses, masks, beards): that is how
    this face looks.
    """
    small = np.asarray(cv2.resize(patch, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    away = usual - _colours(small)[_oval(_CELLS)][:, None]
    nearest = np.einsum("pnc,pnc->pn", away, away).min(axis=1)
    return float((nearest > _FAR**2).mean())


def _colours(patch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma at half weight, and chroma: shade moves over a face all the time, its hue hardly."""
    colours = cv2.cvtColor(patch, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    colours[..., 0] *= 0.5
    return np.asarray(colours, dtype=np.float32)


@cache
def _oval(size: int) -> NDArray[np.bool_]:
    """(size, size): the face inside its box, without the corners' hair and background."""
    place = (np.arange(size) + 0.5) / size - 0.5
    return np.asarray((place[:, None] / 0.48) ** 2 + (place[None] / 0.42) ** 2 <= 1.0)
