"""The rest of the head as meshes: skull, ears, neck; all in mm before pose, the neck's foot in the camera's axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.rendering.head import Head
from reenact.rendering.raster import grid_faces, grid_normals

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A grid of points (R, C, 3), its unit normals out of the head, and how much light reaches it (R, C) 0..1."""

    points: Array
    normals: Array
    open: Array
    faces: NDArray[np.int64]
    both: bool = False


def skull(head: Head) -> Part:
    """The bare skull behind and above the face, just below its surface."""
    polar, azimuth = np.meshgrid(np.linspace(0.02, 2.3, 14), np.linspace(-np.pi, np.pi, 33), indexing="ij")
    directions = np.stack([np.sin(polar) * np.sin(azimuth), -np.cos(polar), -np.sin(polar) * np.cos(azimuth)], -1)
    front = np.clip((1.75 - np.abs(azimuth)) / 0.4, 0, 1) * np.clip((polar - 0.55) / 0.3, 0, 1)
    points = head.skull(directions, -1.2)
    points = points + (np.array([0.0, -38.0, 58.0]) - points) * (0.35 * front)[..., None]  # well behind the face
    return Part(points, grid_normals(points), np.ones(polar.shape), grid_faces(*polar.shape))


def ear(head: Head, side: float) -> Part:
    """One ear: a flared leaf with a rim and a hollow; `side` -1 for the person's right."""
    share, angle = np.meshgrid(np.linspace(0.0, 1.0, 8), np.linspace(0, 2 * np.pi, 25), indexing="ij")
    back = 9.5 * np.cos(angle) * share
    up = 18.0 * np.sin(angle) * share * (1.0 - 0.16 * np.cos(angle)) * np.where(np.sin(angle) < 0, 0.95, 1.0)
    rim = 2.6 * np.exp(-(((share - 0.82) / 0.16) ** 2)) - 3.0 * np.exp(-((share / 0.45) ** 2))
    rim = rim - 2.5 * (share > 0.95)
    flare = np.radians(30.0)
    centre = np.array([side * (head.half_width + 1.5), head.rest[[0, 16], 1].mean() + 10.0, 60.0])
    out = np.stack([side * (back * np.sin(flare) + rim * np.cos(flare)), -up - 0.18 * back,
                    back * np.cos(flare) - rim * np.sin(flare)], -1)  # fmt: skip
    points = centre + out + np.array([side * 2.0, 0, 0])
    normals = grid_normals(points)
    outside = np.array([side * np.cos(flare), 0.0, -np.sin(flare)])
    normals = normals * np.sign((normals * outside).sum(-1, keepdims=True) + 1e-9)
    hollow = 1.0 - 0.5 * np.exp(-((share / 0.5) ** 2)) - 0.12 * (np.abs(share - 0.62) < 0.1)
    return Part(points, normals, hollow, grid_faces(*share.shape), both=True)


def neck(head: Head) -> Part:
    """A tube from under the jaw, where it turns with the head, to the shoulders, which hardly do."""
    down, azimuth = np.meshgrid(np.linspace(0, 1, 9), np.linspace(-np.pi, np.pi, 31), indexing="ij")
    thick = head.half_width * (0.66 + 0.05 * down + 0.10 * down**3)
    deep = 44.0 + 6.0 * down
    ring = np.stack([thick * np.sin(azimuth), -6.0 + 136.0 * down, 68.0 - deep * np.cos(azimuth)], -1)
    ring[..., 2] -= 3.0 * np.exp(-((azimuth / 0.25) ** 2)) * np.exp(-(((down - 0.55) / 0.2) ** 2))  # the larynx
    turned = head.turned(ring)
    share = (np.clip(down, 0, 1) ** 1.5)[..., None]
    points = turned * (1 - share) + ring * share
    shade = 0.36 + 0.50 * np.clip((down - 0.42) / 0.45, 0, 1)
    return Part(points, grid_normals(points), shade, grid_faces(*down.shape))
