"""What a system is given by people, looked at before it draws: a sentence for each way in which it can't be used.

Sources and driving faces that come from a corpus are in order; `System.reenact` itself takes that for granted.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from reenact.errors import BadInput
from reenact.faces.batch import Faces
from reenact.systems.protocol import System

_SLACK = 1e-3  # beyond [-1, 1], for pictures that were resized


def reenact(system: System, sources: Faces, driving: Faces) -> Tensor:
    """(B, K, ...) sources, (B, ...) driving labels -> (B, 3, S, S) in [-1, 1]. Raises BadInput."""
    check_sources(sources, size=system.size)
    check_driving(driving, samples=sources.image.shape[0])
    return system.reenact(sources, driving)


def check_sources(sources: Faces, *, size: int) -> None:
    """K >= 1 pictures (B, K, 3, size, size) in [-1, 1], each with the landmarks of a face. Raises BadInput."""
    shape = tuple(sources.image.shape)
    if len(shape) != 5 or shape[2] != 3:
        raise BadInput(f"sources: expected (B, K, 3, {size}, {size}), got {shape}.")
    if shape[1] == 0:
        raise BadInput("sources: there is no source picture (K = 0), and a face is drawn from one at least.")
    if shape[3:] != (size, size):
        raise BadInput(
            f"sources: pictures of {shape[4]} x {shape[3]} px, and this system draws at {size} x {size}. Resize the "
            f"crops to {size} px."
        )
    low, high = (float(edge) for edge in torch.aminmax(sources.image))
    if not (low >= -1 - _SLACK and high <= 1 + _SLACK):
        raise BadInput(
            f"sources: expected values in [-1, 1], got {low:.3g} to {high:.3g}. Divide bytes by 127.5, less 1."
        )
    if sources.landmarks.shape != (*shape[:2], 68, 2):
        raise BadInput(
            f"source landmarks: expected {(*shape[:2], 68, 2)}, one set for each picture, got "
            f"{tuple(sources.landmarks.shape)}."
        )
    missing = _faceless(sources.landmarks).nonzero().tolist()
    if missing:
        sample, place = missing[0]
        raise BadInput(
            f"sources: picture {place} of sample {sample} (counted from 0) has no landmarks, so no face was found in it"
            f"{_and_more(len(missing), 'pictures')}. Leave it out, or find its landmarks."
        )


def check_driving(driving: Faces, *, samples: int) -> None:
    """Landmarks (samples, 68, 2) of a face each; the picture is never looked at. Raises BadInput."""
    if driving.landmarks.shape != (samples, 68, 2):
        raise BadInput(
            f"driving landmarks: expected {(samples, 68, 2)}, one set for each sample of the sources, got "
            f"{tuple(driving.landmarks.shape)}."
        )
    missing = _faceless(driving.landmarks).nonzero().flatten().tolist()
    if missing:
        raise BadInput(
            f"driving landmarks: sample {missing[0]} (counted from 0) has none, so no face was found in its picture"
            f"{_and_more(len(missing), 'samples')}. Leave it out, or find its landmarks."
        )


def tensor_of(samples: Any) -> Tensor:
    """(B, K, 3, H, W) float32 of an array, or of lists of K pictures each; raises BadInput where those differ."""
    if isinstance(samples, np.ndarray) and samples.dtype != object:
        return torch.from_numpy(np.array(samples, np.float32))
    rows = [[np.asarray(picture, np.float32) for picture in sample] for sample in samples]
    counts = sorted({len(row) for row in rows})
    if len(counts) > 1:
        raise BadInput(
            f"sources: samples of {counts[0]} to {counts[-1]} pictures in one batch. Draw those with as many together."
        )
    shapes = sorted({picture.shape for row in rows for picture in row})
    if len(shapes) > 1:
        sizes = ", ".join(f"{shape[-1]} x {shape[-2]}" for shape in shapes)
        raise BadInput(f"sources: pictures of different sizes ({sizes} px). Resize all crops to the system's size.")
    return torch.from_numpy(
        np.array(rows, np.float32).reshape(len(rows), counts[0] if counts else 0, *(shapes or [(3, 0, 0)])[0])
    )


def _faceless(landmarks: Tensor) -> Tensor:
    """(..., 68, 2) -> (...): not a number anywhere, or all in one place, as where nothing was found."""
    flat = landmarks.float()
    spread = (flat - flat[..., :1, :]).abs().amax(dim=(-2, -1))
    return ~torch.isfinite(flat).all(dim=-1).all(dim=-1) | (spread == 0)


def _and_more(count: int, what: str) -> str:
    return f" ({count} such {what} in all)" if count > 1 else ""
