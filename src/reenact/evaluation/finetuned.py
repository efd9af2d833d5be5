"""A row of a system that was fitted to each person's source pictures before it draws that person."""

import numpy as np
import pandas as pd
import torch

from reenact.evaluation.pairs.shots import shots_of
from reenact.evaluation.pictures import Frames, Pictures
from reenact.evaluation.rows import Drawn, Row, reenacted
from reenact.progress import progress
from reenact.systems.protocol import FineTunes


def fitted(
    name: str, system: FineTunes, pictures: Pictures, *, batch: int, device: torch.device | str, shots: int
) -> Row:
    """As `rows.reenacted`, by `system.finetuned` of each set of source pictures: pairs of the same set share one."""

    def draw(pairs: pd.DataFrame) -> Drawn:
        drawn = np.zeros((len(pairs), pictures.size, pictures.size, 3), dtype=np.uint8)
        usable = np.zeros(len(pairs), dtype=bool)
        for frames, places in progress(same_sources(pairs, shots), f"{name} fine-tuned"):
            faces = pictures.faces(frames, system.labels)[None]
            one = system.finetuned(faces.to(device))
            part = reenacted(one, pictures, batch=batch, device=device)(pairs.iloc[places])
            drawn[places], usable[places] = part.pictures, part.usable
        return Drawn(pictures=drawn, usable=usable)

    return draw


def same_sources(pairs: pd.DataFrame, shots: int) -> list[tuple[Frames, list[int]]]:
    """Sets of source pictures, each once and in the same order whoever names them, with the places of their pairs."""
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for place, frames in enumerate(shots_of(pairs, shots)):
        groups.setdefault(tuple(sorted(set(frames))), []).append(place)
    return list(groups.items())
