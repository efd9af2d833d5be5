"""Extraction and labelling beside OpenCV's bare decoding and a bare dlib loop, in frames per second of one core.

    python benchmarks/labelling.py [--videos DIR] [--frames 120] [--out FILE.json]

Without a folder of videos a few rendered clips are used. Speeds count processor time, this process' and that of the
workers it waited for, not the clock's, so that a busy machine changes them little. What a worker costs before its first
frame (imports, models) is measured by a first pass over three frames and stands in a row of its own: a corpus pays it
once, whatever its length.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

TOGETHER = "extraction and labelling"
SHORT = 3  # frames; a clip needs as many


def processor_time() -> float:
    """Seconds of this process and of all children that have ended, user's and system's."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def bare_decoding(files: list[Path], frames: int) -> int:
    """Read frames as OpenCV's documentation does; returns how many."""
    count = 0
    for file in files:
        capture = cv2.VideoCapture(str(file))
        for _ in range(frames):
            ok, _image = capture.read()
            if not ok:
                break
            count += 1
        capture.release()
    return count


def bare_dlib(files: list[Path], frames: int) -> int:
    """Detect and place landmarks on every frame as dlib's example does, without upsampling."""
    import dlib

    from reenact.labelling.dlib_backend import LANDMARKS_FILE, model_file

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(model_file(LANDMARKS_FILE)))
    count = 0
    for file in files:
        capture = cv2.VideoCapture(str(file))
        for _ in range(frames):
            ok, image = capture.read()
            if not ok:
                break
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            for box in detector(rgb, 0):
                predictor(rgb, box)
            count += 1
        capture.release()
    return count


def ours(files: list[Path], frames: int, folder: Path) -> dict[str, tuple[int, float]]:
    """Stage by stage, on at most `frames` of each file: (frames, seconds of processor time)."""
    from reenact.config import Runtime
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data
    from reenact.stages.label_actions import LabelActionsSettings, label_actions
    from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks

    source, runtime = folder / "in", Runtime(workers=1)
    source.mkdir(parents=True)
    for file in files:
        (source / file.name).symlink_to(file)
    fetch_data(videos=source, out=folder / "videos", settings=FetchDataSettings())
    settings = ExtractFramesSettings(max_frames=frames)
    parts = {name: folder / name for name in ("frames", "landmarks", "actions")}
    steps: dict[str, Callable[[], Any]] = {
        "extract_frames": lambda: extract_frames(
            videos=folder / "videos", out=parts["frames"], settings=settings, runtime=runtime
        ),
        "label_landmarks": lambda: label_landmarks(
            frames=parts["frames"], out=parts["landmarks"], settings=LabelLandmarksSettings(), runtime=runtime
        ),
        "label_actions": lambda: label_actions(**parts_of(parts), settings=LabelActionsSettings(), runtime=runtime),
    }
    measured = {}
    for name, step in steps.items():
        start = processor_time()
        result = step()
        measured[name] = (int(result.counts["frames"]), processor_time() - start)
    return measured


def parts_of(parts: dict[str, Path]) -> dict[str, Path]:
    """The folders of `label_actions` by its parameters' names."""
    return {"frames": parts["frames"], "landmarks": parts["landmarks"], "out": parts["actions"]}


def rendered(folder: Path) -> list[Path]:
    """A few rendered clips, for machines without videos."""
    from reenact.config import Runtime
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    render_clips(out=folder, settings=RenderClipsSettings(identities=8, frames=120), runtime=Runtime(workers=1))
    return sorted(folder.glob("*.mp4"))


def measure(videos: Path | None = None, frames: int = 120) -> list[dict[str, Any]]:
    """Rows of name, frames, frames per second of processor time."""
    cv2.setNumThreads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = sorted(videos.resolve().glob("*.mp4")) if videos else rendered(folder / "rendered")
        rows = []
        for label, loop in (("bare OpenCV decoding", bare_decoding), ("bare OpenCV and dlib loop", bare_dlib)):
            start = processor_time()
            count = loop(files, frames)
            rows.append({"name": label, "frames": count, "seconds": processor_time() - start})
        first = ours(files[:1], SHORT, folder / "first")
        stages = ours(files, frames, folder / "all")
    rows += [
        {"name": f"start of {label}", "frames": count, "seconds": spent} for label, (count, spent) in first.items()
    ]
    rows += [{"name": label, "frames": count, "seconds": spent} for label, (count, spent) in stages.items()]
    count, total = stages["extract_frames"][0], sum(spent for _, spent in stages.values())
    # The workers of extraction are fresh ones; what the other stages load stays in this process after the first pass.
    again = first["extract_frames"][1]
    rows.append({"name": "extraction and labelling, with start", "frames": count, "seconds": total})
    rows.append({"name": TOGETHER, "frames": count - SHORT, "seconds": total - again})
    return [{**row, "frames_per_second": row["frames"] / max(row["seconds"], 1e-9)} for row in rows]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--frames", type=int, default=120, help="at most so many of each video")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = measure(chosen.videos, chosen.frames)
    facts = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
    }
    for row in rows:
        speed = f"{row['frames_per_second']:>9.1f} frames/s of one core"
        print(f"{row['name']:<38}{row['frames']:>7} frames{row['seconds']:>8.2f} s{speed}")
    bare = next(row for row in rows if "dlib" in row["name"])["frames_per_second"]
    print(f"share of the bare loop: {rows[-1]['frames_per_second'] / bare:.0%} (aim: 80 %)")
    if chosen.out:
        chosen.out.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
