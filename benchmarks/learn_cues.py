"""Make the table that reads action units and pose from cues, from rendered clips, and measure it on unseen people.

    python benchmarks/learn_cues.py --out src/reenact/labelling/cues_dlib.npz [--identities 240] [--frames 40]
                                    [--seed 7100] [--backend dlib] [--folder KEPT]

Half of the people are cropped and labelled as the profile `demo` does, half as `paper` does, so that the table serves
both. Every clip is learned from twice: as drawn, and as a poor camera would have it. A tenth of the people are kept out
first: the printed correlations are theirs; then all are learned from. Clips in --folder are kept and used again. Prints
the line for `TABLES` in src/reenact/labelling/action_reader.py.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.config import Runtime
from reenact.corpus.shards import open_frames, read_array, read_rows
from reenact.corpus.tables import read_table
from reenact.faces.actions import ACTION_UNITS
from reenact.hashing import hash_file
from reenact.labelling.cue_learning import Lesson, learn
from reenact.labelling.cues import ClipCues, clip_cues
from reenact.labelling.shape_fit import fit_clip
from reenact.labelling.truth import correlation
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks
from reenact.stages.render_clips import RenderClipsSettings, render_clips

# As the profiles `demo` and `paper` of params.yaml: crop scale, enlargement, looks.
WAYS = ((1.7, 256, 1), (2.5, 512, 3))
FEWEST = 20  # frames with landmarks


def draw_and_label(
    folder: Path, identities: int, frames: int, seed: int, way: tuple[float, int, int], backend: str = "dlib"
) -> None:
    """`rendered/`, `frames/` and `landmarks/` below `folder`."""
    runtime, (scale, enlarge_to, looks) = Runtime(workers=1), way
    settings = RenderClipsSettings(identities=identities, frames=frames, seed=seed)
    render_clips(out=folder / "rendered", settings=settings, runtime=runtime)
    extract_frames(
        videos=folder / "rendered", out=folder / "frames", settings=ExtractFramesSettings(crop_scale=scale),
        runtime=runtime,
    )  # fmt: skip
    of_landmarks = LabelLandmarksSettings(backend=backend, enlarge_to=enlarge_to, looks=looks)
    label_landmarks(frames=folder / "frames", out=folder / "landmarks", settings=of_landmarks, runtime=runtime)


def degraded(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The gray picture of a poor camera: blurred, another gamma, noisy."""
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.float32)
    blur, gamma, noise = rng.uniform(0.0, 1.6), rng.uniform(0.6, 1.6), rng.uniform(0.0, 6.0)
    gray = np.asarray(cv2.GaussianBlur(gray, (0, 0), max(blur, 0.1)))
    gray = 255 * (np.clip(gray, 0, 255) / 255) ** gamma + rng.normal(0, noise, gray.shape)
    return np.clip(gray, 0, 255).astype(np.uint8)


def lessons_of(folder: Path, *, poor: bool) -> list[Lesson]:
    """What is to be learned from every clip, as drawn or with a poor camera, one for all its frames."""
    lessons = []
    for number, clip in enumerate(read_table(folder / "frames" / "clips.parquet", kind="clips").to_dict("records")):
        shard, rows = str(clip["shard"]), slice(int(clip["start"]), int(clip["start"]) + int(clip["count"]))
        points = np.asarray(read_array(folder / "landmarks", shard, "landmarks")[rows])
        found = np.asarray(read_array(folder / "landmarks", shard, "found")[rows])
        usable = np.flatnonzero(found)
        if len(usable) < FEWEST:
            continue
        images = open_frames(folder / "frames", shard)
        fit = fit_clip(points, found=found)
        pictures = (images[row] for row in range(rows.start, rows.stop))
        if poor:
            pictures = (degraded(picture, np.random.default_rng(number)) for picture in pictures)
        cues = clip_cues(fit, points, pictures, usable)
        numbers = read_rows(folder / "frames", shard, kind="frames")["frame"].to_numpy()[rows][usable]
        with np.load((folder / "rendered" / str(clip["file"])).with_suffix(".truth.npz")) as truth:
            actions, pose = (truth[name][numbers].astype(np.float64) for name in ("actions", "pose"))
        seen = ClipCues(actions=cues.actions[usable], pitch=cues.pitch[usable], turn=cues.turn[usable])
        lessons.append(Lesson(cues=seen, actions=actions, error=pose - fit.pose[usable]))
    return lessons


def report(lessons: list[Lesson]) -> None:
    """Correlations and errors on a tenth of the people as drawn, learned from the others: of the table alone."""
    drawn = lessons[: len(lessons) // 2]
    kept, rest = drawn[::10], [one for row, one in enumerate(lessons) if row % len(drawn) % 10]
    table = learn(rest)
    readings = [table.read(lesson.cues) for lesson in kept]
    read, true = np.concatenate([read for read, _ in readings]), np.concatenate([lesson.actions for lesson in kept])
    print(f"{len(rest) // 2} people learned from, {len(kept)} others, {len(read)} frames: the table alone")
    for index, name in enumerate(ACTION_UNITS):
        print(f"  {name} {correlation(read[:, index], true[:, index]) or float('nan'):.2f}")
    error = np.concatenate([lesson.error for lesson in kept])
    left = error - np.concatenate([correction for _, correction in readings])
    print("  pose errors (pitch, yaw, roll):", np.abs(error).mean(axis=0).round(2), "->",
          np.abs(left).mean(axis=0).round(2))  # fmt: skip


def main() -> None:
    """Draw, label, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=240)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7100)
    parser.add_argument("--backend", default="dlib", help="of the landmarks: dlib or synthetic")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.folder or Path(name)
        parts = [folder / f"way-{number}" for number in range(len(WAYS))]
        for number, way in enumerate(WAYS):
            draw_and_label(
                parts[number], chosen.identities // len(WAYS), chosen.frames, chosen.seed + number, way, chosen.backend
            )
        lessons = [lesson for poor in (False, True) for part in parts for lesson in lessons_of(part, poor=poor)]
    report(lessons)
    learn(lessons).save(chosen.out)
    print(f'"{chosen.backend}": ("{chosen.out.name}", "{hash_file(chosen.out)}"),')


if __name__ == "__main__":
    main()
