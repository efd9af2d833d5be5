"""Triplets per second of one core: ours beside a plain torch Dataset that reads a file per frame.

    python benchmarks/loader.py [--seconds 3] [--out FILE.json]

Both make the same thing of the same pictures: batches of 10 triplets, float in [-1, 1], at the training size, with
landmarks, half of them mirrored. The plain loader is what the seeds' authors do, in its fastest usual form: a
DataLoader in the same process over a Dataset that decodes with `cv2.imread`. Speeds count processor time.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import Sampler
from reenact.corpus.shards import Codec, frame_writer, write_array, write_stage
from reenact.corpus.splits import Part
from reenact.corpus.tables import write_table
from reenact.faces.landmarks import FLIP

CLIPS, FRAMES, BATCH = 12, 40, 10


def pictures(side: int) -> list[np.ndarray]:
    """Smooth colour noise with some grain: about as hard for JPEG as a face."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (CLIPS * FRAMES, 8, 8, 3), dtype=np.uint8)
    grain = random.normal(0, 3, (side, side, 3))
    return [
        np.clip(cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) + grain, 0, 255).astype(np.uint8)
        for c in coarse
    ]


def write_corpus(root: Path, images: list[np.ndarray], codec: Codec) -> Corpus:
    """The pictures as our corpus, one shard."""
    shard = "shard-00000"
    frames, landmarks = root / f"frames-{codec}", root / f"landmarks-{codec}"
    for folder in (frames, landmarks):
        folder.mkdir()
    with frame_writer(frames, shard, codec=codec) as writer:
        writer.extend(images)
    points = np.random.default_rng(1).random((len(images), 68, 2), dtype=np.float32)
    write_array(landmarks, shard, "landmarks", points)
    write_array(landmarks, shard, "found", np.ones(len(images), dtype=bool))
    rows = [
        {
            "clip": f"c{i}",
            "identity": f"c{i}",
            "shard": "shard-00000",
            "start": i * FRAMES,
            "count": FRAMES,
            "fps": 25.0,
        }
        for i in range(CLIPS)
    ]
    write_table(frames / "clips.parquet", pd.DataFrame(rows), kind="clips")
    write_stage(frames, kind="frames", size=images[0].shape[0], codec=codec)
    write_stage(landmarks, kind="landmarks")
    return Corpus(frames, landmarks=landmarks)


class FilePerFrame(Dataset):
    """A triplet by `cv2.imread` from one JPEG file per frame, landmarks from one array in memory."""

    def __init__(self, folder: Path, landmarks: np.ndarray, size: int) -> None:
        self.folder, self.landmarks, self.size = folder, landmarks, size

    def __len__(self) -> int:
        return CLIPS * FRAMES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        clip, frame = divmod(index, FRAMES)
        others = np.random.choice([f for f in range(FRAMES) if f != frame], 2, replace=False)
        flip = np.random.random() < 0.5
        images, points = [], []
        for number in (frame, *others):
            image = cv2.cvtColor(cv2.imread(str(self.folder / f"{clip}" / f"{number}.jpg")), cv2.COLOR_BGR2RGB)
            if image.shape[0] != self.size:
                image = cv2.resize(image, (self.size, self.size), interpolation=cv2.INTER_AREA)
            marks = self.landmarks[clip * FRAMES + number]
            if flip:
                image, marks = image[:, ::-1], marks[FLIP] * [-1, 1] + [1, 0]
            images.append(torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 127.5 - 1)
            points.append(torch.from_numpy(np.ascontiguousarray(marks)).float())
        return torch.stack(images), torch.stack(points)


def rate(step: Callable[[], Any], seconds: float) -> float:
    """Triplets per second of processor time."""
    step()
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        step()
        count += BATCH
    return count / (time.process_time() - start)


def measure(codec: Codec, side: int, size: int, seconds: float, root: Path) -> dict[str, Any]:
    """Ours and the plain loader on the same pictures, alternately, twice; the better of each."""
    images = pictures(side)
    corpus = write_corpus(root, images, codec)
    parts = [Part(clip=f"c{i}", identity=f"c{i}", start=0, stop=FRAMES) for i in range(CLIPS)]
    sampler = Sampler(corpus, parts, size=size, seed=0, third=True)
    for number, image in enumerate(images):
        file = root / "files" / str(number // FRAMES) / f"{number % FRAMES}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    landmarks = np.concatenate([corpus.landmarks(clip) for clip in corpus.clips])
    plain = DataLoader(FilePerFrame(root / "files", landmarks, size), batch_size=BATCH, shuffle=True)
    state = {"number": 0, "batches": iter(plain)}

    def ours() -> None:
        sampler.batch(range(state["number"], state["number"] + BATCH))
        state["number"] += BATCH

    def theirs() -> None:
        if next(state["batches"], None) is None:
            state["batches"] = iter(plain)

    speeds = [(rate(ours, seconds), rate(theirs, seconds)) for _ in range(2)]
    best = [round(max(column), 1) for column in zip(*speeds, strict=True)]
    return {"codec": codec, "stored": side, "size": size, "ours": best[0], "file_per_frame": best[1]}


def main() -> None:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    rows = []
    for codec, side, size in (("raw", 64, 64), ("raw", 128, 64), ("jpeg", 256, 256), ("jpeg", 256, 64)):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(codec, side, size, options.seconds, Path(folder)))  # type: ignore[arg-type]
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
               "torch": torch.__version__, "opencv": cv2.__version__}  # fmt: skip
    print("triplets per second of one core")
    for row in rows:
        ratio = row["ours"] / row["file_per_frame"]
        what = f"{row['codec']:>5} {row['stored']:>4} px -> {row['size']:>4} px"
        print(f"{what}: {row['ours']:8.1f}  (file per frame {row['file_per_frame']:8.1f}, x{ratio:.1f})")
    if options.out:
        options.out.write_text(json.dumps({"benchmark": "loader", "machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
