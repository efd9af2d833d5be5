"""How far each judge is off: on rendered people of known truth, and on a real clip beside OpenFace's file of it.

    python benchmarks/judges.py [--real VIDEO.mp4 OPENFACE.csv] [--write] [--identities 30] [--judges tools reader]
                                [--out FILE.json]

Rendered: people of a seed that no corpus and no training has, two clips of each (other light, hair, background), taken
through the product's own stages as `demo` does, pictures of 64 px; two pictures of one person may be of both clips.
Real: the clip labelled in the same way; OpenFace's landmarks, pose and intensities stand for the truth. `--write` puts
the figures into the package, where evaluations find them by the hashes of the judge's files; other judges' stay.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SEED, SIZE, PER_CLIP, REAL_FRAMES = 4711, 64, 4, 100
NAMES = ("tools", "synthetic", "reader")


def rendered(folder: Path, identities: int) -> Any:
    """judge_error.Shown of drawn people."""
    from reenact.config import Runtime
    from reenact.evaluation.judge_error import true_labels
    from reenact.stages.render_clips import RenderClipsSettings, render_clips

    drawn, runtime = folder / "rendered", Runtime(workers=1)
    settings = RenderClipsSettings(identities=identities, clips_per_identity=2, frames=24, seed=SEED)
    render_clips(out=drawn, settings=settings, runtime=runtime)
    corpus = labelled(drawn, folder)
    frames = spread(corpus, PER_CLIP)
    return shown(corpus, frames, true_labels(corpus, folder / "videos", frames))


def real(video: Path, file: Path, folder: Path) -> Any:
    """judge_error.Shown of the clip, with what OpenFace says in the truth's place."""
    from reenact.faces.actions import ACTION_UNITS
    from reenact.labelling.openface_csv import read_openface
    from reenact.labelling.truth import Labels

    source = folder / "in"
    source.mkdir()
    (source / video.name).symlink_to(video.resolve())
    corpus = labelled(source, folder)
    frames, theirs = spread(corpus, REAL_FRAMES), read_openface(file)
    if theirs.landmarks is None or theirs.pose is None or theirs.actions is None:
        raise SystemExit(f"{file}: needs landmarks, pose and action units. Run OpenFace with -2Dfp -pose -aus.")
    truth = Labels(
        landmarks=np.full((len(frames), 68, 2), np.nan), actions=np.full((len(frames), len(ACTION_UNITS)), np.nan),
        pose=np.full((len(frames), 3), np.nan), visibility=np.full((len(frames), 68), np.nan),
    )  # fmt: skip
    rows = {int(number): row for row, number in enumerate(theirs.frame) if theirs.success[row]}
    for index, (clip, frame) in enumerate(frames):
        stored = corpus.frame_table(corpus.by_name[clip]).iloc[frame]
        row = rows.get(int(stored["frame"]))
        if row is not None:
            corner = stored[["crop_x", "crop_y"]].to_numpy(dtype=np.float64)
            truth.landmarks[index] = (theirs.landmarks[row] - corner) / float(stored["crop_side"])
            truth.pose[index], truth.actions[index] = theirs.pose[row], theirs.actions[row]
    return shown(corpus, frames, truth)


def labelled(source: Path, folder: Path) -> Any:
    """The corpus of a folder of videos, by the product's own stages with `demo`'s settings."""
    from reenact.config import Runtime
    from reenact.corpus.corpus import Corpus
    from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data
    from reenact.stages.label_actions import LabelActionsSettings, label_actions
    from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks

    runtime, looks = Runtime(workers=1), LabelLandmarksSettings(enlarge_to=256, looks=1)
    frames, landmarks, actions = (folder / name for name in ("frames", "landmarks", "actions"))
    fetch_data(videos=source, out=folder / "videos", settings=FetchDataSettings())
    extract_frames(
        videos=folder / "videos", out=frames, settings=ExtractFramesSettings(crop_scale=1.7), runtime=runtime
    )
    label_landmarks(frames=frames, out=landmarks, settings=looks, runtime=runtime)
    label_actions(frames=frames, landmarks=landmarks, out=actions, settings=LabelActionsSettings(), runtime=runtime)
    return Corpus(frames, landmarks=landmarks, actions=actions)


