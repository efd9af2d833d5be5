"""Segments of drawn people against the truth, through the product's own stages, and how fast they are made.

    python benchmarks/segments.py [--identities 16] [--frames 40] [--yaw 30] [--seed 900] [--plain] [--out FILE]

Drawn, found, cropped and labelled as the profile `demo` does; intersection over union is taken over all pixels of all
stored frames. "true landmarks" gives the backend the drawn ones: what is lost there is the segmentation's own.
Speed counts processor time of one process. `--plain` draws persons that follow the fitter's shape model.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BARS = {"face": 0.85, "hair": 0.6}
SPEED = 25.0  # frames a second of one core


def labelled(root: Path, settings: dict[str, Any]) -> dict[str, Path]:
    """Draw the clips and run the stages up to segments; the folders by kind."""
    from reenact.config import Runtime
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data
    from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    runtime = Runtime(workers=1)
    folder = {kind: root / kind for kind in ("rendered", "videos", "frames", "landmarks", "segments")}
    render_clips(out=folder["rendered"], settings=RenderClipsSettings(**settings), runtime=runtime)
    fetch_data(videos=folder["rendered"], out=folder["videos"], settings=FetchDataSettings())
    crops = ExtractFramesSettings(crop_scale=1.7)
    extract_frames(videos=folder["videos"], out=folder["frames"], settings=crops, runtime=runtime)
    fast = LabelLandmarksSettings(enlarge_to=256, looks=1)
    label_landmarks(frames=folder["frames"], out=folder["landmarks"], settings=fast, runtime=runtime)
    return folder


def by_the_stage(folder: dict[str, Path]) -> dict[str, Any]:
    """Overlap and speed of the stage as it is run."""
    from reenact.config import Runtime
    from reenact.labelling.segments.measure import segment_overlap
    from reenact.stages.label_segments import LabelSegmentsSettings, label_segments

    parts = {"frames": folder["frames"], "landmarks": folder["landmarks"], "out": folder["segments"]}
    start = time.process_time()
    result = label_segments(**parts, settings=LabelSegmentsSettings(), runtime=Runtime(workers=1))
    seconds = time.process_time() - start
    overlap = segment_overlap(frames=folder["frames"], segments=folder["segments"], videos=folder["videos"]) or {}
    return {**overlap, "frames_per_second": result.counts["frames"] / seconds}


def by_the_truth(folder: dict[str, Path]) -> dict[str, Any]:
    """Overlap with the drawn landmarks in place of dlib's; and of each clip, with them."""
    from reenact.corpus.tables import read_table
    from reenact.labelling.clip_frames import shard_clips
    from reenact.labelling.segments.hull import hull_segments
    from reenact.labelling.segments.masks import crop_mask

    clips: dict[str, np.ndarray] = {}
    for shard, group in read_table(folder["frames"] / "clips.parquet", kind="clips").groupby("shard"):
        rows = [{str(name): value for name, value in row.items()} for row in group.to_dict("records")]
        for clip, row in zip(shard_clips(folder["frames"], str(shard), rows), rows, strict=True):
            with np.load((folder["videos"] / row["file"]).with_suffix(".truth.npz")) as truth:
                points, true = truth["landmarks"][clip.frames], truth["segments"][clip.frames]
            size = true.shape[2], true.shape[1]
            expected = np.stack([crop_mask(one, crop, size) for one, crop in zip(true, clip.crops, strict=True)])
            said = hull_segments(clip, clip.to_crop(points), np.ones(len(clip), bool))
            clips[clip.clip] = np.array(
                [[((said == k) & (expected == k)).sum(), ((said == k) | (expected == k)).sum()] for k in (1, 2)]
            )
    total = sum(clips.values())
    shares = {name: float(total[i, 0] / total[i, 1]) for i, name in enumerate(BARS)}
    each = {clip: {name: _share(n[i]) for i, name in enumerate(BARS)} for clip, n in sorted(clips.items())}
    return {**shares, "clips": each}


def _share(counts: np.ndarray) -> float | None:
    return float(counts[0] / counts[1]) if counts[1] else None


def measure(**settings: Any) -> dict[str, Any]:
    """Everything, as plain JSON types."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = labelled(Path(name), settings)
        return {"drawn": settings, "stage": by_the_stage(folder), "true landmarks": by_the_truth(folder)}


def report(measured: dict[str, Any]) -> None:
    """Print it."""
    stage, true = measured["stage"], measured["true landmarks"]
    for name, bar in BARS.items():
        print(f"{name}: {stage[name]:.3f} over {stage['frames']} frames (bar: {bar:g}), "
              f"with true landmarks {true[name]:.3f}")  # fmt: skip
    print(f"speed: {stage['frames_per_second']:.0f} frames/s of one core (bar: {SPEED:g})")
    for clip, shares in true["clips"].items():
        print(f"  {clip}  " + "  ".join(f"{n} {'none' if v is None else f'{v:.2f}'}" for n, v in shares.items()))


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=16)
    parser.add_argument("--frames", type=int, default=40, help="of each identity's clip")
    parser.add_argument("--yaw", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--plain", action="store_true", help="persons that follow the fitter's model")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    measured = measure(
        identities=asked.identities, frames=asked.frames, yaw=asked.yaw, seed=asked.seed, honest=not asked.plain
    )
    report(measured)
    if asked.out:
        asked.out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
