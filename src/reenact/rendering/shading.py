"""Light on the head's meshes: how bright each corner of a triangle is, and how much it shines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_WRAP = 0.18  # light creeps around the edge of skin, which is a little translucent


@dataclass(frozen=True)
class Light:
    """A far light and the light from all around."""

    direction: Array  # (3,) unit vector towards the light, in the picture's axes
    colour: Array  # (3,) RGB factors
    ambient: float  # 0..1

    def level(self, normals: Array, reached: Array) -> Array:
        """Brightness of places with normals (n, 3), 1 for one that faces the camera; `reached` (n,) 0..1."""
        facing = np.clip((normals @ self.direction + _WRAP) / (1 + _WRAP), 0, None)
        sky = 0.78 - 0.22 * normals[:, 1]
        ahead = self.ambient * 0.78 + (1 - self.ambient) * (-self.direction[2] + _WRAP) / (1 + _WRAP)
        return np.asarray(reached * (self.ambient * sky + (1 - self.ambient) * facing) / max(ahead, 0.2))

    def gloss(self, normals: Array, power: float) -> Array:
        """Highlights (n,) 0..1 of places with normals (n, 3), seen along z (Blinn 1977)."""
        half = self.direction + (0.0, 0.0, -1.0)  # noqa: RUF005 - added, not concatenated
        half = half / np.linalg.norm(half)
        return np.asarray(np.clip(normals @ half, 0, None) ** power)
