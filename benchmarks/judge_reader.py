"""What the judge reader is worth: on drawn people nobody else has seen, in crops of the pipeline, and on a real clip.

    python benchmarks/judge_reader.py [--people 160] [--model FILE] [--cache DIR] [--real VIDEO.mp4 OPENFACE.csv]
                                      [--out FILE.json]

Each person is drawn in two clips (other light, room, motion), as files, and cut out by the product's own stage: once
with heads that turn by 30 degrees and the default backend, once by 75 and the backend `synthetic`. The crops are read
at 256 px, and at 64 px as systems draw them. Same/other pairs: of one person all pairs of pictures from different
clips, of two people all pairs; look-alikes: only the tenth of them with the most similar skin and hair. Speed: pictures
per second of one core's time.
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

FRAMES, FPS, SIZE = 8, 10.0, 256
RANGES: dict[str, tuple[float, str]] = {"to 30 degrees": (30.0, "dlib"), "to 75 degrees": (75.0, "synthetic")}


def crops(people: int, yaw: float, backend: str, folder: Path) -> dict[str, NDArray[Any]]:
    """Pictures (N, 256, 256, 3) of the stage extract_frames, with their truth in crop coordinates."""
    from reenact.backbones.judge_reader.drawing import FIRST_IDENTITY, SEED
    from reenact.config import Runtime
    from reenact.corpus.corpus import Corpus
    from reenact.rendering.clips import invent_scene, write_clip
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data

    drawn = folder / "drawn"
    drawn.mkdir(parents=True, exist_ok=True)
    for who in range(FIRST_IDENTITY["test"], FIRST_IDENTITY["test"] + people):
        for clip in range(2):
            name = f"{who}--{clip}"
            if not (drawn / f"{name}.scene.json").exists():
                scene = invent_scene(seed=SEED, identity=who, clip=clip, frames=FRAMES, fps=FPS, size=SIZE, yaw=yaw,
                                     honest=True)  # fmt: skip
                write_clip(scene, drawn, name)
    fetch_data(videos=drawn, out=folder / "videos", settings=FetchDataSettings())
    settings = ExtractFramesSettings(crop_scale=1.7, size=SIZE, backend=backend)
    extract_frames(videos=folder / "videos", out=folder / "frames", settings=settings, runtime=Runtime(workers=1))
    corpus = Corpus(folder / "frames")
    parts: dict[str, list[NDArray[Any]]] = {}
    for clip_ in corpus.clips:
        table = corpus.frame_table(clip_)
        rows = table["frame"].to_numpy()
        side = table["crop_side"].to_numpy(dtype=np.float64)[:, None, None]
        corner = table[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)[:, None]
        who_, number = clip_.clip.split("--")
        with np.load(drawn / f"{clip_.clip}.truth.npz") as truth:
            for key, value in (
                ("pictures", np.stack([corpus.image(clip_, i) for i in range(clip_.count)])),
                ("landmarks", (truth["landmarks"][rows] - corner) / side),
                ("pose", truth["pose"][rows]), ("actions", truth["actions"][rows]),
                ("identity", np.full(len(rows), int(who_))), ("clip", np.full(len(rows), int(number))),
            ):  # fmt: skip
                parts.setdefault(key, []).append(value)
    return {key: np.concatenate(values) for key, values in parts.items()}


def on_drawn_people(reader: Any, people: int, cache: Path | None) -> dict[str, Any]:
    """Errors by range of turns and size of the pictures."""
    from reenact.backbones.judge_reader.measuring import errors
    from reenact.corpus.sampling import resized

    result: dict[str, Any] = {}
    for name, (yaw, backend) in RANGES.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = (cache or Path(temporary)) / f"yaw-{yaw:.0f}-{people}"
            found = crops(people, yaw, backend, folder)
        pictures = found.pop("pictures")
        for size in (SIZE, 64):
            began = time.process_time()
            read = reader.read(np.stack([resized(one, size) for one in pictures]))
            speed = len(pictures) / (time.process_time() - began)
            result[f"{name}, {size} px"] = {
                "drawn": people * 2 * FRAMES, "pictures_per_second": speed, "errors": errors(read, **found),
                "lookalikes": lookalikes(read, found["identity"], found["clip"]),
            }  # fmt: skip
    return result


def lookalikes(read: Any, identity: NDArray[Any], clip: NDArray[Any]) -> float:
    """Same/other AUC where the others are the tenth of pairs of people with the nearest colours of skin and hair."""
    from reenact.backbones.judge_reader.drawing import SEED
    from reenact.backbones.judge_reader.measuring import area
    from reenact.rendering.clips import invent_scene

    names, who = np.unique(identity, return_inverse=True)
    drawn = (
        invent_scene(seed=SEED, identity=int(name), clip=0, frames=1, fps=FPS, size=SIZE, yaw=0.0, honest=True).person
        for name in names
    )
    colours = np.array([np.concatenate([one.skin, one.hair]) for one in drawn])
    far = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    near = far <= np.quantile(far[np.triu_indices(len(far), 1)], 0.1)
    above = np.triu(np.ones((len(who), len(who)), bool), 1)
    same = who[:, None] == who[None]
    cosines = read.embedding @ read.embedding.T
    others = cosines[above & ~same & near[who][:, who]]
    return area(cosines[above & same & (clip[:, None] != clip[None])], others)


def on_real_clip(reader: Any, video: Path, file: Path) -> dict[str, Any]:
    """Beside OpenFace's file of a real video: distance of landmarks, and correlations over the frames both have."""
    from reenact.faces.actions import ACTION_UNITS
    from reenact.faces.landmarks import outer_eye_distance
    from reenact.labelling.openface_csv import read_openface
    from reenact.labelling.truth import correlation

    theirs = read_openface(file)
    if theirs.landmarks is None or theirs.pose is None or theirs.actions is None:
        raise SystemExit(f"{file}: needs landmarks, pose and action units. Run OpenFace with -2Dfp -pose -aus.")
    with tempfile.TemporaryDirectory() as name:
        pictures, frames, corner, side = _real_crops(video, Path(name))
    read = reader.read(pictures)
    _, rows, ours = np.intersect1d(np.where(theirs.success, theirs.frame, -1), frames, return_indices=True)
    points = read.landmarks * side + corner
    true = theirs.landmarks[rows]
    off = np.linalg.norm(points[ours] - true, axis=-1).mean(axis=1) / outer_eye_distance(true)
    actions = {name: correlation(read.actions[ours, i], theirs.actions[rows, i]) for i, name in enumerate(ACTION_UNITS)}
    return {
        "frames": len(rows), "face": float((read.face[ours] > 0.5).mean()), "landmarks": float(off.mean()),
        "pose": {axis: {"correlation": correlation(read.pose[ours, i], theirs.pose[rows, i]),
                        "error": float(np.abs(read.pose[ours, i] - theirs.pose[rows, i]).mean())}
                 for i, axis in enumerate(("pitch", "yaw", "roll"))},
        "actions": actions, "mean": float(np.mean([value for value in actions.values() if value is not None])),
    }  # fmt: skip


