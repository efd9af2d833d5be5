"""Scoring a branch beside a plain script, in judged pairs per second of one core.

    python benchmarks/evaluation.py [--identities 4] [--pairs 8] [--out FILE.json]

Both score self-reenactment of rendered clips for three rows (copy source, ground truth, a slightly blurred truth in
place of a system): MSE, SSIM, CSIM and landmarks at 64 px. The script does what each library's documentation shows,
picture by picture. Ours reads each picture once, but also fits pose and action units and draws the intervals.
Then each metric's cost beside that of its own network, run alone on as many pictures; networks of a user's own have
random weights in their published layouts, and ArcFace is missing, since its layout is each file's own.
Processor time, libraries loaded before.
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
    from reenact.evaluation.scoring import faces_table, summarise_sets
    from reenact.evaluation.summary import summarise

    scored = {name: [group] for name, group in scored_of(clips, sources, truths, rows).items()}
    summarise(faces_table(scored), repeats=1000, seed=0)
    summarise_sets(scored)
    return len(truths) * len(rows)


def scored_of(
    clips: dict[str, Images], sources: Images, truths: Images, rows: dict[str, Images], networks: Path | None = None
) -> dict[str, Any]:
    """Every row's pictures as the evaluation holds them, nothing read yet."""
    from reenact.backbones.settings import NetworkSettings
    from reenact.evaluation.judge import People, Reading
    from reenact.evaluation.judges import Making, make_judges
    from reenact.evaluation.scoring import Scored
    from reenact.faces.shape_model import shape_model

    names = [name for name, frames in clips.items() for _ in frames[1:]]
    numbers = [number for frames in clips.values() for number in range(1, len(frames))]
    pairs = pd.DataFrame({
        "pair": [f"{name}-{number}" for name, number in zip(names, numbers, strict=True)], "protocol": "self",
        "split": "test", "identities": "unseen", "source_clip": names, "source_identity": names, "source_frame": 0,
        "driving_clip": names, "driving_identity": names, "driving_frame": numbers, "truth_clip": names,
        "truth_frame": numbers,
    })  # fmt: skip
    given = NetworkSettings.parse(own_networks(networks) if networks else {}, where="networks")
    judges = make_judges("tools", {}, Making(size=JUDGED, networks=given))
    everyone = np.ones(len(pairs), dtype=bool)
    people = People(np.zeros((len(pairs), len(shape_model().identity))), np.zeros((len(pairs), 17)))
    source, truth = (Reading(judges.default, pictures, everyone, people) for pictures in (sources, truths))
    return {
        name: Scored(pairs=pairs, generated=Reading(judges.default, pictures, everyone, people), source=source,
                     driving=truth, truth=truth, judges=judges)
        for name, pictures in rows.items()
    }  # fmt: skip


def own_networks(folder: Path) -> dict[str, dict[str, str]]:
    """Files of random weights in the layouts of FID's Inception and of AlexNet."""
    import torch

    from reenact.backbones import inception, lpips
    from reenact.hashing import hash_file

    state: dict[str, Any] = {}
    for name, channels, layer in inception.layers():
        state[f"{name}.conv.weight"] = torch.randn(layer.out, channels, *layer.kernel) * 0.03
        state |= {f"{name}.bn.{part}": torch.ones(layer.out) for part in ("weight", "bias", "running_var")}
        state[f"{name}.bn.running_mean"] = torch.zeros(layer.out)
    torch.save(state, folder / "inception.pth")
    state, channels = {}, 3
    for convolution in lpips.CONVOLUTIONS:
        kernel = (convolution.kernel, convolution.kernel)
        state[f"features.{convolution.number}.weight"] = torch.randn(convolution.out, channels, *kernel) * 0.03
        state[f"features.{convolution.number}.bias"] = torch.zeros(convolution.out)
        channels = convolution.out
    torch.save(state, folder / "lpips.pth")
    files = {name: folder / f"{name}.pth" for name in ("inception", "lpips")}
    return {name: {"file": str(file), "sha256": hash_file(file)} for name, file in files.items()}


