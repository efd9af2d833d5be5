"""Our labels of a video beside OpenFace's file of it: landmarks, pose, action units, and plain landmark distances.

    python benchmarks/beside_openface.py VIDEO.mp4 OPENFACE.csv [--fine] [--out FILE.json]

Landmarks: mean distance in outer eye distances of OpenFace's points. The rest: correlation over the frames that both
have. A plain distance is read from our landmarks, in outer eye distances, without any model: what the labels have to
be better than. `--fine` labels as the profile `showcase` does, not as `demo`.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Distances that follow an action unit by themselves: the y of the first points less that of the second, or the width.
PLAIN: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "AU01": ("down", (39, 42), (21, 22)), "AU12": ("across", (54,), (48,)),
    "AU25": ("down", (65, 66, 67), (61, 62, 63)),
    "AU45": ("up", (40, 41, 46, 47), (37, 38, 43, 44)),
}  # fmt: skip


def labelled(video: Path, folder: Path, fine: bool) -> Any:
    """The corpus of one video, labelled by the product's own stages."""
    from reenact.config import Runtime
    from reenact.corpus.corpus import Corpus
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data
    from reenact.stages.label_actions import LabelActionsSettings, label_actions
    from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks

    source, runtime = folder / "in", Runtime(workers=1)
    source.mkdir()
    (source / video.name).symlink_to(video.resolve())
    parts = {name: folder / name for name in ("frames", "landmarks", "actions")}
    fetch_data(videos=source, out=folder / "videos", settings=FetchDataSettings())
    extract_frames(
        videos=folder / "videos", out=parts["frames"], settings=ExtractFramesSettings(crop_scale=1.7), runtime=runtime
    )
    settings = LabelLandmarksSettings(**({} if fine else {"enlarge_to": 256, "looks": 1}))
    label_landmarks(frames=parts["frames"], out=parts["landmarks"], settings=settings, runtime=runtime)
    label_actions(
        frames=parts["frames"], landmarks=parts["landmarks"], out=parts["actions"], settings=LabelActionsSettings(),
        runtime=runtime,
    )  # fmt: skip
    return Corpus(parts["frames"], landmarks=parts["landmarks"], actions=parts["actions"])


def measure(video: Path, file: Path, fine: bool = False) -> dict[str, Any]:
    """Everything, as plain JSON types."""
    from reenact.faces.actions import ACTION_UNITS
    from reenact.faces.landmarks import outer_eye_distance
    from reenact.labelling.openface_csv import read_openface
    from reenact.labelling.truth import correlation

    cv2.setNumThreads(1)
    theirs = read_openface(file)
    if theirs.landmarks is None or theirs.pose is None or theirs.actions is None:
        raise SystemExit(f"{file}: needs landmarks, pose and action units. Run OpenFace with -2Dfp -pose -aus.")
    with tempfile.TemporaryDirectory() as name:
        corpus = labelled(video, Path(name), fine)
        clip = corpus.clips[0]
        table = corpus.frame_table(clip)
        side = table["crop_side"].to_numpy(dtype=np.float64)[:, None, None]
        corner = table[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)[:, None]
        points = np.asarray(corpus.landmarks(clip), dtype=np.float64) * side + corner
        pose, actions = corpus.pose(clip), corpus.actions(clip)
    rows, ours = _shared(table["frame"].to_numpy(), theirs.frame, theirs.success)
    true = theirs.landmarks[rows]
    off = np.linalg.norm(points[ours] - true, axis=-1).mean(axis=1) / outer_eye_distance(true)
    return {
        "frames": len(rows),
        "landmarks": float(off.mean()),
        "pose": {
            name: correlation(pose[ours, i], theirs.pose[rows, i]) for i, name in enumerate(("pitch", "yaw", "roll"))
        },
        "actions": {
            name: correlation(actions[ours, i], theirs.actions[rows, i]) for i, name in enumerate(ACTION_UNITS)
        },
        "plain": {
            name: correlation(_distance(points[ours], *one), theirs.actions[rows, ACTION_UNITS.index(name)])
            for name, one in PLAIN.items()
        },
    }


def _shared(
    frames: NDArray[np.integer], theirs: NDArray[np.integer], success: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(their rows, our rows) of the frames that both have."""
    _, rows, ours = np.intersect1d(np.where(success, theirs, -1), frames, return_indices=True)
    return rows, ours


def _distance(
    points: NDArray[np.float64], way: str, first: tuple[int, ...], second: tuple[int, ...]
) -> NDArray[np.float64]:
    from reenact.faces.landmarks import outer_eye_distance

    between = points[:, list(first)].mean(axis=1) - points[:, list(second)].mean(axis=1)
    along = {"down": between[:, 1], "up": -between[:, 1], "across": np.linalg.norm(between, axis=1)}[way]
    return np.asarray(along / outer_eye_distance(points))


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--fine", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    measured = measure(chosen.video, chosen.file, chosen.fine)
    print(f"{measured['frames']} frames, landmarks {measured['landmarks']:.2%} of the outer eye distance")
    print("pose    " + "  ".join(f"{name} {value or 0.0:.3f}" for name, value in measured["pose"].items()))
    for name, value in measured["actions"].items():
        plain = f"   plain distance {measured['plain'][name]:.2f}" if name in measured["plain"] else ""
        print(f"  {name} {value or 0.0:5.2f}{plain}")
    five = [measured["actions"][name] or 0.0 for name in ("AU01", "AU12", "AU25", "AU26", "AU45")]
    print(f"  mean of AU01, 12, 25, 26, 45: {np.mean(five):.3f}")
    if chosen.out:
        chosen.out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
