"""What another method needs to draw the pairs of a list: pictures, labels, and the names its own pictures must have.

pairs.csv    a line per pair: its name, which is the name of the picture to draw, source and driving picture
labels.csv   a line per picture: 68 landmarks in its pixels, pose in degrees, 17 action units 0..5
pictures/    the real pictures, PNG
README.md    this, with the size and an example
"""

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reenact.atomic import write_text
from reenact.corpus.corpus import Corpus
from reenact.evaluation.pictures import Frames, Pictures
from reenact.evaluation.prediction_files import video_name
from reenact.evaluation.rows import frames_of
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.pose import ANGLES

_README = """\
# Pairs to draw

{pairs} pairs of {pictures} pictures, {size}x{size} px, RGB. For each line of `pairs.csv` draw the person of `source`
with the head pose and expression of `driving`, and save the picture as `{example}.png`: the line's `pair`, in a folder
of your own or folders below it (PNG, or JPEG, WebP, TIFF; `.npy` with floats 0 to 1). Or give videos: per `protocol`
(`self.mp4`) or per `video`, one frame per line, in the list's order.

For `self` and `selfvideo` the driving picture is the true picture as well. Only its motion may be used: whoever copies
it scores as ground truth and has shown nothing.

`labels.csv` holds, for every picture, 68 landmarks (iBUG's order, pixels, the first pixel's centre at 0.5), pitch, yaw
and roll in degrees and 17 action units from 0 to 5, as the corpus was labelled: not all of them are right.

Then

    reenact evaluate --predictions YOUR_FOLDER --pairs PAIRS --name NAME

scores them as the rows of the comparison are scored. The pictures keep the licence of the clips they are from.
"""


def export_pairs(folder: Path, pairs: pd.DataFrame, pictures: Pictures) -> dict[str, float]:
    """Write all of it into `folder`; returns counts."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    roles = {role: frames_of(pairs, role) for role in ("source", "driving")}
    frames = list(dict.fromkeys([*roles["source"], *roles["driving"]]))
    names = dict(zip(frames, _names(frames), strict=True))
    for frame, name in names.items():
        bgr = cv2.cvtColor(pictures.one(*frame), cv2.COLOR_RGB2BGR)
        (folder / name).write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
    listed = pairs[["pair", "protocol", "split"]].copy()
    for role, own in roles.items():
        listed[role] = [names[frame] for frame in own]
        listed[f"{role}_identity"] = pairs[f"{role}_identity"]
    listed["video"] = [video_name(str(name)) for name in pairs["sequence"]]
    write_text(folder / "pairs.csv", listed.to_csv(index=False))
    write_text(folder / "labels.csv", _labels(pictures.corpus, names, pictures.size).to_csv(index=False))
    facts = {"pairs": len(pairs), "pictures": len(frames), "size": pictures.size, "example": pairs["pair"].iloc[0]}
    write_text(folder / "README.md", _README.format(**facts))
    return {"pairs": float(len(pairs)), "pictures": float(len(frames))}


def _names(frames: Frames) -> list[str]:
    """pictures/CLIP-FRAME.png, unique also where clips differ in characters that file names can't have."""
    plain = [f"{re.sub(r'[^a-zA-Z0-9_.-]+', '_', clip)}-{frame:05d}" for clip, frame in frames]
    seen: dict[str, int] = {}
    names = []
    for name in plain:
        count = seen[name] = seen.get(name, 0) + 1
        names.append(f"pictures/{name}.png" if count == 1 else f"pictures/{name}+{count}.png")
    return names


def _labels(corpus: Corpus, names: dict[tuple[str, int], str], size: int) -> pd.DataFrame:
    points = [f"{axis}_{number}" for number in range(68) for axis in ("x", "y")]
    rows = []
    for clip_name, frame in names:
        clip = corpus.by_name[clip_name]
        landmarks = np.asarray(corpus.landmarks(clip)[frame], dtype=np.float64) * size
        rows.append([*landmarks.ravel().round(3), *corpus.pose(clip)[frame].round(3),
                     *corpus.actions(clip)[frame].round(3)])  # fmt: skip
    table = pd.DataFrame(rows, columns=[*points, *ANGLES, *ACTION_UNITS])
    table.insert(0, "picture", list(names.values()))
    return table
