"""OpenFace's FeatureExtraction behind the protocol, on the machine or in a container of the user's.

Options: `program`, the command as a list; {folder} stands for the folder of the exchange, for mounts:
    ["podman", "run", "--rm", "-v", "{folder}:{folder}", "IMAGE", "FeatureExtraction"]
and `least_confidence` (0.8). OpenFace's licence allows academic, non-commercial use only.
"""

import csv
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from exchange import read_request, write_result

UNITS = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
ANGLES = ("pose_Rx", "pose_Ry", "pose_Rz")


def main() -> None:
    """One run per clip, in video mode: units are calibrated on the clip, as OpenFace does on whole videos."""
    folder, request = read_request()
    options = request["options"]
    program = [part.replace("{folder}", str(folder)) for part in options.get("program", ["FeatureExtraction"])]
    parts = []
    for number, clip in enumerate(request["clips"]):
        place = folder / f"clip{number:05d}"
        place.mkdir()
        for index, name in enumerate(clip["pictures"]):
            shutil.move(folder / name, place / f"{index:06d}.png")
        asked = ["-fdir", str(place), "-out_dir", str(folder), "-of", place.name, "-aus", "-pose", "-2Dfp"]
        subprocess.run([*program, *asked], check=True)
        parts.append(read(folder / f"{place.name}.csv", len(clip["pictures"]), options.get("least_confidence", 0.8)))
    actions, pose, valid = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    write_result(folder, "OpenFace FeatureExtraction on crops", actions=actions, pose=pose, valid=valid)


def read(path: Path, count: int, least: float) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """(count, 17) intensities, (count, 3) degrees and (count,) whether to trust them; OpenFace counts frames from 1."""
    actions, pose, valid = np.zeros((count, 17)), np.zeros((count, 3)), np.zeros(count, dtype=bool)
    if not path.exists():
        sys.exit(f"OpenFace ended well and wrote no {path.name}")
    with path.open(newline="") as stream:
        for line in csv.DictReader(stream, skipinitialspace=True):
            row = int(float(line["frame"])) - 1
            if not 0 <= row < count or float(line["success"]) < 0.5 or float(line["confidence"]) < least:
                continue
            actions[row] = [float(line[f"{name}_r"]) for name in UNITS]
            pose[row] = [math.degrees(float(line[name])) for name in ANGLES]
            valid[row] = True
    return actions, pose, valid


if __name__ == "__main__":
    main()
