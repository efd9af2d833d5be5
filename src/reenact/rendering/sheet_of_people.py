"""A contact sheet of rendered people: `python -m reenact.rendering.sheet_of_people docs/rendered_people.jpg`."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from reenact.atomic import atomic_file
from reenact.rendering.clips import invent_scene
from reenact.rendering.scene import Image, Stage

_FRAMES = 40


def sheet_of_people(*, identities: int, columns: int, size: int, seed: int, yaw: float) -> Image:
    """One frame of each identity, RGB uint8 (rows * size, columns * size, 3)."""
    pictures = []
    for identity in range(identities):
        scene = invent_scene(
            seed=seed, identity=identity, clip=0, frames=_FRAMES, fps=25.0, size=size, yaw=yaw, honest=True
        )
        stage = Stage(scene.person, scene.surroundings, scene.motion, size)
        pictures.append(stage.draw(scene.motion, (7 * identity) % _FRAMES)[0])
    pictures += [np.zeros_like(pictures[0])] * (-len(pictures) % columns)
    rows = [np.concatenate(pictures[i : i + columns], axis=1) for i in range(0, len(pictures), columns)]
    return np.concatenate(rows)


def main() -> None:
    """Draw the sheet and write it as JPEG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--identities", type=int, default=24)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="side of each picture in pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--yaw", type=float, default=45.0, help="largest turn to either side, degrees")
    chosen = parser.parse_args()
    sheet = sheet_of_people(
        identities=chosen.identities, columns=chosen.columns, size=chosen.size, seed=chosen.seed, yaw=chosen.yaw
    )
    encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    with atomic_file(chosen.out) as temporary:
        temporary.write_bytes(encoded.tobytes())


if __name__ == "__main__":
    main()
