"""The rows of a table: functions that draw a picture for every pair. References and systems take the same way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.evaluation.pairs.shots import shots_of
from reenact.evaluation.pictures import Frames, Pictures
from reenact.evaluation.protocols import NO_FRAME
from reenact.evaluation.reference_names import COPY_SOURCE, GROUND_TRUTH, NEAREST_FRAME, OTHER_IDENTITY
from reenact.evaluation.references import nearest_frames, other_people
from reenact.faces.batch import Faces
from reenact.systems.protocol import Label, System


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Pictures for N pairs as they would be saved: 8 bits."""

    pictures: NDArray[np.uint8]  # (N, S, S, 3) RGB
    usable: NDArray[np.bool_]  # (N,): false where there is no picture, or it was not finite
    real: bool = False  # frames of the corpus, which other evaluations look at, too


Row = Callable[[pd.DataFrame], Drawn]


def frames_of(pairs: pd.DataFrame, role: str) -> Frames:
    """The frames that pairs name in a role: source, driving or truth."""
    clips, frames = pairs[f"{role}_clip"], pairs[f"{role}_frame"]
    return [(str(clip), int(frame)) for clip, frame in zip(clips, frames, strict=True)]


def real(pictures: Pictures, pairs: pd.DataFrame, role: str) -> Drawn:
    """The real pictures that pairs name in a role; black and not usable where they name none.

    A truth of a cross pair that no frame is, is drawn.
    """
    shown = _shown(pictures, frames_of(pairs, role))
    if role != "truth" or pictures.redrawn is None:
        return shown
    due = (pairs["protocol"] == "cross_truth").to_numpy() & ~shown.usable
    if due.any():
        sources, drivings = frames_of(pairs[due], "source"), frames_of(pairs[due], "driving")
        shown.pictures[due] = pictures.redrawn.many(sources, drivings, size=pictures.size)
    return Drawn(pictures=shown.pictures, usable=shown.usable | due)


def _shown(pictures: Pictures, frames: Frames) -> Drawn:
    usable = np.array([frame != NO_FRAME for frame in frames], dtype=bool)
    result = np.zeros((len(frames), pictures.size, pictures.size, 3), dtype=np.uint8)
    result[usable] = pictures.many([frame for frame in frames if frame != NO_FRAME])
    return Drawn(pictures=result, usable=usable, real=True)


def copy_source(pictures: Pictures) -> Row:
    """What a system scores that ignores the driver: the source itself."""
    return lambda pairs: real(pictures, pairs, "source")


def picked(pictures: Pictures, pick: Callable[[Corpus, pd.DataFrame], Frames]) -> Row:
    """Real frames, chosen by looking at the pairs; see evaluation.references."""
    return lambda pairs: _shown(pictures, pick(pictures.corpus, pairs))


def ground_truth(pictures: Pictures) -> Row:
    """The ceiling: the true picture, where the protocol has one."""
    return lambda pairs: real(pictures, pairs, "truth")


Landmarks = Callable[[Corpus, pd.DataFrame], NDArray[np.float32]]  # (N, 68, 3) for N pairs


def reenacted(
    system: System,
    pictures: Pictures,
    *,
    batch: int,
    device: torch.device | str,
    shots: int = 1,
    landmarks: Landmarks | None = None,
) -> Row:
    """A system's pictures. It is given the driver's labels; the driver's picture is NaN, so that reading it shows.

    `shots`: how many source pictures it is given. `landmarks`: what it is driven by in place of the driver's own.
    """

    def draw(pairs: pd.DataFrame) -> Drawn:
        parts = [
            _draw(system, pictures, pairs.iloc[start : start + batch], device, shots, landmarks)
            for start in range(0, len(pairs), batch)
        ]
        if not parts:
            return real(pictures, pairs, "source")
        return Drawn(
            pictures=np.concatenate([part.pictures for part in parts]),
            usable=np.concatenate([part.usable for part in parts]),
        )

    return draw


def _draw(
    system: System,
    pictures: Pictures,
    pairs: pd.DataFrame,
    device: torch.device | str,
    shots: int,
    landmarks: Landmarks | None,
) -> Drawn:
    sources = sources_for(pairs, pictures, system.labels, shots)
    driving = pictures.faces(frames_of(pairs, "driving"), system.labels, blind=True)
    if landmarks is not None:
        points = torch.from_numpy(landmarks(pictures.corpus, pairs))
        driving = replace(driving, landmarks=points[..., :2].contiguous())
        if driving.landmarks3d is not None:
            driving = replace(driving, landmarks3d=points)
    with torch.inference_mode():
        images = system.reenact(sources.to(device), driving.to(device)).float().cpu()
    return as_pictures(images)


def sources_for(pairs: pd.DataFrame, pictures: Pictures, labels: Sequence[Label], shots: int) -> Faces:
    """(N, shots, ...) source pictures of N pairs with their labels."""
    given = [frame for frames in shots_of(pairs, shots) for frame in frames]
    return pictures.faces(given, labels)[torch.arange(len(given)).reshape(len(pairs), shots)]


def as_pictures(images: torch.Tensor) -> Drawn:
    """(B, 3, H, W) in [-1, 1] -> 8 bits, clipped; not usable where a value is not finite."""
    usable = torch.isfinite(images).flatten(1).all(dim=1).numpy()
    levels = images.nan_to_num(nan=0.0).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return Drawn(pictures=levels.permute(0, 2, 3, 1).contiguous().numpy(), usable=usable)


def rows_of(pictures: Pictures, systems: Sequence[tuple[str, Row]]) -> dict[str, Row]:
    """The reference rows of every table, then the systems'."""
    references = {
        COPY_SOURCE: copy_source(pictures),
        GROUND_TRUTH: ground_truth(pictures),
        NEAREST_FRAME: picked(pictures, nearest_frames),
        OTHER_IDENTITY: picked(pictures, other_people),
    }
    return {**references, **dict(systems)}
