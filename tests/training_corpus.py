"""A small corpus of drawn faces, written through the shard writers: what the training tests sample from."""

import cv2
import numpy as np
import pandas as pd

from reenact.corpus.shards import frame_writer, write_array, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.faces.actions import ACTION_UNITS


def picture(identity, frame, side):
    """Bright in a colour of the identity, with a disc whose place follows the frame: left and right differ."""
    image = np.full((side, side, 3), 30 + 12 * identity, dtype=np.uint8)
    centre = (int(side * (0.3 + 0.02 * frame)), int(side * (0.4 + 0.01 * frame)))
    cv2.circle(image, centre, side // 5, (200, 40 + 15 * identity, 90), -1, cv2.LINE_AA)
    return image


def landmarks_of(identity, frame):
    """Points that say which clip and frame they belong to: x of point 0 is identity / 100, y is frame / 100."""
    points = np.random.default_rng(identity * 1000 + frame).uniform(0.2, 0.8, (68, 2)).astype(np.float32)
    points[0] = (identity / 100, frame / 100)
    return points


def write_corpus(root, *, identities=4, frames=12, side=32, codec="raw", clips_per_shard=2, lost=()):
    """Folders frames, landmarks, actions, validated below `root`; `lost` lists (identity, frame) without landmarks.

    Identity i is in train, the last one in val. Returns the four folders.
    """
    folders = {name: root / name for name in ("frames", "landmarks", "actions", "validated")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    rows = []
    for first in range(0, identities, clips_per_shard):
        shard = f"shard-{first // clips_per_shard:05d}"
        members = range(first, min(first + clips_per_shard, identities))
        grid = [(i, f) for i in members for f in range(frames)]
        with frame_writer(folders["frames"], shard, codec=codec) as writer:
            writer.extend(picture(i, f, side) for i, f in grid)
        write_array(folders["landmarks"], shard, "landmarks", np.stack([landmarks_of(i, f) for i, f in grid]))
        write_array(folders["landmarks"], shard, "found", np.array([(i, f) not in lost for i, f in grid]))
        pose = {"pitch": [1.0] * len(grid), "yaw": [10.0] * len(grid), "roll": [-3.0] * len(grid)}
        units = {name: [1.5] * len(grid) for name in ACTION_UNITS}
        write_rows(folders["actions"], shard, pd.DataFrame({**units, **pose}), kind="actions")
        for place, i in enumerate(members):
            rows.append({"clip": f"clip-{i}", "identity": f"person-{i}", "shard": shard, "start": place * frames,
                         "count": frames, "fps": 25.0})  # fmt: skip
    write_table(folders["frames"] / "clips.parquet", pd.DataFrame(rows), kind="clips")
    parts = [
        {"clip": row["clip"], "identity": row["identity"], "split": "val" if row is rows[-1] else "train",
         "start": 0, "stop": frames, "by": "identity"} for row in rows
    ]  # fmt: skip
    write_table(folders["validated"] / "split.parquet", pd.DataFrame(parts), kind="split")
    shapes = pd.DataFrame({"clip": [row["clip"] for row in rows], "shape_00": np.arange(len(rows)) / 10})
    write_table(folders["actions"] / "shapes.parquet", shapes, kind="shapes")
    write_stage(folders["frames"], kind="frames", size=side, codec=codec)
    for kind in ("landmarks", "actions", "validated"):
        write_stage(folders[kind], kind=kind)
    return folders
