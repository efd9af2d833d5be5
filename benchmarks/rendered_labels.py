"""How well the real tools read the drawn faces: finds, landmarks, motions, and the labels of the product's own stages.

    python benchmarks/rendered_labels.py [--identities 12] [--frames 40] [--yaw 30] [--plain] [--fine] [--out FILE]

`--plain` draws persons that follow the fitter's shape model, to show the difference. The sweep draws every identity
once in each step of 5 degrees of yaw to either side, at random expressions; "motion" is the correlation within clips
of a distance read from dlib's landmarks with the same one read from the true landmarks, what pose explains removed.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP, LARGEST = 5, 75  # degrees of yaw
WITHIN = 25.0
BAR_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU12", "AU15", "AU25", "AU26", "AU45")
WEAK = 0.5
# Distances along x (0) or y (1) of the face between means of points: (name, axis, points, points to subtract).
MOTIONS: tuple[tuple[str, int, tuple[int, ...], tuple[int, ...]], ...] = (
    ("inner brow", 1, (39, 42), (21, 22)), ("outer brow", 1, (36, 45), (17, 18, 25, 26)),
    ("lids", 1, (40, 41, 46, 47), (37, 38, 43, 44)), ("nose wings", 1, (27,), (31, 35)),
    ("upper lip", 1, (33,), (50, 51, 52)), ("lip corners up", 1, (33,), (48, 54)), ("mouth width", 0, (54,), (48,)),
    ("inner lips", 1, (65, 66, 67), (61, 62, 63)), ("lower lip", 1, (56, 57, 58), (33,)), ("chin", 1, (8,), (33,)),
)  # fmt: skip


def draw(folder: Path, identities: int, frames: int, yaw: float, seed: int, honest: bool) -> dict[str, float]:
    """The clips as files, one per identity; returns the speed."""
    from reenact.config import Runtime
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    settings = RenderClipsSettings(identities=identities, frames=frames, yaw=yaw, seed=seed, honest=honest)
    clock, processor = time.perf_counter(), time.process_time()
    render_clips(out=folder, settings=settings, runtime=Runtime(workers=1))
    count = identities * frames
    return {
        "frames_per_second": count / (time.perf_counter() - clock),
        "frames_per_processor_second": count / (time.process_time() - processor),
    }


def labelled(videos: Path, folder: Path, fine: bool) -> dict[str, Any]:
    """What `label_quality.json` says after the product's own stages, as in `params.yaml` (`fine`: its `showcase`)."""
    from reenact.config import Runtime
    from reenact.labelling.label_quality import label_quality
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.label_actions import LabelActionsSettings, label_actions
    from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks
    from reenact.stages.label_segments import LabelSegmentsSettings, label_segments

    runtime = Runtime(workers=1)
    parts = {name: folder / name for name in ("frames", "landmarks", "actions", "segments")}
    extract_frames(videos=videos, out=parts["frames"], settings=ExtractFramesSettings(crop_scale=1.7), runtime=runtime)
    settings = LabelLandmarksSettings(**({} if fine else {"enlarge_to": 256, "looks": 1}))
    label_landmarks(frames=parts["frames"], out=parts["landmarks"], settings=settings, runtime=runtime)
    label_actions(
        frames=parts["frames"], landmarks=parts["landmarks"], out=parts["actions"], settings=LabelActionsSettings(),
        runtime=runtime,
    )  # fmt: skip
    label_segments(
        frames=parts["frames"], landmarks=parts["landmarks"], out=parts["segments"], settings=LabelSegmentsSettings(),
        runtime=runtime,
    )  # fmt: skip
    return label_quality(videos=videos, **parts)


def fitted_to_truth(videos: Path) -> dict[str, float | None]:
    """The same fit on the true landmarks: what is left is the fit's own error. Mean correlation within clips."""
    from reenact.faces.actions import ACTION_UNITS
    from reenact.labelling.shape_fit import fit_clip
    from reenact.labelling.truth import correlation, mean

    found: dict[str, list[float]] = {name: [] for name in ACTION_UNITS}
    for file in sorted(videos.glob("*.truth.npz")):
        with np.load(file) as truth:
            fit, actions = fit_clip(truth["landmarks"]), truth["actions"]
        for index, name in enumerate(ACTION_UNITS):
            value = correlation(fit.actions[:, index], actions[:, index])
            found[name] += [] if value is None else [value]
    return {name: mean(np.array(values)) for name, values in found.items()}


