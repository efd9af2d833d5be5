"""Which triangle is nearest at each pixel: meshes drawn into a depth buffer, triangles of a size at once in NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Single = NDArray[np.float32]

# Triangles are tried on squares of these sides in pixels; larger ones in steps of two.
_BOXES = (3, 5, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Mesh:
    """Triangles that lie in the picture."""

    points: Array  # (V, 3) pixels: x, y, and z away from the camera
    faces: NDArray[np.int64]  # (T, 3); seen from outside a, b, c turn from x to y
    values: Single  # (V, A) what is interpolated between the corners
    part: int
    both: bool = False  # whether its inside is seen too


@dataclass(frozen=True)
class Surface:
    """What is seen at each pixel of a picture of side S."""

    depth: Single  # (S, S) infinite where nothing is
    part: NDArray[np.int16]  # (S, S) -1 where nothing is
    values: Single  # (A, S, S) 0 where nothing is


def rasterise(meshes: Sequence[Mesh], side: int) -> Surface:
    """Draw meshes into a picture of side S = `side`; a pixel shows the nearest triangle that covers its centre."""
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    points = np.concatenate([mesh.points for mesh in meshes]).astype(np.float32)
    values = np.concatenate([mesh.values for mesh in meshes]).astype(np.float32)
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts[:-1], strict=True)])
    parts = np.concatenate([np.full(len(mesh.faces), mesh.part, np.int16) for mesh in meshes])
    both = np.concatenate([np.full(len(mesh.faces), mesh.both) for mesh in meshes])
    pixel, triangle, second, third = _covered(points, faces, both, side)
    z = points[:, 2][faces]
    z[:, 1:] -= z[:, :1]
    depth = z[:, 0][triangle] + second * z[:, 1][triangle] + third * z[:, 2][triangle]
    nearest = np.full(side * side, np.inf, np.float32)
    np.minimum.at(nearest, pixel, depth)
    wins = np.flatnonzero(depth <= nearest[pixel])
    pixel, triangle = pixel[wins], triangle[wins]
    part = np.full(side * side, -1, np.int16)
    part[pixel] = parts[triangle]
    second, third = second[wins], third[wins]
    seen = np.zeros((values.shape[1], side * side), np.float32)
    for plane, value in zip(seen, np.ascontiguousarray(values.T), strict=True):
        first, ahead, beyond = (value[corner] for corner in faces.T)
        change = second * (ahead - first)[triangle] + third * (beyond - first)[triangle]
        plane[pixel] = first[triangle] + change
    return Surface(nearest.reshape(side, side), part.reshape(side, side), seen.reshape(-1, side, side))


def _covered(
    points: Single, faces: NDArray[np.int64], both: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Single, Single]:
    """Every pair of a pixel and a triangle over it: flat pixel, triangle, weights of its second and third corner."""
    origin, ahead, beyond = (points[faces[:, corner], :2] for corner in range(3))
    edge1, edge2 = ahead - origin, beyond - origin
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    towards = np.flatnonzero(np.where(both, np.abs(area), area) > 1e-6)
    origin, ahead, beyond, edge1, edge2, area = (
        array[towards] for array in (origin, ahead, beyond, edge1, edge2, area)
    )
    low = np.ceil(np.minimum(np.minimum(origin, ahead), beyond) - np.float32(0.5)).astype(np.int32)
    high = np.floor(np.maximum(np.maximum(origin, ahead), beyond) - np.float32(0.5)).astype(np.int32)
    low, high = np.maximum(low, 0), np.minimum(high, side - 1)
    extent = high - low + 1
    longest = np.where((extent > 0).all(axis=1), extent.max(axis=1), 0)
    # Weights of the second and third corner as b = bx * x + by * y + b0 at the pixel x, y steps from `low`.
    start = (low.astype(np.float32) + np.float32(0.5)) - origin
    scale = np.float32(1.0) / area
    bx, by, cx, cy = edge2[:, 1] * scale, -edge2[:, 0] * scale, -edge1[:, 1] * scale, edge1[:, 0] * scale
    second = np.stack([bx, by, start[:, 0] * bx + start[:, 1] * by], axis=-1)
    third = np.stack([cx, cy, start[:, 0] * cx + start[:, 1] * cy], axis=-1)
    corner = low[:, 1] * side + low[:, 0]
    found, shortest = [], 0
    for box in _BOXES:
        rows = np.flatnonzero((longest > shortest) & (longest <= box))
        shortest = box
        if not len(rows):
            continue
        down, across = np.divmod(np.arange(box * box, dtype=np.int32), box)
        offsets = np.stack([across, down, np.ones_like(down)]).astype(np.float32)
        b, c = second[rows] @ offsets, third[rows] @ offsets
        inside = np.flatnonzero((np.minimum(b, c) >= 0) & (b + c <= 1)).astype(np.int32)
        row = inside // np.int32(box * box)
        offset = inside - row * np.int32(box * box)
        x = low[rows, 0][row] + across[offset]
        pixel = corner[rows][row] + down[offset] * side + across[offset]
        found.append((pixel, towards[rows[row]], b.ravel()[inside], c.ravel()[inside], x < side))
    if not found:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, np.empty(0, np.float32), np.empty(0, np.float32)
    pixel, triangle, b, c, within = (np.concatenate(list(column)) for column in zip(*found, strict=True))
    within &= pixel < side * side
    return pixel[within].astype(np.int64), triangle[within], b[within], c[within]  # `ufunc.at` is slow with others


def grid_faces(rows: int, columns: int, kept: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Triangles (T, 3) of a grid of points, row by row; `kept` (rows - 1, columns - 1) says which cells there are."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    if kept is not None:
        a, b, c, d = a[kept], b[kept], c[kept], d[kept]
    first = np.stack([a.ravel(), b.ravel(), c.ravel()], -1)
    return np.concatenate([first, np.stack([b.ravel(), d.ravel(), c.ravel()], -1)])


def grid_normals(points: Array) -> Array:
    """Unit normals of a grid of points (R, C, 3), out of the side from which rows go down and columns to the right."""
    along, down = np.empty_like(points), np.empty_like(points)
    along[:, 1:-1] = points[:, 2:] - points[:, :-2]
    along[:, 0], along[:, -1] = points[:, 1] - points[:, 0], points[:, -1] - points[:, -2]
    down[1:-1] = points[2:] - points[:-2]
    down[0], down[-1] = points[1] - points[0], points[-1] - points[-2]
    across = np.stack([
        down[..., 1] * along[..., 2] - down[..., 2] * along[..., 1],
        down[..., 2] * along[..., 0] - down[..., 0] * along[..., 2],
        down[..., 0] * along[..., 1] - down[..., 1] * along[..., 0],
    ], axis=-1)  # fmt: skip
    return np.asarray(across / np.sqrt(np.einsum("rci,rci->rc", across, across) + 1e-12)[..., None])
