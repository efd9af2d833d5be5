"""Scoring a branch beside a plain script, in judged pairs per second of one core.

    python benchmarks/evaluation.py [--identities 4] [--pairs 8] [--out FILE.json]

Both score self-reenactment of rendered clips for three rows (copy source, ground truth, a slightly blurred truth in
place of a system): MSE, SSIM, CSIM and landmarks at 64 px. The script does what each library's documentation shows,
picture by picture. Ours reads each picture once, but also fits pose and action units and draws the intervals.
Processor time.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Images = NDArray[np.uint8]
SIDE, JUDGED = 64, 256


def frames_of(folder: Path, identities: int, per_clip: int) -> dict[str, Images]:
    """Evenly spaced frames (n, 64, 64, 3) of rendered clips, by clip."""
    from reenact.config import Runtime
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    settings = RenderClipsSettings(identities=identities, frames=max(24, per_clip))
    render_clips(out=folder, settings=settings, runtime=Runtime(workers=1))
    clips = {}
    for file in sorted(folder.glob("*.mp4")):
        capture, frames = cv2.VideoCapture(str(file)), []
        while (read := capture.read())[0]:
            rgb = cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
            frames.append(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        capture.release()
        chosen = np.linspace(0, len(frames) - 1, per_clip).round().astype(int)
        clips[file.stem] = np.stack([frames[i] for i in chosen]).astype(np.uint8)
    return clips


def rows_of(clips: dict[str, Images]) -> tuple[Images, Images, dict[str, Images]]:
    """Sources and truths of all pairs (each clip's first frame drives none), and every row's pictures."""
    sources = np.concatenate([np.repeat(frames[:1], len(frames) - 1, axis=0) for frames in clips.values()])
    truths = np.concatenate([frames[1:] for frames in clips.values()])
    blurred = np.stack([cv2.GaussianBlur(truth, (3, 3), 0.5) for truth in truths]).astype(np.uint8)
    return sources, truths, {"copy source": sources, "ground truth": truths, "blurred": blurred}


def plain_script(sources: Images, truths: Images, rows: dict[str, Images]) -> int:
    """Pairs scored by dlib's and scikit-image's own examples put into one loop."""
    import dlib
    from skimage.metrics import structural_similarity

    from reenact.labelling.dlib_backend import LANDMARKS_FILE, RECOGNITION_FILE, model_file

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(model_file(LANDMARKS_FILE)))
    recogniser = dlib.face_recognition_model_v1(str(model_file(RECOGNITION_FILE)))

    def read(picture: Images) -> NDArray[np.float64] | None:
        large = cv2.resize(picture, (JUDGED, JUDGED), interpolation=cv2.INTER_CUBIC)
        for box in detector(large, 0):
            return np.array(recogniser.compute_face_descriptor(large, predictor(large, box)))
        return None

    count = 0
    for pictures in rows.values():
        for source, truth, picture in zip(sources, truths, pictures, strict=True):
            np.square(picture / 255.0 - truth / 255.0).mean()
            structural_similarity(
                picture / 255.0, truth / 255.0, channel_axis=2, data_range=1.0, gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False,
            )  # fmt: skip
            faces = [read(source), read(truth), read(picture)]
            known = [face / np.linalg.norm(face) for face in faces if face is not None]
            if len(known) == 3:
                known[2] @ known[0], known[2] @ known[1]
            count += 1
    return count


def ours(clips: dict[str, Images], sources: Images, truths: Images, rows: dict[str, Images]) -> int:
    """The same pairs through the project's judge, metrics and intervals."""
    from reenact.evaluation.judge import People, Reading
    from reenact.evaluation.judges import Making, make_judges
    from reenact.evaluation.scoring import Scored, faces_table, summarise_sets
    from reenact.evaluation.summary import summarise
    from reenact.faces.shape_model import shape_model

    names = [name for name, frames in clips.items() for _ in frames[1:]]
    numbers = [number for frames in clips.values() for number in range(1, len(frames))]
    pairs = pd.DataFrame({
        "pair": [f"{name}-{number}" for name, number in zip(names, numbers, strict=True)], "protocol": "self",
        "split": "test", "identities": "unseen", "source_clip": names, "source_identity": names, "source_frame": 0,
        "driving_clip": names, "driving_identity": names, "driving_frame": numbers, "truth_clip": names,
        "truth_frame": numbers,
    })  # fmt: skip
    judges = make_judges("tools", {}, Making(size=JUDGED))
    everyone = np.ones(len(pairs), dtype=bool)
    people = People(np.zeros((len(pairs), len(shape_model().identity))), np.zeros((len(pairs), 17)))
    source, truth = (Reading(judges.default, pictures, everyone, people) for pictures in (sources, truths))
    scored = {
        name: [Scored(pairs=pairs, generated=Reading(judges.default, pictures, everyone, people), source=source,
                      driving=truth, truth=truth, judges=judges)]
        for name, pictures in rows.items()
    }  # fmt: skip
    summarise(faces_table(scored), repeats=1000, seed=0)
    summarise_sets(scored)
    return len(pairs) * len(rows)


def measure(identities: int = 4, pairs: int = 8) -> list[dict[str, Any]]:
    """Rows of name, pairs, seconds of processor time and pairs per second."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        clips = frames_of(Path(name), identities, pairs + 1)
    sources, truths, rows = rows_of(clips)
    steps: dict[str, Callable[[], int]] = {
        "plain script": lambda: plain_script(sources, truths, rows),
        "evaluation": lambda: ours(clips, sources, truths, rows),
    }
    measured = []
    for label, step in steps.items():
        start = time.process_time()
        count = step()
        seconds = time.process_time() - start
        measured.append({"name": label, "pairs": count, "seconds": seconds, "pairs_per_second": count / seconds})
    return measured


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=8, help="per identity")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = measure(chosen.identities, chosen.pairs)
    for row in rows:
        print(f"{row['name']:<16}{row['pairs']:>6} pairs{row['pairs_per_second']:>9.2f} pairs/s of one core")
    print(f"ratio: {rows[1]['pairs_per_second'] / rows[0]['pairs_per_second']:.1f} (aim: 5)")
    if chosen.out:
        facts = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        chosen.out.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