class Reader:
    """dlib's detector and predictor on one picture at a time."""

    def __init__(self) -> None:
        from reenact.labelling.dlib_backend import DlibDetector, DlibLandmarks

        self._detect, self._predict = DlibDetector(), DlibLandmarks()

    def __call__(self, picture: NDArray[np.uint8]) -> Array | None:
        """(68, 2) in pixels of an RGB picture; None where no face is found."""
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        found = self._detect(gray)
        if not found:
            return None
        large = np.asarray(cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        return self._predict(large, found[0].box.scaled(2.0)) / 2


def read_clips(videos: Path, reader: Reader) -> dict[str, Any]:
    """Detector and predictor on every frame: shares found by step of yaw, landmark errors, motions."""
    turns, seen, error, apart = [], [], [], []
    for file in sorted(videos.glob("*.mp4")):
        with np.load(file.with_suffix(".truth.npz")) as truth:
            true, pose = truth["landmarks"].astype(np.float64), truth["pose"].astype(np.float64)
        read = [reader(picture) for picture in _pictures(file)]
        found = np.array([one is not None for one in read])
        turns.append(np.abs(pose[:, 1]))
        seen.append(found)
        if found.sum() < 10:
            continue
        ours, true, pose = np.stack([one for one in read if one is not None]), true[found], pose[found]
        error.append(_error(ours, true)[np.abs(pose[:, 1]) <= WITHIN])
        apart.append(_motions(ours, true, pose))
    motions = np.array(apart)
    return {
        "found": _by_step(np.concatenate(turns), np.concatenate(seen)),
        "within": float(np.concatenate(seen)[np.concatenate(turns) <= WITHIN].mean()),
        "landmarks": _by_group(np.concatenate(error)),
        "motion": {name: float(np.nanmean(motions[:, i])) for i, (name, *_) in enumerate(MOTIONS)},
    }


def sweep(reader: Reader, identities: int, seed: int, honest: bool) -> dict[str, Any]:
    """Every identity once in each step of yaw: shares found, landmark error and hidden points by step."""
    from reenact.rendering.clips import invent_scene
    from reenact.rendering.motion import Motion
    from reenact.rendering.scene import Stage

    turns, seen, error, hidden = [], [], {}, {}
    for identity in range(identities):
        scene = invent_scene(
            seed=seed, identity=identity, clip=1, frames=40, fps=25.0, size=256, yaw=30.0, honest=honest
        )
        rng, motion = np.random.default_rng([seed, identity]), scene.motion
        stage = Stage(scene.person, scene.surroundings, motion, scene.size)
        for start in range(0, LARGEST, STEP):
            yaw = rng.uniform(start, start + STEP) * rng.choice((-1, 1))
            row = int(rng.integers(len(motion)))
            pose = np.array([[rng.uniform(-10, 10), yaw, rng.uniform(-8, 8)]])
            posed = Motion(
                actions=motion.actions[row : row + 1], pose=pose, gaze=motion.gaze[row : row + 1], drift=motion.drift
            )
            picture, truth = stage.draw(posed, 0)
            read = reader(picture)
            turns.append(abs(yaw))
            seen.append(read is not None)
            hidden.setdefault(start, []).append(float((~truth.visibility).mean()))
            if read is not None:
                error.setdefault(start, []).append(_error(read[None], truth.landmarks[None]).mean())
    return {
        "found": _by_step(np.array(turns), np.array(seen)),
        "error": {_name(start): float(np.mean(values)) for start, values in sorted(error.items())},
        "hidden": {_name(start): float(np.mean(values)) for start, values in sorted(hidden.items())},
    }


def _pictures(file: Path) -> list[NDArray[np.uint8]]:
    capture, pictures = cv2.VideoCapture(str(file)), []
    while (read := capture.read())[0]:
        pictures.append(np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), dtype=np.uint8))
    return pictures


def _error(ours: Array, true: NDArray[Any]) -> Array:
    """(N, 68) in outer eye distances."""
    from reenact.faces.landmarks import outer_eye_distance

    return np.asarray(np.linalg.norm(ours - true, axis=-1) / outer_eye_distance(true)[:, None], dtype=np.float64)


def _by_group(error: Array) -> dict[str, float]:
    from reenact.faces.landmarks import GROUPS

    return {"all": float(error.mean())} | {name: float(error[:, list(p)].mean()) for name, p in GROUPS.items()}


