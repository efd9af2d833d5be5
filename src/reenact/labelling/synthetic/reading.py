"""Reading faces in pictures with a trained network."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.faces.landmarks import FLIP
from reenact.faces.pose import flip_pose, pose_of
from reenact.hashing import hash_file
from reenact.labelling.backend import Box, Gray
from reenact.labelling.geometry import detector_like_box
from reenact.labelling.synthetic.geometry import cut_view, view_of
from reenact.labelling.synthetic.models import Role, SyntheticModel, load_network, model_file

_AT_ONCE = 64  # views that are read together


@dataclass(frozen=True)
class Reading:
    """What a network says of B faces."""

    landmarks3d: NDArray[np.float64]  # (B, 68, 3) in the boxes' unit, z away from the camera with mean 0
    visibility: NDArray[np.float64]  # (B, 68) 0..1: how surely the head itself doesn't hide a point
    pose: NDArray[np.float64]  # (B, 3) pitch, yaw, roll in degrees
    confidence: NDArray[np.float64]  # (B,) 0..1: how surely there is a face in the box


class FaceReader:
    """A network that is ready to read; of any turn to about 80 degrees of yaw."""

    def __init__(self, path: Path) -> None:
        self.name, self.sha256 = path.stem, hash_file(path)
        self.network, self.size = load_network(path)

    def read(
        self, images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], boxes: NDArray[np.floating], *, passes: int = 2
    ) -> Reading:
        """Faces in RGB pictures (B, H, W, 3) of one side, given boxes (B, 4) x0, y0, x1, y1 in shares 0..1 of it.

        Each face is read with its mirror image, `passes` times, each time in the box that the last points imply. All
        that comes back is in shares of the side, too.
        """
        gray = [np.asarray(cv2.cvtColor(np.asarray(one), cv2.COLOR_RGB2GRAY), dtype=np.uint8) for one in images]
        where = [Box(*(float(v) for v in box)).scaled(one.shape[1]) for one, box in zip(gray, boxes, strict=True)]
        found = self.read_gray(gray, where)
        for _ in range(passes - 1):
            where = [detector_like_box(points[:, :2]) for points in found.landmarks3d]
            found = self.read_gray(gray, where)
        sides = np.array([one.shape[1] for one in gray], dtype=np.float64)
        return Reading(found.landmarks3d / sides[:, None, None], found.visibility, found.pose, found.confidence)

    def read_gray(self, grays: Sequence[Gray], boxes: Sequence[Box], *, mirror: bool = True) -> Reading:
        """Faces in gray pictures of any size, given their boxes in pixels; one pass, the answers in pixels."""
        parts = []
        for start in range(0, len(grays), _AT_ONCE):
            views = [view_of(box) for box in boxes[start : start + _AT_ONCE]]
            cut = np.stack(
                [
                    cut_view(gray, view, self.size)
                    for gray, view in zip(grays[start : start + _AT_ONCE], views, strict=True)
                ]
            )
            parts.append(_placed(self._read_views(cut, mirror), views))
        names = ("landmarks3d", "visibility", "pose", "confidence")
        return Reading(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def _read_views(self, views: NDArray[np.uint8], mirror: bool) -> Reading:
        import torch

        both = np.concatenate([views, views[..., ::-1]]) if mirror else views
        with torch.inference_mode():
            answer = self.network(torch.from_numpy(np.ascontiguousarray(both))[:, None].float())
        points, seen = answer.points.double().numpy(), answer.visibility.double().numpy()
        pose, face = pose_of(answer.turn.double().numpy()), answer.face.double().numpy()
        if mirror:
            count = len(views)
            back = points[count:, FLIP] * (-1, 1, 1) + (1, 0, 0)
            points, seen = (points[:count] + back) / 2, (seen[:count] + seen[count:, FLIP]) / 2
            pose, face = (pose[:count] + flip_pose(pose[count:])) / 2, (face[:count] + face[count:]) / 2
        return Reading(points, 1 / (1 + np.exp(-seen)), pose, 1 / (1 + np.exp(-face)))


def _placed(reading: Reading, views: Sequence[Box]) -> Reading:
    """Points in shares of each view -> in the unit of the views."""
    corners = np.array([(view.x0, view.y0, 0.0) for view in views])
    sides = np.array([view.side for view in views])
    points = reading.landmarks3d * sides[:, None, None] + corners[:, None]
    return Reading(points, reading.visibility, reading.pose, reading.confidence)


def face_reader(model: SyntheticModel | None = None, role: Role = "labels") -> FaceReader:
    """The reader of a role, or of a file of your own; loaded once per process."""
    return _reader(model_file(model, role))


@cache
def _reader(path: Path) -> FaceReader:
    return FaceReader(path)
