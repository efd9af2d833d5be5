"""Stretches of frames on end, which measures of flicker and jitter look at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Frame = tuple[str, int]  # clip, frame


def stretch(
    frames: Sequence[Frame], *, length: int, without: Frame | None, rng: np.random.Generator
) -> tuple[Frame, ...]:
    """`length` stored frames on end of one clip, drawn from usable `frames`; not over `without` where that can be.

    Empty where no clip has so many.
    """
    known = set(frames)
    starts = [(clip, frame) for clip, frame in sorted(known) if all((clip, frame + k) in known for k in range(length))]
    free = [
        (clip, frame)
        for clip, frame in starts
        if without is None or clip != without[0] or not frame <= without[1] < frame + length
    ]
    choice = free or starts
    if not choice:
        return ()
    clip, frame = choice[int(rng.integers(len(choice)))]
    return tuple((clip, frame + k) for k in range(length))


def previous_rows(pairs: pd.DataFrame) -> NDArray[np.intp]:
    """(N,) for each pair the row, counted from 0, of the frame before in the same sequence; -1 where there is none."""
    keys = list(zip(pairs["sequence"], pairs["driving_clip"], pairs["driving_frame"], strict=True))
    places = {key: row for row, key in enumerate(keys) if key[0]}
    return np.array([places.get((name, clip, frame - 1), -1) for name, clip, frame in keys], dtype=np.intp)