def _by_step(yaw: Array, found: NDArray[np.bool_]) -> dict[str, float]:
    steps = np.minimum(yaw // STEP, LARGEST // STEP).astype(int)
    return {_name(int(step) * STEP): float(found[steps == step].mean()) for step in np.unique(steps)}


def _name(start: int) -> str:
    return f"{start}-{start + STEP}"


def _motions(ours: Array, true: Array, pose: Array) -> Array:
    """(len(MOTIONS),) correlations over the frames of one clip; NaN where nothing moves."""
    turned = pose / 30.0
    explained = np.column_stack([np.ones(len(pose)), turned, turned**2])
    remove = np.eye(len(pose)) - explained @ np.linalg.pinv(explained)
    found = []
    for _, axis, first, second in MOTIONS:
        signals = [remove @ _distance(points, axis, first, second) for points in (ours, true)]
        moving = signals[1].std() > 0.006  # outer eye distances: half a millimetre
        found.append(np.corrcoef(signals[0], signals[1])[0, 1] if moving else np.nan)
    return np.array(found)


def _distance(points: Array, axis: int, first: tuple[int, ...], second: tuple[int, ...]) -> Array:
    """(N,) along the face's own axis, in outer eye distances."""
    across = points[:, 45] - points[:, 36]
    size = np.linalg.norm(across, axis=1, keepdims=True)
    unit = across / size
    along = unit if axis == 0 else np.stack([-unit[:, 1], unit[:, 0]], axis=-1)
    between = points[:, list(first)].mean(axis=1) - points[:, list(second)].mean(axis=1)
    return np.asarray((between * along).sum(axis=1) / size[:, 0], dtype=np.float64)


def measure(
    identities: int = 12, frames: int = 40, yaw: float = 30.0, seed: int = 900, honest: bool = True, fine: bool = False
) -> dict[str, Any]:
    """Everything, as plain JSON types."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        videos = Path(name) / "videos"
        speed = draw(videos, identities, frames, yaw, seed, honest)
        quality = labelled(videos, Path(name), fine)
        reader = Reader()
        return {
            "drawn": {"identities": identities, "frames": identities * frames, "yaw": yaw, "honest": honest, **speed},
            "dlib": read_clips(videos, reader),
            "sweep": sweep(reader, identities, seed, honest),
            "labels": quality,
            "true_landmarks": fitted_to_truth(videos),
        }


def report(measured: dict[str, Any]) -> None:
    """Print it."""
    drawn, dlib, quality = measured["drawn"], measured["dlib"], measured["labels"]
    print(f"{drawn['frames']} frames of {drawn['identities']} identities, yaw to {drawn['yaw']:g}")
    print(f"drawn: {drawn['frames_per_second']:.1f} frames/s by the clock, "
          f"{drawn['frames_per_processor_second']:.1f} by processor time (bar: 40 a core)")  # fmt: skip
    print(f"dlib finds {dlib['within']:.2%} within {WITHIN:g} degrees (bar: 98 %)")
    for title, values in (("clips, found", dlib["found"]), ("sweep, found", measured["sweep"]["found"]),
                          ("sweep, error", measured["sweep"]["error"]),
                          ("sweep, hidden", measured["sweep"]["hidden"])):  # fmt: skip
        print(f"  {title:<14}" + "  ".join(f"{name}: {value:.1%}" for name, value in values.items()))
    print(f"dlib's landmarks within {WITHIN:g} degrees, outer eye distances (bar: 6 %)")
    print("  " + "  ".join(f"{name} {value:.1%}" for name, value in dlib["landmarks"].items()))
    print("motion  " + "  ".join(f"{name} {value:.2f}" for name, value in dlib["motion"].items()))
    print(f"product's labels, {quality['compared_frames']} frames: landmarks {quality['landmarks']['error']:.1%}, pose "
          + ", ".join(f"{name} {value:.1f}" for name, value in quality["pose"].items())
          + f" degrees off (mean {np.mean(list(quality['pose'].values())):.2f}, bar: 4)")  # fmt: skip
    print("AU      within clips   all frames   from true landmarks")
    for name, values in quality["actions"].items():
        row = (values["clip"], values["all"], measured["true_landmarks"][name])
        mark = "*" if name in BAR_UNITS else " "
        weak = "weak" if (values["clip"] or 0.0) < WEAK else ""
        print(f"  {name}{mark}" + "".join(f"{value or 0.0:14.2f}" for value in row) + f"  {weak}")
    for title, pick in (("within clips", lambda n: quality["actions"][n]["clip"]),
                        ("all frames", lambda n: quality["actions"][n]["all"]),
                        ("true landmarks", lambda n: measured["true_landmarks"][n])):  # fmt: skip
        print(f"  mean of the nine *, {title}: {np.mean([pick(name) or 0.0 for name in BAR_UNITS]):.3f} (bar: 0.8)")
    for name, value in quality.get("segments", {}).items():
        print(f"segments {name}: {value}")


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=12)
    parser.add_argument("--frames", type=int, default=40, help="of each identity's clip")
    parser.add_argument("--yaw", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--plain", action="store_true", help="persons that follow the fitter's model")
    parser.add_argument("--fine", action="store_true", help="label as the profile `showcase` does, not as `demo`")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    measured = measure(chosen.identities, chosen.frames, chosen.yaw, chosen.seed, not chosen.plain, chosen.fine)
    report(measured)
    if chosen.out:
        chosen.out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
