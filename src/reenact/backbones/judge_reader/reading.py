"""Reading face pictures with the judge reader."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.backbones.judge_reader.models import load_network, released_file
from reenact.backbones.judge_reader.views import EMBEDDING, SIZE, Square, cut_view, face_square
from reenact.faces.landmarks import FLIP
from reenact.faces.pose import flip_pose
from reenact.hashing import hash_file

_AT_ONCE = 32  # pictures that are read together, each with its mirror image
_WHOLE = Square(0.5, 0.5, 1.0)


@dataclass(frozen=True)
class FaceReading:
    """What the reader says of B pictures, also where it sees no face: then it means nothing."""

    landmarks: NDArray[np.float64]  # (B, 68, 2) crop coordinates 0..1 of the picture
    pose: NDArray[np.float64]  # (B, 3) pitch, yaw, roll in degrees
    actions: NDArray[np.float64]  # (B, 17) 0..5
    embedding: NDArray[np.float64]  # (B, E) of length 1: the cosine of two says how alike two people are
    face: NDArray[np.float64]  # (B,) 0..1: how surely there is a face


class JudgeFaceReader:
    """A network that is ready to read. It looks twice: at the whole picture, then closely at the face it saw there."""

    def __init__(self, path: Path) -> None:
        self.name, self.sha256 = path.stem, hash_file(path)
        self.network = load_network(path)
        self.size = SIZE

    def read(self, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> FaceReading:
        """Faces in square RGB pictures (B, S, S, 3) of any sides, each with one face that fills a good part of it."""
        parts = [self._read(pictures[at : at + _AT_ONCE]) for at in range(0, len(pictures), _AT_ONCE)]
        if not parts:
            return FaceReading(*(np.zeros(shape) for shape in ((0, 68, 2), (0, 3), (0, 17), (0, EMBEDDING), (0,))))
        return FaceReading(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(FaceReading))
        )

    def _read(self, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> FaceReading:
        first = self._look(pictures, [_WHOLE] * len(pictures))
        return self._look(pictures, [_sensible(face_square(points)) for points in first.landmarks])

    def _look(self, pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], squares: list[Square]) -> FaceReading:
        """Each picture's square and its mirror image; the mean of both answers, in coordinates of the picture."""
        import torch

        views = np.stack([cut_view(np.asarray(one), at, SIZE) for one, at in zip(pictures, squares, strict=True)])
        both = np.concatenate([views, views[:, :, ::-1]])
        with torch.inference_mode():
            answer = self.network(torch.from_numpy(both).permute(0, 3, 1, 2).float())
        count = len(views)
        points, pose = answer.landmarks.double().numpy(), answer.pose.double().numpy()
        points = (points[:count] + points[count:, FLIP] * (-1, 1) + (1, 0)) / 2
        corners, sides = np.array([one.corner for one in squares]), np.array([one.side for one in squares])
        actions, face = (
            each.double().unflatten(0, (2, count)).mean(dim=0).numpy() for each in (answer.actions, answer.face)
        )
        whole = torch.nn.functional.normalize(answer.embedding.double(), dim=1).unflatten(0, (2, count)).sum(dim=0)
        return FaceReading(
            landmarks=points * sides[:, None, None] + corners[:, None],
            pose=(pose[:count] + flip_pose(pose[count:])) / 2,
            actions=np.clip(actions, 0.0, 5.0),
            embedding=torch.nn.functional.normalize(whole, dim=1).numpy(),
            face=1 / (1 + np.exp(-face)),
        )


def _sensible(square: Square) -> Square:
    """Where there is no face the first look may answer anything: a place in the picture, of a size that can be cut."""
    return Square.around(np.clip(square.centre, 0.0, 1.0), min(max(square.side, 0.1), 2.0))


def judge_face_reader() -> JudgeFaceReader:
    """The released reader; loaded once per process."""
    return _reader(released_file())


@cache
def _reader(path: Path) -> JudgeFaceReader:
    return JudgeFaceReader(path)
