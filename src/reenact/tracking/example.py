"""What a registered model can be tried with: the shape model's mean face, drawn as lines, as source and as driver."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.faces.drawing import draw_landmarks
from reenact.faces.shape_model import shape_model

_SIDE = 220.0  # mm of the face that a crop shows


def input_example(card: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """One sample by the names of `registry.signature`, for the system whose `model.json` this is.

    Its pictures have the system's size, and are as many as the system can't do without.
    """
    size, sources = int(card["size"]), int(card.get("shots", 1)) if card.get("exact_sources") else 1
    landmarks = shape_model().mean[:, :2] / _SIDE + 0.5
    picture = draw_landmarks(landmarks, size).transpose(2, 0, 1) / 127.5 - 1.0
    one = {"landmarks": landmarks, "actions": np.zeros(17), "pose": np.zeros(3)}
    values = {
        "sources": np.broadcast_to(picture, (sources, *picture.shape)),
        **{f"source_{name}": np.broadcast_to(value, (sources, *value.shape)) for name, value in one.items()},
        **{f"driving_{name}": value for name, value in one.items()},
    }
    return {name: np.array(value[None], dtype=np.float32) for name, value in values.items()}
