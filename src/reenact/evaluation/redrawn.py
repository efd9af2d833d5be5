"""True pictures of cross pairs of rendered clips: the source's person drawn again with the driver's motion.

What an ideal system would draw: person, light, background, camera and place of the source picture; pose, action units
and gaze of the driving frame. It is cut out as `extract_frames` would have cut it out of such a video: around landmark
28, in sizes of the landmarks' box, both smoothed over the driver's time. How the tracked landmarks of the source's clip
differ from the true ones in place and size is measured on the clip's own frames and applied, so that a clip's own
motion gives its own crops.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import resized
from reenact.corpus.shards import Image
from reenact.faces.landmarks import CROP_CENTRE
from reenact.labelling.backend import Box
from reenact.labelling.crops import Crop, cut_out, steady_crops
from reenact.labelling.tracks import TrackedFrame
from reenact.progress import progress
from reenact.rendering.clips import Scene, read_scene
from reenact.rendering.motion import Motion
from reenact.rendering.scene import Stage

Frame = tuple[str, int]  # clip, frame
Array = NDArray[np.float64]
_FINE = 16  # crops are in whole pixels: sixteenths of them keep the rule's own values


class Redrawn:
    """Draws pictures once each; `scenes` are the clips that can be drawn again (pairs/redrawable.py)."""

    def __init__(self, corpus: Corpus, scenes: Mapping[str, Path]) -> None:
        self.corpus, self.scenes = corpus, scenes
        self._drawn: dict[tuple[Frame, Frame], Image] = {}
        # A stage holds megabytes of texture; pairs are drawn source by source.
        self._stage = lru_cache(maxsize=2)(self._make_stage)
        self.scene = lru_cache(maxsize=64)(self._read_scene)
        self._own = lru_cache(maxsize=64)(self._measure_own)

    def many(self, sources: Sequence[Frame], drivings: Sequence[Frame], *, size: int) -> NDArray[np.uint8]:
        """(N, size, size, 3): each source's person with the driving frame's motion, as the corpus would hold it."""
        pairs = list(zip(sources, drivings, strict=True))
        due = sorted(set(pairs) - set(self._drawn))
        for source, driving in progress(due, "true pictures drawn") if due else ():
            self._drawn[source, driving] = self._draw(source, driving)
        return np.stack([resized(self._drawn[pair], size) for pair in pairs])

    def crop(self, source: Frame, driving: Frame) -> Crop:
        """Where the picture is cut out, in pixels of the source's video."""
        stage, scene = self._stage(source[0]), self.scene(driving[0])
        numbers = self._numbers(driving[0])
        placed = self.number(source)
        centres, extents = _track(stage, scene.motion, numbers, [placed] * len(numbers))
        centre, side = _steady(numbers, centres, extents, scene.fps)
        ratio, beside = self._own(source[0])
        whole = max(round(float(side[driving[1]]) * ratio), 2)
        x, y = centre[driving[1]] + beside * whole - whole / 2
        return Crop(round(float(x)), round(float(y)), whole)

    def _draw(self, source: Frame, driving: Frame) -> Image:
        motion = self.scene(driving[0]).motion
        picture = self._stage(source[0]).draw(motion, self.number(driving), self.number(source))[0]
        return cut_out(picture, self.crop(source, driving), self.corpus.size)

    def _make_stage(self, clip: str) -> Stage:
        scene = self.scene(clip)
        return Stage(scene.person, scene.surroundings, scene.motion, scene.size)

    def _read_scene(self, clip: str) -> Scene:
        return read_scene(self.scenes[clip])

    def _measure_own(self, clip: str) -> tuple[float, Array]:
        """Of a clip's stored crops beside the rule's on true landmarks: ratio of sides, (2,) offset in sides."""
        scene, numbers = self.scene(clip), self._numbers(clip)
        centre, side = _steady(numbers, *_track(self._stage(clip), scene.motion, numbers, numbers), scene.fps)
        stored = self.corpus.frame_table(self.corpus.by_name[clip])
        crops = stored[["crop_x", "crop_y", "crop_side"]].to_numpy(dtype=np.float64)
        middle = crops[:, :2] + crops[:, 2:] / 2
        return float(np.median(crops[:, 2] / side)), np.median((middle - centre) / crops[:, 2:], axis=0)

    def _numbers(self, clip: str) -> list[int]:
        """The video's numbers of a clip's stored frames."""
        return [int(number) for number in self.corpus.frame_table(self.corpus.by_name[clip])["frame"]]

    def number(self, frame: Frame) -> int:
        """The video's number of a stored frame."""
        return self._numbers(frame[0])[frame[1]]


def _track(stage: Stage, motion: Motion, numbers: Sequence[int], placed: Sequence[int]) -> tuple[Array, Array]:
    """Landmark 28 (N, 2) and extent of the landmarks (N,) of a person with a motion, in video pixels."""
    heads = [stage.head(motion, number, own) for number, own in zip(numbers, placed, strict=True)]
    points = np.stack([head.flat(head.points) for head in heads])
    return points[:, CROP_CENTRE], np.ptp(points, axis=1).max(axis=1)


def _steady(numbers: Sequence[int], centres: Array, extents: Array, fps: float) -> tuple[Array, Array]:
    """Centre (N, 2) and side (N,) of the extraction's squares at scale 1, in video pixels."""
    fine, nowhere = np.concatenate([centres, extents[:, None]], axis=1) * _FINE, Box(0.0, 0.0, 1.0, 1.0)
    stretch = [
        TrackedFrame(number, (float(x), float(y)), float(extent), nowhere, 0.0)
        for number, (x, y, extent) in zip(numbers, fine, strict=True)
    ]
    crops = np.array([(crop.x, crop.y, crop.side) for crop in steady_crops(stretch, fps=fps, scale=1.0)]) / _FINE
    return crops[:, :2] + crops[:, 2:] / 2, crops[:, 2]
