"""What the alarms measure on rows whose health is known, and on trained branches.

    python benchmarks/alarms.py OUT [NAME=TRAIN_FOLDER ...] [--pairs 4]

OUT is a run's folder with `frames/ landmarks/ actions/ validated/`; without folders named, its own branches are
looked at. The first table is of the test pairs, as an evaluation judges them; the second of each training's history:
its first look, and the worst after the warm-up. Last, what a look costs beside a training step.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

SHOWN = [("identity_collapse", "self"), ("identity_collapse", "cross"), ("mode_collapse", "self"),
         ("mode_collapse", "cross"), ("identity_leak", "cross")]  # fmt: skip


def scored_rows(out: Path, branches: dict[str, Path], pairs_each: int) -> dict[str, Any]:
    """Every row's groups of pairs, read by the tools."""
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.splits import read_parts
    from reenact.evaluation.judges import Making, make_judges
    from reenact.evaluation.pictures import Pictures
    from reenact.evaluation.protocols import Counts, pair_list
    from reenact.evaluation.references import nearest_frames
    from reenact.evaluation.rows import Drawn, copy_source, ground_truth, picked, real, reenacted
    from reenact.evaluation.scoring import score
    from reenact.systems.store import load_system

    corpus = Corpus(out / "frames", landmarks=out / "landmarks", actions=out / "actions", validated=out / "validated")
    parts = {split: read_parts(out / "validated", split) for split in ("train", "test")}
    counts = Counts(sources=2, self_pairs=pairs_each, cross_pairs=pairs_each, lsim=0)
    pairs = pair_list(corpus, parts["test"], split="test", training=parts["train"], counts=counts, seed=0)
    systems = {name: load_system(folder) for name, folder in branches.items()}
    pictures = Pictures(corpus, size=int(next((facts["size"] for _, facts in systems.values()), 64)))

    def blurred(pairs: pd.DataFrame) -> Drawn:
        drawn = real(pictures, pairs, "source")
        blur = [cv2.GaussianBlur(picture, (0, 0), 1.0) for picture in drawn.pictures]
        return Drawn(pictures=np.stack(blur), usable=drawn.usable)

    def alike(pairs: pd.DataFrame) -> Drawn:
        drawn = real(pictures, pairs, "source")
        return Drawn(pictures=np.repeat(drawn.pictures[:1], len(pairs), axis=0), usable=drawn.usable)

    rows = {"copy source": copy_source(pictures), "blurred copy": blurred, "one picture": alike,
            "the driver": lambda pairs: real(pictures, pairs, "driving"), "ground truth": ground_truth(pictures),
            "nearest frame": picked(pictures, nearest_frames)}  # fmt: skip
    rows |= {name: reenacted(system, pictures, batch=16, device="cpu") for name, (system, _) in systems.items()}
    return score(rows, pairs, pictures, make_judges("tools", {}, Making(size=256)))


def of_tests(scored: dict[str, Any]) -> None:
    """The first table."""
    from reenact.alarms.settings import EvaluateAlarms
    from reenact.evaluation.alarms import verdicts

    print("| | " + " | ".join(f"{name.replace('_', ' ')}, {protocol}" for name, protocol in SHOWN) + " |")
    print("| --- " * (len(SHOWN) + 1) + "|")
    for row in scored:
        found = {(verdict.name, verdict.protocol): verdict for verdict in verdicts(scored, row, EvaluateAlarms())}
        cells = []
        for key in SHOWN:
            verdict = found.get(key)
            known = verdict is not None and verdict.value is not None
            cells.append(f"{verdict.value:.2f} {verdict.verdict}" if verdict and known else "-")
        print(f"| {row} | " + " | ".join(cells) + " |")


def of_trainings(branches: dict[str, Path]) -> None:
    """The second table; nothing of trainings that were not watched."""
    from reenact.alarms.catalogue import ALARMS
    from reenact.alarms.settings import TrainAlarms

    print(
        "\n| training | alarm | looks | first | worst after the warm-up | last |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, folder in branches.items():
        history = pd.read_parquet(folder / "history.parquet")
        early = max(TrainAlarms().warm_up * history["samples"].max(), TrainAlarms().warm_up_samples)
        for alarm in ALARMS.values():
            seen = history[history["name"] == f"alarm_{alarm.name}"].sort_values("samples")
            late = seen[seen["samples"] > early]["value"]
            if len(seen):
                worst = f"{late.min() if alarm.sick == 'low' else late.max():.2f}" if len(late) else "-"
                first, last = (f"{seen['value'].iloc[place]:.2f}" for place in (0, -1))
                print(f"| {name} | {alarm.name.replace('_', ' ')} | {len(seen)} | {first} | {worst} | {last} |")


def of_cost() -> None:
    """Processor time of a look at 64 px and of a training step, both of the demo's `full`."""
    import tempfile

    import torch
    from training import BATCH, WIDTHS, plain_loop, sampler_of, seconds_of, system_of

    from reenact.backbones.reader import Reader
    from reenact.training.looks import MOST, Looks
    from reenact.training.validation import Validation

    with tempfile.TemporaryDirectory() as folder:
        sampler, system = sampler_of(Path(folder)), system_of(WIDTHS["demo"])
        pairs = Validation(sampler=sampler, pairs=MOST, batch=BATCH, device=torch.device("cpu"))
        looks = Looks(every=1, own=pairs, cross=pairs, reader=Reader(width=8).fuse())
        batch = sampler.batch(range(BATCH))
        plain_loop(system, batch, 1)
        step = seconds_of(lambda: plain_loop(system, batch, 10)) / 10
        look = seconds_of(lambda: looks.look(system, [], since=0))
    print(f"\na look: {look:.2f} s of processor time; a step of {BATCH} samples: {step:.2f} s")


def main() -> None:
    """Print both tables as Markdown, and the cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("branches", nargs="*", help="NAME=FOLDER of a training")
    parser.add_argument("--pairs", type=int, default=4, help="self and cross pairs per test person")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    branches = {name: Path(folder) for name, folder in (each.split("=", 1) for each in given.branches)}
    branches = branches or {path.parent.name: path for path in sorted(given.out.glob("branches/*/train"))}
    of_tests(scored_rows(given.out, branches, given.pairs))
    of_trainings(branches)
    of_cost()


if __name__ == "__main__":
    main()
