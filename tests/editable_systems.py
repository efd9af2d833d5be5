"""Stand-ins whose right answer is known: a system that paints its labels as grey bars and who reads them; a mixer."""

import numpy as np
import torch
from torch import nn

from reenact.corpus.shards import write_array, write_stage
from reenact.faces.actions import ACTION_UNITS

BARS = len(ACTION_UNITS) + 3  # rows of the picture from its top: 17 action units, pitch, yaw, roll
SPAN = 90.0  # degrees to either side of the middle grey


class Painter(nn.Module):
    """Paints action units and pose into the first 20 rows; `heard` changes the 17 units on their way."""

    name, size, labels, moves_by_actions = "painter", 32, ("landmarks", "actions", "pose"), True

    def __init__(self, heard=lambda actions: actions):
        super().__init__()
        self.heard, self.given = heard, []

    def reenact(self, sources, driving):
        assert torch.isnan(driving.image).all()
        self.given.append((sources, driving))
        units = self.heard(driving.actions).clamp(0, 5) / 5
        bars = torch.cat([units, (driving.pose + SPAN) / (2 * SPAN)], dim=1) * 2 - 1
        image = torch.zeros(len(bars), 3, self.size, self.size)
        image[:, :, :BARS] = bars[:, None, :, None]
        return image


class Unsure(Painter):
    """Finds no number for one level of one unit."""

    def reenact(self, sources, driving):
        image = super().reenact(sources, driving)
        image[driving.actions[:, ACTION_UNITS.index("AU04")] > 4.9] = float("nan")
        return image


class BarsJudge:
    """Reads what `Painter` paints; a picture with a black corner below the bars shows no face."""

    def __init__(self):
        self.card = {"name": "bars", "size": 32, "sha256": {}}

    def landmarks(self, pictures):
        return np.zeros((len(pictures), 68, 2), np.float32)

    def descriptors(self, pictures):
        return np.ones((len(pictures), 4), np.float32)

    def pose_and_actions(self, pictures, people):
        bars = np.stack([picture[:BARS].mean(axis=(1, 2)) for picture in pictures]) / 255.0
        lost = np.array([picture[-1, -1, 0] == 0 for picture in pictures])
        bars[lost] = np.nan
        return bars[:, 17:] * 2 * SPAN - SPAN, bars[:, :17] * 5 - people.neutral


class Mixer(nn.Module):
    """Puts a disc where the driver's landmarks are before the given picture, which it spoils by `off` grey levels."""

    name, size, labels = "mixer", 32, ("landmarks", "segments")

    def __init__(self, off=0.0, radius=0.2, without=None):
        super().__init__()
        self.off, self.radius, self.given = off, radius, []
        if without is not None:
            self.unmixed = without

    def masks(self, sources, driving):
        centre = driving.landmarks.mean(dim=1)
        grid = (torch.arange(self.size) + 0.5) / self.size
        across = (grid[None, None] - centre[:, 0, None, None]) ** 2
        return {"mixer": (across + (grid[None, :, None] - centre[:, 1, None, None]) ** 2 < self.radius**2).float()}

    def mask_on(self, sources, driving, background):
        return self.masks(sources, driving)["mixer"]

    def on_background(self, sources, driving, background):
        self.given.append(background)
        mask = self.masks(sources, driving)["mixer"][:, None]
        return mask * 0.9 + (1 - mask) * (background + self.off / 127.5)

    def reenact(self, sources, driving):
        return self.on_background(sources, driving, sources.image[:, 0])


def discs(landmarks, *, radius=0.2, side=128):
    """Segments (N, 128, 128): 1 within `radius` of the landmarks' mean."""
    grid = (np.arange(side) + 0.5) / side
    centre = landmarks.mean(axis=1)
    far = (grid[None, None] - centre[:, 0, None, None]) ** 2 + (grid[None, :, None] - centre[:, 1, None, None]) ** 2
    return (far < radius**2).astype(np.uint8)


def write_segments(root, corpus, **how):
    """A folder of segments that fit the heads of evaluation_corpus."""
    folder = root / "segments"
    folder.mkdir()
    for shard in {clip.shard for clip in corpus.clips}:
        own = sorted((clip for clip in corpus.clips if clip.shard == shard), key=lambda clip: clip.start)
        landmarks = np.concatenate([np.asarray(corpus.landmarks(clip)) for clip in own])
        write_array(folder, shard, "segments", discs(landmarks, **how))
    write_stage(folder, kind="segments", made=True)
    return folder
