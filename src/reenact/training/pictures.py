"""Pictures of a training to look at: the same few pairs, drawn again as training goes on."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.corpus.sampling import Sampler
from reenact.faces.batch import FaceBatch
from reenact.faces.drawing import draw_landmarks

Picture = NDArray[np.uint8]
_MOST_COLUMNS = 8  # of generated pictures in the strip over time
_HEADER = 16  # pixels


def to_bytes(images: Tensor) -> Picture:
    """(N, 3, H, W) in [-1, 1] -> (N, H, W, 3) uint8."""
    pixels = ((images.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def probe_numbers(sampler: Sampler, count: int) -> list[int]:
    """The first samples that show `count` different people; people come again where there are fewer."""
    numbers: list[int] = []
    people: set[str] = set()
    for number in range(50 * count):
        person = sampler.draw(number).identity
        if person not in people or len(people) == len(sampler.identities):
            numbers.append(number)
            people.add(person)
        if len(numbers) == count:
            break
    return numbers


def grid(probes: FaceBatch, generated: Sequence[Picture], titles: Sequence[str]) -> Picture:
    """A row per probe: source | target's landmarks | what was generated, a column each | target.

    `generated` are (N, H, W, 3) uint8; `titles` name their columns.
    """
    size = probes.target.image.shape[-1]
    landmarks = probes.target.landmarks.float().cpu().numpy()
    drawn = np.stack([draw_landmarks(points, size) for points in landmarks])
    columns = [to_bytes(probes.source.image), drawn, *generated, to_bytes(probes.target.image)]
    body = np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)
    header = np.full((_HEADER, body.shape[1], 3), 255, dtype=np.uint8)
    for place, title in enumerate(["source", "landmarks", *titles, "target"]):
        scale = min(0.4, 0.4 * size / 70)
        cv2.putText(header, title, (place * size + 2, 11), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([header, body])


def over_time(probes: FaceBatch, snapshots: Sequence[tuple[int, Tensor]]) -> Picture:
    """The grid with up to 8 snapshots (step, (N, H, W, 3) uint8), evenly spread, first and last among them."""
    if len(snapshots) > _MOST_COLUMNS:
        places = np.linspace(0, len(snapshots) - 1, _MOST_COLUMNS).round().astype(int)
        snapshots = [snapshots[place] for place in places]
    return grid(probes, [pixels.numpy() for _, pixels in snapshots], [f"step {step}" for step, _ in snapshots])


def thinned(snapshots: list[tuple[int, Tensor]], most: int = 24) -> list[tuple[int, Tensor]]:
    """Every other one where there are too many, so that a long training keeps a bounded number."""
    return snapshots if len(snapshots) <= most else snapshots[::2]
