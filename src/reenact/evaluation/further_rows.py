"""Rows of a system beside its own: driven by other landmarks, fine-tuned, or given more source pictures.

NAME (retargeted landmarks)   the driver's motion on the source's shape, by the shape model (evaluation.retarget)
NAME (raw landmarks)          of a system that transforms landmarks itself: without that
NAME (fine-tuned)             of a system that can be: fitted to each person's source pictures first
NAME (4 shots)                with so many source pictures, of a system that makes use of any number
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from reenact.evaluation.finetuned import fitted
from reenact.evaluation.further_names import FINETUNED, RAW, RETARGETED, further, shots_name
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.retarget import retargeted
from reenact.evaluation.rows import Drawn, Row, reenacted
from reenact.systems.protocol import System, can_finetune, exact_sources, most_sources, untransformed

_STILL = ("self", "cross", "cross_truth", "lsim")


def further_rows(
    name: str,
    system: System,
    pictures: Pictures,
    *,
    batch: int,
    device: torch.device | str,
    shots: int,
    retarget: Sequence[str],
    shot_curve: Sequence[int],
    finetune: Sequence[str] = (),
) -> Iterator[tuple[str, Row]]:
    """(name, row) of what applies to the system; of the test split, whose pairs are for the table.

    `retarget`: the protocols of rows with other landmarks; `finetune`: of those of a fine-tuned system.
    """
    how: dict[str, Any] = {"batch": batch, "device": device}
    if retarget and {"landmarks", "landmarks3d"} & set(system.labels):
        bare = untransformed(system)
        if bare is not system:
            yield further(name, RAW), only(retarget, pictures, reenacted(bare, pictures, **how, shots=shots))
        row = reenacted(bare, pictures, **how, shots=shots, landmarks=retargeted)
        yield further(name, RETARGETED), only(retarget, pictures, row)
    if finetune and can_finetune(system):
        row = fitted(name, system, pictures, **how, shots=shots)
        yield further(name, FINETUNED), only(finetune, pictures, row)
    if most_sources(system) > 1 and not exact_sources(system):
        for count in shot_curve:
            row = reenacted(system, pictures, **how, shots=count)
            yield further(name, shots_name(count)), only(_STILL, pictures, row)


def only(protocols: Sequence[str], pictures: Pictures, row: Row) -> Row:
    """The row for test pairs of these protocols; no picture for others, at no cost."""

    def draw(pairs: pd.DataFrame) -> Drawn:
        wanted = (pairs["protocol"].isin(protocols) & (pairs["split"] == "test")).to_numpy()
        drawn = np.zeros((len(pairs), pictures.size, pictures.size, 3), dtype=np.uint8)
        usable = np.zeros(len(pairs), dtype=bool)
        if wanted.any():
            found = row(pairs[wanted])
            drawn[wanted], usable[wanted] = found.pictures, found.usable
        return Drawn(pictures=drawn, usable=usable)

    return draw
