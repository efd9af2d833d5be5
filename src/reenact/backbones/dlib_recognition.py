"""dlib's recognition network run by torch: dlib's numbers to 3e-7, in a seventh of its time.

dlib's wheels are built without BLAS and need 78 ms of a core for a face, this 11 ms. The weights are dlib's own file,
in which the layers stand from the picture to the embedding (a residual network of 29, after He et al. 2016).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reenact.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor

SIDE, WIDTH = 150, 128
MEAN = (122.782, 117.001, 104.298)  # of red, green and blue
# Channels of each residual block; those where they change halve the side, as does the last.
BLOCKS = (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256)
HALVING = (3, 7, 10, 13)


class DlibNetwork:
    """What dlib's `face_recognition_model_v1` answers."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises BadInput where a layer is not found in it."""
        reader = _Reader(path)
        self.stem = reader.convolution(32, 3, 7)
        self.blocks, channels = [], 32
        for out in BLOCKS:
            self.blocks.append((reader.convolution(out, channels, 3), reader.convolution(out, out, 3)))
            channels = out
        self.head = reader.tensor(channels, WIDTH)

    def __call__(self, image: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """(128,) of the face in an RGB (H, W, 3) picture, aligned by its (68, 2) landmarks in pixels."""
        import torch

        with torch.no_grad():
            return self._of_chip(torch.from_numpy(face_chip(image, landmarks))).double().numpy()

    def _of_chip(self, chip: "Tensor") -> "Tensor":
        import torch
        import torch.nn.functional as F

        # One picture at a time, so that its numbers don't depend on those beside it; colours innermost is fastest.
        x = ((chip.float() - torch.tensor(MEAN)) / 256).permute(2, 0, 1)[None]
        weight, bias = self.stem
        x = F.max_pool2d(F.conv2d(x, weight, bias, stride=2).relu(), 3, 2)
        for number, (first, second) in enumerate(self.blocks):
            halve = number in HALVING
            y = F.conv2d(x, *first, stride=2 if halve else 1, padding=0 if halve else 1).relu()
            y = F.conv2d(y, *second, padding=1)
            x = _sum(y, F.avg_pool2d(x, 2, 2) if halve else x).relu()
        return x.mean(dim=(2, 3))[0] @ self.head


def face_chip(image: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(150, 150, 3): the face with these (68, 2) landmarks, upright and of one size."""
    import dlib

    points = dlib.points([dlib.point(int(x), int(y)) for x, y in landmarks])
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    shape = dlib.full_object_detection(box, points)
    chip = dlib.get_face_chip(np.ascontiguousarray(image), shape, size=SIDE, padding=0.25)
    return np.asarray(chip, dtype=np.uint8)


def _sum(a: "Tensor", b: "Tensor") -> "Tensor":
    """dlib's: what the smaller one lacks in channels, rows or columns counts as 0."""
    import torch.nn.functional as F

    whole = [max(sizes) for sizes in zip(a.shape[1:], b.shape[1:], strict=True)]

    def padded(x: "Tensor") -> "Tensor":
        channels, rows, columns = (size - own for size, own in zip(whole, x.shape[1:], strict=True))
        return F.pad(x, (0, columns, 0, rows, 0, channels))

    return padded(a) + padded(b)


class _Reader:
    """Tensors of dlib's file in their order: a version, four sizes, and the numbers as little-endian floats."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.place = path, path.read_bytes(), 0

    def convolution(self, out: int, channels: int, side: int) -> "tuple[Tensor, Tensor]":
        """Weight and bias with the scale and shift after it."""
        import torch

        count = out * channels * side * side
        values, scale = self.tensor(count + out), self.tensor(2 * out)
        weight, bias, gamma, beta = values[:count], values[count:], scale[:out], scale[out:]
        weight = weight.view(out, channels, side, side) * gamma[:, None, None, None]
        return weight.contiguous(memory_format=torch.channels_last), bias * gamma + beta

    def tensor(self, *sizes: int) -> "Tensor":
        """The next tensor of these sizes."""
        import torch

        head = b"".join(map(_number, (2, *sizes, *[1] * (4 - len(sizes)))))
        found = self.data.find(head, self.place)
        start, count = found + len(head), int(np.prod(sizes))
        if found < 0 or len(self.data) < start + 4 * count:
            raise BadInput(f"{self.path}: not dlib's recognition network (no layer of {sizes} numbers where expected).")
        self.place = start + 4 * count
        values = np.frombuffer(self.data, "<f4", count, start)
        return torch.from_numpy(values.astype(np.float32)).view(sizes)


def _number(value: int) -> bytes:
    """dlib's: how many bytes, then these, the smallest first."""
    data = value.to_bytes(8, "little").rstrip(b"\0")
    return bytes([len(data)]) + data