def _real_crops(video: Path, folder: Path) -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[Any], NDArray[Any]]:
    from reenact.config import Runtime
    from reenact.corpus.corpus import Corpus
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data

    source = folder / "in"
    source.mkdir()
    (source / video.name).symlink_to(video.resolve())
    fetch_data(videos=source, out=folder / "videos", settings=FetchDataSettings())
    settings = ExtractFramesSettings(crop_scale=1.7, size=SIZE)
    extract_frames(videos=folder / "videos", out=folder / "frames", settings=settings, runtime=Runtime(workers=1))
    corpus = Corpus(folder / "frames")
    clip = corpus.clips[0]
    table = corpus.frame_table(clip)
    return (
        np.stack([corpus.image(clip, i) for i in range(clip.count)]), table["frame"].to_numpy(),
        table[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)[:, None],
        table["crop_side"].to_numpy(dtype=np.float64)[:, None, None],
    )  # fmt: skip


def as_text(measured: dict[str, Any]) -> str:
    """A table of Markdown."""
    lines = ["| crops | yaw | pictures | landmarks, % | pitch | yaw | roll | AUs | same/other | face |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, record in measured.items():
        for band, one in record["errors"].items():
            lines.append(
                f"| {name} | {band} | {one['pictures']} | {100 * one['landmarks']:.1f} | {one['pitch']:.1f} | "
                f"{one['yaw']:.1f} | {one['roll']:.1f} | {one['actions']:.2f} | {one['same_other'] or np.nan:.3f} | "
                f"{one['face']:.3f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write JSON."""
    import torch

    from reenact.backbones.judge_reader.models import released_file
    from reenact.backbones.judge_reader.reading import JudgeFaceReader

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=160)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--real", type=Path, nargs=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    reader = JudgeFaceReader(given.model or released_file())
    record: dict[str, Any] = {"model": reader.name, "sha256": reader.sha256, "people": given.people}
    if given.people:
        record["drawn"] = on_drawn_people(reader, given.people, given.cache)
        print(as_text(record["drawn"]))
        for name, one in record["drawn"].items():
            found = one["errors"]["all"]
            print(f"{name}: {found['pictures']} of {one['drawn']} frames cut out, {found['people']} people, "
                  f"{one['pictures_per_second']:.0f} pictures a second, look-alikes {one['lookalikes']:.3f}; "
                  + " ".join(f"{unit} {value:.2f}" for unit, value in found["each_action"].items()))  # fmt: skip
    if given.real:
        record["real"] = on_real_clip(reader, *given.real)
        print(json.dumps(record["real"], indent=1))
    if given.out:
        given.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
