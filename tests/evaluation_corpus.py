"""A small corpus of drawn heads with exact labels, and tools that read them: what the evaluation's tests stand on.

A head's position follows its yaw, its brightness its identity, so that a fake judge can read both from the pixels.
"""

import numpy as np
import pandas as pd

from reenact.corpus.shards import frame_writer, write_array, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.evaluation.judges import Judges
from reenact.evaluation.tools import ToolsJudge
from reenact.faces.actions import ACTION_UNITS

FACE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 68)), np.sin(np.linspace(0, 2 * np.pi, 68))], axis=1) * 0.15


def head(identity, shift, side):
    """A disc of the identity's brightness, moved to the right by `shift` of the side."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    inside = (x - 0.5 - shift) ** 2 + (y - 0.5) ** 2 < 0.2**2
    picture = np.full((side, side, 3), 20, dtype=np.uint8)
    picture[inside] = 80 + 10 * identity
    return picture


class FakeTools:
    """Reads `head` pictures: the disc's centre is pose and landmarks, its brightness the identity."""

    name = "fake"

    def __init__(self):
        self.sha256 = {"landmarks": "a", "recognition": "b", "fit": "c"}
        self.read = 0

    def landmarks(self, picture):
        self.read += 1
        bright = picture[..., 0] > 60
        if not bright.any():
            return None
        y, x = np.nonzero(bright)
        return FACE * len(picture) + np.array([x.mean() + 0.5, y.mean() + 0.5])

    def descriptor(self, picture, landmarks):
        level = float(picture[picture[..., 0] > 60].mean()) / 255.0
        return np.cos(np.arange(128) * level * 3.0)

    def fit(self, landmarks, people):
        centre = landmarks.mean(axis=1) - FACE.mean(axis=0)
        yaw = (centre[:, 0] - 0.5) * 200.0
        pose = np.stack([np.full_like(yaw, 5.0), yaw, np.zeros_like(yaw)], axis=1)
        return pose, np.repeat(np.abs(yaw)[:, None] / 10.0, 17, axis=1) + people.neutral


def fake_judge():
    return ToolsJudge(FakeTools(), size=64)


def fake_judges():
    return Judges(default=fake_judge())


def write_corpus(root, *, splits=("train",) * 3 + ("val",) * 3 + ("test",) * 4, frames=10, side=32, by="identity"):
    """One identity of one clip per entry of `splits`; returns the folders as keyword arguments of `evaluate`."""
    folders = {name: root / name for name in ("frames", "landmarks", "actions", "validated")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    shifts = [(f - frames / 2) * 0.02 + 0.005 * i for i in range(len(splits)) for f in range(frames)]
    owners = [i for i in range(len(splits)) for _ in range(frames)]
    shard = "shard-00000"
    with frame_writer(folders["frames"], shard, codec="raw") as writer:
        writer.extend(head(i, shift, side) for i, shift in zip(owners, shifts, strict=True))
    landmarks = np.stack([FACE + np.array([0.5 + shift, 0.5]) for shift in shifts]).astype(np.float32)
    write_array(folders["landmarks"], shard, "landmarks", landmarks)
    write_array(folders["landmarks"], shard, "found", np.ones(len(owners), dtype=bool))
    yaw = np.array(shifts) * 200.0
    columns = {name: np.abs(yaw) / 10.0 for name in ACTION_UNITS} | {
        "pitch": yaw * 0 + 5.0,
        "yaw": yaw,
        "roll": yaw * 0,
    }
    write_rows(folders["actions"], shard, pd.DataFrame(columns), kind="actions")
    names = [f"clip-{i}" for i in range(len(splits))]
    people = [f"person-{i}" for i in range(len(splits))]
    shapes = pd.DataFrame({"clip": names, "shape_00": 0.0, **{f"neutral_{name}": 0.0 for name in ACTION_UNITS}})
    write_table(folders["actions"] / "shapes.parquet", shapes, kind="shapes")
    starts = [i * frames for i in range(len(splits))]
    clips = pd.DataFrame(
        {"clip": names, "identity": people, "shard": shard, "start": starts, "count": frames, "fps": 25.0}
    )
    write_table(folders["frames"] / "clips.parquet", clips, kind="clips")
    table = pd.DataFrame({"clip": names, "identity": people, "split": splits, "start": 0, "stop": frames, "by": by})
    write_table(folders["validated"] / "split.parquet", table, kind="split")
    write_stage(folders["frames"], kind="frames", size=side, codec="raw")
    for kind in ("landmarks", "actions", "validated"):
        write_stage(folders[kind], kind=kind)
    return folders