def spread(corpus: Any, count: int) -> list[tuple[str, int]]:
    """Frames that lie evenly in each clip."""
    return [
        (clip.clip, int(frame))
        for clip in corpus.clips
        for frame in np.unique(np.linspace(0, clip.count - 1, count).round())
    ]


def shown(corpus: Any, frames: Sequence[tuple[str, int]], truth: Any) -> Any:
    """The pictures of frames with their truth."""
    from reenact.evaluation.judge_error import Shown
    from reenact.evaluation.pictures import Pictures

    pictures = Pictures(corpus, size=SIZE)
    return Shown(
        pictures=list(pictures.many(frames)), people=pictures.people([clip for clip, _ in frames]), truth=truth,
        clips=np.array([clip for clip, _ in frames]),
        identities=np.array([corpus.by_name[clip].identity for clip, _ in frames]),
    )  # fmt: skip


def beside_openface(judge: Any, clip: Any) -> dict[str, Any]:
    """Errors on the real clip, and correlations of the angles: their zeros differ."""
    from reenact.evaluation.judge_error import error_of
    from reenact.labelling.truth import correlation

    pose = judge.pose_and_actions(clip.pictures, clip.people)[0]
    angles = {name: correlation(pose[:, i], clip.truth.pose[:, i]) for i, name in enumerate(("pitch", "yaw", "roll"))}
    return {**error_of(judge, clip, recognition=False), "correlation": angles}


def measure(names: Sequence[str], identities: int, clip: tuple[Path, Path] | None) -> list[dict[str, Any]]:
    """A record per judge, as `judge_errors.json` holds them."""
    from reenact.evaluation.judge_error import error_of
    from reenact.evaluation.judges import Making, make_judges

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        people = rendered(Path(one), identities)
        other = real(*clip, Path(two)) if clip else None
    command = f"python benchmarks/judges.py --identities {identities} --real VIDEO.mp4 OPENFACE.csv --write"
    records = []
    for name in names:
        judge = make_judges(name, {}, Making()).default
        records.append({
            "card": judge.card, "command": command, "picture_size": SIZE, "identities": identities, "seed": SEED,
            "rendered": error_of(judge, people), "real": beside_openface(judge, other) if other else None,
        })  # fmt: skip
        print(said(name, records[-1]), flush=True)
    return records


def said(name: str, record: dict[str, Any]) -> str:
    """Lines for people."""
    lines = []
    for where in ("rendered", "real"):
        one = record[where]
        if one is None:
            continue
        turned = one.get("correlation") or one["pose"]
        lines.append(
            f"{name:10} {where:9} {one['frames']:4} frames, found {one['found']:.3f}, landmarks "
            f"{one['landmarks']:.2%}, pitch {turned['pitch']:.2f} yaw {turned['yaw']:.2f} roll {turned['roll']:.2f} "
            f"{'(correlations)' if 'correlation' in one else 'degrees'}, AUs {one['actions_mean']:.3f}"
            + (f", same person {one['same_person']:.3f}" if one["same_person"] is not None else "")
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    from reenact.atomic import write_json
    from reenact.evaluation.judge_error import MEASURED

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=30)
    parser.add_argument("--real", nargs=2, type=Path, metavar=("VIDEO", "CSV"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--judges", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if chosen.write and not chosen.real:
        parser.error("--write needs --real: the package holds both figures of a judge")
    records = measure(chosen.judges, chosen.identities, tuple(chosen.real) if chosen.real else None)
    if chosen.out:
        write_json(chosen.out, {"format": 1, "judges": records})
    if chosen.write:
        names = {record["card"]["name"] for record in records}
        kept = [one for one in json.loads(MEASURED.read_text())["judges"] if one["card"]["name"] not in names]
        write_json(MEASURED, {"format": 1, "judges": sorted([*kept, *records], key=lambda one: one["card"]["name"])})


if __name__ == "__main__":
    main()
