"""Frames of a corpus at the size that the system draws, and the typed faces that a system is given."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import resized
from reenact.corpus.shards import Image
from reenact.evaluation.judge import People
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.batch import Faces
from reenact.systems.protocol import Label

if TYPE_CHECKING:
    from reenact.evaluation.redrawn import Redrawn

Frames = Sequence[tuple[str, int]]  # clip, frame


class Pictures:
    """Reads frames once each; all pictures are RGB uint8 (size, size, 3).

    `redrawn` draws true pictures that no frame of the corpus is; without it, such a picture is missing.
    """

    def __init__(self, corpus: Corpus, *, size: int, redrawn: "Redrawn | None" = None) -> None:
        self.corpus, self.size, self.redrawn = corpus, size, redrawn
        self._read: dict[tuple[str, int], Image] = {}

    def one(self, clip: str, frame: int) -> Image:
        """One frame."""
        if (clip, frame) not in self._read:
            picture = np.asarray(self.corpus.image(self.corpus.by_name[clip], frame))
            # The same resizing as in training: the source must look as the system knows it.
            self._read[clip, frame] = resized(picture, self.size)
        return self._read[clip, frame]

    def many(self, frames: Frames) -> NDArray[np.uint8]:
        """(N, size, size, 3)."""
        if not frames:
            return np.zeros((0, self.size, self.size, 3), dtype=np.uint8)
        return np.stack([self.one(clip, frame) for clip, frame in frames])

    def people(self, clips: Sequence[str]) -> People:
        """Shape and resting level of the persons of N clips, as labelled."""
        table = self._people.loc[list(clips)]
        shape = [name for name in table.columns if name.startswith("shape_")]
        neutral = [f"neutral_{name}" for name in ACTION_UNITS]
        return People(table[shape].to_numpy(dtype=np.float64), table[neutral].to_numpy(dtype=np.float64))

    @cached_property
    def _people(self) -> pd.DataFrame:
        return self.corpus.shapes().set_index("clip")

    def faces(self, frames: Frames, labels: Sequence[Label], *, blind: bool = False) -> Faces:
        """(N, ...) faces with the labels asked for; `blind` ones hold NaN in place of the picture."""
        if blind:
            image = torch.full((len(frames), 3, self.size, self.size), float("nan"))
        else:
            image = torch.from_numpy(self.many(frames)).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        wanted = {"landmarks", *labels}
        values: dict[str, torch.Tensor] = {name: self._labels(name, frames) for name in sorted(wanted)}
        if "landmarks3d" in wanted:
            values["visibility"] = self._labels("visibility", frames)
        return Faces(image=image, **values)

    def _labels(self, name: str, frames: Frames) -> torch.Tensor:
        read = getattr(self.corpus, name)
        rows = [np.asarray(read(self.corpus.by_name[clip])[frame]) for clip, frame in frames]
        return torch.from_numpy(np.stack(rows).astype(np.uint8 if name == "segments" else np.float32))