def in_suite(metric: Any, group: Any, people: int) -> None:
    """A metric's values; of a set's figure also those that its interval needs, one for each person left out."""
    if metric.per_pair:
        metric.per_pair(group)
        return
    generated, real = metric.features(group)
    for _ in range(people + 1):
        metric.of_sets(generated, real)


def costs(clips: dict[str, Images], sources: Images, truths: Images, rows: dict[str, Images]) -> list[dict[str, Any]]:
    """Per metric: what reads for it, milliseconds a picture of that alone, and of the metric with it in the suite."""
    import torch

    from reenact.evaluation.metrics.catalogue import METRICS

    def timed(step: Callable[[], Any]) -> float:
        start = time.process_time()
        step()
        return time.process_time() - start

    def alone(reader: str, group: Any) -> float:
        """Of generated and true pictures, as many as every metric reads."""
        judge, networks = group.judges.default, group.judges.networks
        both = [torch.from_numpy(view.pictures) for view in (group.generated, group.truth)]
        fours = [[one[start : start + 4] for one in both] for start in range(0, len(truths), 4)]
        every = [picture for view in (group.generated, group.truth) for picture in view.pictures]
        steps: dict[str, Callable[[], Any]] = {
            "landmarks": lambda: judge.landmarks(every),
            "fit": lambda: [view.pose for view in (group.generated, group.truth)],
            "recognition": lambda: judge.descriptors(every),
            "inception": lambda: [networks.inception_network.features(one) for pair in fours for one in pair],
            "lpips": lambda: [networks.lpips_network.distances(*pair) for pair in fours],
        }
        return timed(steps[reader])

    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for metric in METRICS.values():
            if "self" not in metric.protocols or metric.backbone == "arcface":
                continue
            group = scored_of(clips, sources, truths, {"blurred": rows["blurred"]}, Path(folder))["blurred"]
            reader = 0.0 if metric.backbone == "pixels" else alone(metric.backbone, group)
            group = scored_of(clips, sources, truths, {"blurred": rows["blurred"]}, Path(folder))["blurred"]
            suite = timed(lambda metric=metric, group=group: in_suite(metric, group, len(clips)))
            pictures = 2 * len(truths) / 1000
            measured.append({"metric": metric.id, "reader": metric.backbone, "alone_ms": reader / pictures,
                             "suite_ms": suite / pictures})  # fmt: skip
    return measured


def measure(identities: int = 4, pairs: int = 8) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of name, pairs, seconds of processor time and pairs per second; then what each metric costs."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        clips = frames_of(Path(name), identities, pairs + 1)
    sources, truths, rows = rows_of(clips)
    steps: dict[str, Callable[[], int]] = {
        "plain script": lambda: plain_script(sources, truths, rows),
        "evaluation": lambda: ours(clips, sources, truths, rows),
    }
    one = {name: frames[:2] for name, frames in list(clips.items())[:1]}
    ours(one, *rows_of(one))  # libraries are loaded, and what they compile at first use
    measured = []
    for label, step in steps.items():
        start = time.process_time()
        count = step()
        seconds = time.process_time() - start
        measured.append({"name": label, "pairs": count, "seconds": seconds, "pairs_per_second": count / seconds})
    return measured, costs(clips, sources, truths, rows)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=8, help="per identity")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows, metrics = measure(chosen.identities, chosen.pairs)
    for row in rows:
        print(f"{row['name']:<16}{row['pairs']:>6} pairs{row['pairs_per_second']:>9.2f} pairs/s of one core")
    print(f"ratio: {rows[1]['pairs_per_second'] / rows[0]['pairs_per_second']:.1f} (aim: 5)")
    print("a metric with what reads for it, and that alone, ms of a core for each picture (generated or true)")
    for cost in metrics:
        print(f"  {cost['metric']:<16}{cost['suite_ms']:>9.2f}   {cost['reader']:<12}{cost['alone_ms']:>9.2f}")
    if chosen.out:
        facts = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        chosen.out.write_text(json.dumps({"facts": facts, "rows": rows, "metrics": metrics}, indent=1) + "\n")


if __name__ == "__main__":
    main()
