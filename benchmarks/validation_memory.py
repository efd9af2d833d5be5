"""Peak memory and time of validate_data by the number of frames: python -m benchmarks.validation_memory [SHARDS ...]

Each shard has two made-up clips of 2,500 frames, of tiny pictures; every size runs in a process of its own.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from reenact.corpus.shards import write_array, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.faces.actions import ACTION_UNITS

FRAMES, CLIPS, SIDE = 2500, 2, 16


def write_corpus(root: Path, shards: int) -> None:
    """Folders videos, frames, landmarks and actions of `shards` shards."""
    rng = np.random.default_rng(0)
    rows, clips = FRAMES * CLIPS, []
    for number in range(shards):
        shard, names = f"shard-{number:05d}", [f"clip-{number:05d}-{i}" for i in range(CLIPS)]
        clips += [
            {"clip": name, "identity": name, "person": name, "video": name, "shard": shard, "start": i * FRAMES,
             "count": FRAMES, "fps": 25.0, "file": f"{name}.mp4", "sha256": name, "width": 320, "height": 240,
             "frames_read": FRAMES, "frames_lost": 0, "licence": "own", "consent": "given", "source": "made up",
             "official_split": ""} for i, name in enumerate(names)
        ]  # fmt: skip
        frames = pd.DataFrame({
            "clip": np.repeat(names, FRAMES), "frame": np.tile(np.arange(FRAMES), CLIPS),
            "time": np.tile(np.arange(FRAMES) / 25, CLIPS),
            **{name: rng.random(rows) + 10 for name in ("crop_x", "crop_y", "crop_side", "face_size")},
            **{name: rng.random(rows) * 0.5 for name in ("score", "blur", "exposure", "clipped", "occlusion")},
        })  # fmt: skip
        units = {name: rng.random(rows, np.float32) for name in (*ACTION_UNITS, "pitch", "yaw", "roll")}
        write_rows(root / "frames", shard, frames, kind="frames")
        small = rng.integers(0, 256, (rows, SIDE, SIDE, 3), dtype=np.uint8)
        write_array(root / "frames", shard, "frames", small)
        write_array(root / "landmarks", shard, "landmarks", rng.random((rows, 68, 2), np.float32))
        write_array(root / "landmarks", shard, "found", np.ones(rows, bool))
        write_rows(root / "actions", shard, pd.DataFrame({**units, "fit_error": rng.random(rows) / 50}), kind="actions")
    table = pd.DataFrame(clips)
    write_table(root / "frames" / "clips.parquet", table, kind="clips")
    write_table(root / "videos" / "clips.parquet", table[["clip", "file"]], kind="videos")
    for kind in ("videos", "frames", "landmarks", "actions"):
        write_stage(root / kind, kind=kind, size=SIDE, codec="raw")


def measure(root: Path) -> None:
    """Validate, with limits on what is kept, and print seconds and the peak of this process in MiB."""
    from reenact.stages.validate_data import ValidateDataSettings, validate_data

    settings = ValidateDataSettings.parse({"keep": {"max_blur": 0.45}}, where="validate_data")
    began = time.perf_counter()
    folders = {name: root / name for name in ("videos", "frames", "landmarks", "actions")}
    validate_data(**folders, out=root / "validated", settings=settings)
    seconds = time.perf_counter() - began
    print(f"{seconds:.1f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main(arguments: list[str]) -> None:
    """A line for each number of shards."""
    if arguments[:1] == ["--measure"]:
        return measure(Path(arguments[1]))
    for shards in [int(one) for one in arguments] or [10, 100]:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder), shards)
            command = [sys.executable, "-m", "benchmarks.validation_memory", "--measure", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{shards * CLIPS} clips, {shards * CLIPS * FRAMES:,} frames: {done.stdout.strip()}", flush=True)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
