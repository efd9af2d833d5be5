"""Landmarks as heatmaps and as pictures, faces per second of one core: ours beside painting them the usual way.

    python benchmarks/heatmaps.py [--seconds 3] [--out FILE.json]

A heatmap is one face: 68 channels. `profiles` is what training computes, `painted` writes all pixels, `first layer` is
the generator's first convolution without painting beside torch's `Conv2d` over painted channels; `gaussian per
landmark` is the loop over landmarks that the seeds' authors use, in numpy. `landmark pictures` are the coloured lines
of the few-shot systems, `polylines` the same lines by OpenCV, face by face on the CPU. Processor time.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reenact.faces.drawing import draw_landmarks
from reenact.faces.heatmaps import heatmaps, profiles
from reenact.faces.landmark_pictures import landmark_pictures
from reenact.nn.heatmap_conv import heatmap_conv

BATCH, POINTS, RADIUS = 10, 68, 3


def gaussian_per_landmark(landmarks: np.ndarray, size: int) -> np.ndarray:
    """(B, 68, 2) -> (B, 68, size, size): a window of 7 x 7 pixels pasted for every landmark."""
    grid = np.linspace(-1, 1, 2 * RADIUS + 1)
    window = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / (2 / 3)).astype(np.float32)
    result = np.zeros((*landmarks.shape[:2], size + 2 * RADIUS, size + 2 * RADIUS), dtype=np.float32)
    for face, points in enumerate((landmarks * size).astype(int)):
        for number, (x, y) in enumerate(points):
            result[face, number, y : y + 2 * RADIUS + 1, x : x + 2 * RADIUS + 1] = window
    return result[:, :, RADIUS:-RADIUS, RADIUS:-RADIUS]


def rate(step: Callable[[], Any], seconds: float) -> float:
    """Faces per second of processor time."""
    step()
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        step()
        count += BATCH
    return count / (time.process_time() - start)


def measure(size: int, seconds: float) -> dict[str, Any]:
    """All figures at one size."""
    random = np.random.default_rng(0)
    points = random.uniform(0.05, 0.95, (BATCH, POINTS, 2)).astype(np.float32)
    landmarks, image = torch.from_numpy(points), torch.zeros(BATCH, 3, size, size)
    first = torch.nn.Conv2d(3 + POINTS, 64, 5, padding=1)
    with torch.no_grad():
        steps: dict[str, Callable[[], Any]] = {
            "profiles": lambda: profiles(landmarks, size),
            "painted": lambda: heatmaps(landmarks, size),
            "gaussian_per_landmark": lambda: gaussian_per_landmark(points, size),
            "first_layer": lambda: heatmap_conv(first, image, profiles(landmarks, size)),
            "landmark_pictures": lambda: landmark_pictures(landmarks, size),
            "polylines": lambda: np.stack([draw_landmarks(face, size) for face in points]),
            "first_layer_painted": lambda: first(torch.cat([image, heatmaps(landmarks, size)], dim=1)),
        }
        return {"size": size, **{name: round(rate(step, seconds), 1) for name, step in steps.items()}}


def main() -> None:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(size, options.seconds) for size in (64, 128, 256)]
    print("faces per second of one core")
    for row in rows:
        print("  ".join(f"{name} {value:,.0f}" for name, value in row.items()))
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
    if options.out:
        options.out.write_text(
            json.dumps({"unit": "faces per second", "machine": machine, "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
