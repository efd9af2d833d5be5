"""How well jitter and flicker tell a branch's stretches of video from real ones, on many stretches of each person.

    python benchmarks/detection.py OUT BRANCH [--sequences 2] [--out FILE.json]

OUT holds a corpus and branches/BRANCH/train. Stretches of 8 frames are drawn from the people of the val and test
splits, none of whom was trained on, as the table's stretches are, but more of them; only these, the branch and the true
video are scored. Temporal error is printed as well: 0 for real video by its definition.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd


def measure(root: Path, branch: str, sequences: int) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Records of evaluation.detection, and the table of scores they are from."""
    from reenact.config import Runtime
    from reenact.corpus.corpus import Corpus
    from reenact.evaluation.detection import detection
    from reenact.evaluation.pair_files import draw_pairs
    from reenact.evaluation.pictures import Pictures
    from reenact.evaluation.protocols import Counts
    from reenact.evaluation.reference_names import GROUND_TRUTH
    from reenact.evaluation.rows import ground_truth, reenacted
    from reenact.evaluation.scoring import faces_table, score
    from reenact.stages.evaluate import EvaluateSettings, judges_of
    from reenact.systems.store import load_system

    corpus = Corpus(
        root / "frames", landmarks=root / "landmarks", actions=root / "actions", validated=root / "validated"
    )
    counts = Counts(sources=2, self_pairs=2, cross_pairs=0, lsim=0, sequences=sequences, sequence_frames=8)
    pairs = draw_pairs(corpus, root / "validated", {"val": counts, "test": counts}, seed=0)
    pairs = pairs[pairs["protocol"].isin(["selfvideo", "crossvideo"])].assign(split="both")
    system, facts = load_system(root / "branches" / branch / "train", device="cpu")
    pictures = Pictures(corpus, size=int(facts["size"]))
    rows = {GROUND_TRUTH: ground_truth(pictures), branch: reenacted(system, pictures, batch=32, device="cpu")}
    judges = judges_of(EvaluateSettings(cache=""), Runtime(threads=1))
    faces = faces_table(score(rows, pairs, pictures, judges))
    return detection(faces, branch, split="both", repeats=2000, seed=0), faces


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path("out"))
    parser.add_argument("branch", nargs="?", default="cgan-full-0")
    parser.add_argument("--sequences", type=int, default=2)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if not (chosen.root / "branches" / chosen.branch / "train" / "stage.json").exists():
        print(f"{chosen.root}: no branch {chosen.branch} was trained here. Run reenact repro first.")
        if chosen.out:  # beside the other benchmarks this one needs a training
            chosen.out.write_text(json.dumps({"skipped": "no trained branch"}) + "\n")
        return
    from reenact.evaluation.detection import detection_markdown

    records, faces = measure(chosen.root, chosen.branch, chosen.sequences)
    print(detection_markdown(records))
    means = faces.groupby(["row", "protocol"])[["jitter", "flicker", "temporal_error"]].agg(["mean", "count"])
    print(means.round(5).to_string())
    if chosen.out:
        chosen.out.write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
