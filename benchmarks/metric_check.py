"""Would the usual metrics of cross-reenactment choose as the true picture does? Rank correlations over drawn systems.

    python benchmarks/metric_check.py OUT [--systems 20] [--pairs 2] [--seed 0] [--out FILE.json]

OUT is a folder of a run on rendered clips (`out` of `dvc repro`). The systems are not trained: each is the renderer, at
half its size, with faults of its own, drawn at random, so that many kinds of failure and all their degrees meet. A
system follows only a part of the driver's pose and of his expression (0..1; the rest stays as in the source picture),
lets a part of the driver's face shape through (0..0.6), blurs (0..1.5 px of a 64 px picture) and places the face beside
where it belongs (0..3 px). Each draws the test pairs of `cross` and the triplets of `lsim`; the tools judge reads them.
Printed: Spearman's correlation of each truth-free metric with each against the true picture, over the systems.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.corpus import Corpus
from reenact.evaluation.judges import Making, make_judges
from reenact.evaluation.metric_check import FREE, KNOWN, check_markdown, rank_correlations
from reenact.evaluation.pair_files import draw_pairs
from reenact.evaluation.pairs.redrawable import scene_files
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.protocols import Counts
from reenact.evaluation.redrawn import Redrawn
from reenact.evaluation.rows import Drawn, Row, copy_source, frames_of
from reenact.evaluation.scoring import faces_table, score
from reenact.labelling.crops import Crop, cut_out
from reenact.rendering.motion import Motion
from reenact.rendering.scene import Stage

SIZE = 64
Frame = tuple[str, int]


@dataclass(frozen=True)
class Faults:
    """What a system does wrong."""

    pose: float  # share of the driver's pose that it follows
    expression: float  # share of his expression
    leak: float  # share of the driver's face shape in place of the source's
    blur: float  # px, standard deviation
    shift: float  # px


def drawn_faults(rng: np.random.Generator, count: int) -> list[Faults]:
    """Independent of each other: no metric can do well by following one kind of fault only."""
    high = (1.0, 1.0, 0.6, 1.5, 3.0)
    return [Faults(*(float(rng.uniform(0, top)) for top in high)) for _ in range(count)]


class Faulty:
    """Draws pairs with faults; see evaluation.redrawn for what the faultless picture is."""

    def __init__(self, redrawn: Redrawn) -> None:
        self.redrawn = redrawn

    def row(self, faults: Faults) -> Row:
        """As a row of a table."""
        known: dict[tuple[Frame, Frame], NDArray[np.uint8]] = {}

        def draw(pairs: pd.DataFrame) -> Drawn:
            frames = list(zip(frames_of(pairs, "source"), frames_of(pairs, "driving"), strict=True))
            # Pairs of cross_truth are pairs of cross.
            known.update({pair: self._picture(faults, *pair) for pair in frames if pair not in known})
            pictures = np.stack([known[pair] for pair in frames])
            return Drawn(pictures=pictures, usable=np.ones(len(pictures), dtype=bool))

        return draw

    def _picture(self, faults: Faults, source: Frame, driving: Frame) -> NDArray[np.uint8]:
        own, other = (self.redrawn.scene(frame[0]) for frame in (source, driving))
        a, b = self.redrawn.number(source), self.redrawn.number(driving)
        person = replace(
            own.person,
            identity=_between(own.person.identity, other.person.identity, faults.leak),
            residual=_between(own.person.residual, other.person.residual, faults.leak),
        )
        motion = Motion(
            actions=_between(own.motion.actions[a], other.motion.actions[b], faults.expression)[None],
            pose=_between(own.motion.pose[a], other.motion.pose[b], faults.pose)[None],
            gaze=_between(own.motion.gaze[a], other.motion.gaze[b], faults.expression)[None],
            drift=own.motion.drift[a][None],
        )
        picture = Stage(person, own.surroundings, motion, own.size // 2).draw(motion, 0)[0]
        crop = self.redrawn.crop(source, driving)
        beside = faults.shift * crop.side / SIZE
        half = Crop(round((crop.x - beside) / 2), round(crop.y / 2), round(crop.side / 2))
        small = cut_out(picture, half, SIZE)
        blurred = cv2.GaussianBlur(small, (0, 0), faults.blur) if faults.blur > 0.1 else small
        return np.asarray(blurred, dtype=np.uint8)


def figures(faces: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A row per system: means over the pairs that could be judged, in the columns of a comparison."""
    for name, own in faces.groupby("row", sort=False):
        means = {p: group.mean(numeric_only=True) for p, group in own.groupby("protocol")}
        cross = {f"cross_{metric}": means["lsim" if metric == "lsim" else "cross"][metric] for metric in FREE}
        known = {f"crosstruth_{metric}": means["cross_truth"][metric] for metric in KNOWN}
        yield {"row": name, **cross, **known, "judged": float(own["face_found"].mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--systems", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=2, help="cross pairs and triplets of each test person")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    root: Path = options.root
    corpus = Corpus(root / "frames", landmarks=root / "landmarks", actions=root / "actions",
                    validated=root / "validated")  # fmt: skip
    counts = Counts(sources=2, self_pairs=0, cross_pairs=options.pairs, lsim=options.pairs, cross_truth=options.pairs)
    pairs = draw_pairs(corpus, root / "validated", {"test": counts}, seed=options.seed, videos=root / "videos")
    redrawn = Redrawn(corpus, scene_files(corpus, root / "videos"))
    pictures, faulty = Pictures(corpus, size=SIZE, redrawn=redrawn), Faulty(redrawn)
    listed = drawn_faults(np.random.default_rng(options.seed), options.systems)
    rows = {"copy source": copy_source(pictures), **{f"system {n}": faulty.row(f) for n, f in enumerate(listed)}}
    faces = faces_table(score(rows, pairs, pictures, make_judges("tools", {}, Making())))
    table = pd.DataFrame(figures(faces[faces["row"] != "copy source"]))
    check = rank_correlations(table)
    print(check_markdown(check))
    print(f"{len(table)} systems, {(pairs['protocol'] == 'cross').sum()} cross pairs and as many triplets of "
          f"{pairs['source_identity'].nunique()} people, {table['judged'].mean():.1%} judged")  # fmt: skip
    if options.out:
        record = {"faults": [asdict(faults) for faults in listed], "figures": table.to_dict("records"),
                  "correlations": check.to_dict("records")}  # fmt: skip
        options.out.write_text(json.dumps(record, indent=1))


def _between(a: NDArray[np.float64], b: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    return np.asarray(a + share * (b - a))


if __name__ == "__main__":
    main()
