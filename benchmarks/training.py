"""Training samples per second of one core: our loop beside the same step in plain PyTorch, and every system in ours.

    python benchmarks/training.py [--steps 20] [--systems NAME ...] [--out FILE.json]

The first two rows train `cgan` in its variant `full` at 64 px on batches of 10 triplets, with the widths of the
profiles `demo` and `paper` and an untrained guide of the demo's width. The plain loop has its batch in memory and
does what PyTorch's documentation shows: two Adam optimisers, `backward`, `step`. Ours also reads batches, logs and
watches for what is not finite. Validation and pictures are left out of both. Then every system as params.yaml has it,
in our loop; those of several source pictures with K = 1 and K = 8, one of several phases over all of them in their
shares. A sample is one target with its sources, whether or not the generator takes a step on it. Processor time.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import Sampler
from reenact.corpus.shards import write_array, write_rows, write_stage
from reenact.corpus.splits import Part
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.batch import FaceBatch
from reenact.faces.pose import ANGLES
from reenact.faces.segments import PARTS
from reenact.process import keep_freed_memory
from reenact.systems.catalogue import SYSTEMS, build_system
from reenact.training.checkpoints import open_checkpoints
from reenact.training.device import make_fabric
from reenact.training.loop import Training
from reenact.training.settings import CheckpointSettings, LoopSettings
from reenact.training.tracker import NullTracker

BATCH, SIZE = 10, 64
WIDTHS = {"demo": {"width": 16, "discriminator_width": 16}, "paper": {"width": 64, "discriminator_width": 32}}


SHOTS = (1, 8)
PARAMS = Path(__file__).parent.parent / "params.yaml"


def system_of(settings: dict[str, Any], name: str = "cgan") -> Any:
    """A fresh system with a fresh guide."""
    from loader import CLIPS

    torch.manual_seed(0)
    guide = GuideFeatures(Reader(width=8), sha256="", scales=(1.0,) * 7)
    return build_system(name, "full", settings, size=SIZE, features=guide, clips=CLIPS)


def sampler_of(root: Path, *, sources: int = 1, labels: Sequence[str] = ()) -> Sampler:
    """Sources, target and third frame of the loader benchmark's clips, with the labels that a system asks for."""
    from loader import CLIPS, FRAMES, pictures, write_corpus

    corpus = write_corpus(root, pictures(SIZE), "raw")
    if set(labels) - {"landmarks"}:
        corpus = labelled(root, corpus)
    parts = [Part(clip=f"c{i}", identity=f"c{i}", start=0, stop=FRAMES) for i in range(CLIPS)]
    return Sampler(corpus, parts, size=SIZE, seed=0, labels=labels, sources=sources, third=True)


def labelled(root: Path, corpus: Corpus) -> Corpus:
    """The same clips with action units, pose and segments drawn at random."""
    actions, segments, random = root / "actions", root / "segments", np.random.default_rng(2)
    count, (shard,) = sum(clip.count for clip in corpus.clips), {clip.shard for clip in corpus.clips}
    columns = [*ACTION_UNITS, *ANGLES]
    write_rows(
        actions, shard, pd.DataFrame(random.uniform(0, 5, (count, len(columns))), columns=columns), kind="actions"
    )
    write_array(segments, shard, "segments", random.integers(0, PARTS, (count, 128, 128), dtype=np.uint8))
    write_stage(actions, kind="actions")
    write_stage(segments, kind="segments", made=True)
    frames, landmarks = corpus.folders["frames"], corpus.folders["landmarks"]
    assert frames is not None
    return Corpus(frames, landmarks=landmarks, actions=actions, segments=segments)


def plain_loop(system: Any, batch: FaceBatch, steps: int) -> None:
    """The six terms and the discriminator's, each with its own optimiser."""
    (phase,) = system.phases
    generator = torch.optim.Adam(system.generator.parameters(), lr=phase.generator.learning_rate)
    discriminator = torch.optim.Adam(system.discriminator.parameters(), lr=phase.discriminator.learning_rate)
    system.train()
    for _ in range(steps):
        fake = system.generate(batch)
        loss, _ = system.generator_terms(batch, fake).total()
        generator.zero_grad()
        loss.backward()
        generator.step()
        loss, _ = system.discriminator_terms(batch, fake).total()
        discriminator.zero_grad()
        loss.backward()
        discriminator.step()


def our_loop(system: Any, sampler: Sampler, steps: int, folder: Path) -> None:
    """`training.loop.Training` without validation."""
    branch = f"{system.name}-full-0"
    settings = LoopSettings(samples=steps * BATCH, batch=BATCH, validate_pairs=0, probes=0, log_every=200)
    checkpoints = CheckpointSettings(uri=str(folder), every_seconds=0.0)
    Training(
        system=system, branch=branch, seed=0, settings=settings, sampler=lambda phase: sampler,
        fabric=make_fabric(Runtime(threads=1, device="cpu")), tracker=NullTracker(),
        checkpoints=open_checkpoints(checkpoints, branch=branch, key="0" * 64),
    ).run()  # fmt: skip


def seconds_of(call: Callable[[], None]) -> float:
    """Processor time."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(profile: str, steps: int) -> dict[str, Any]:
    """Both loops, after a step to warm up."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sampler = sampler_of(root)
        batch = sampler.batch(range(BATCH))
        plain_loop(system_of(WIDTHS[profile]), batch, 1)
        plain, ours = system_of(WIDTHS[profile]), system_of(WIDTHS[profile])
        theirs = seconds_of(lambda: plain_loop(plain, batch, steps))
        own = seconds_of(lambda: our_loop(ours, sampler, steps, root / "checkpoints"))
    speeds = {"ours": steps * BATCH / own, "plain_loop": steps * BATCH / theirs}
    return {"profile": profile, "size": SIZE, "samples": steps * BATCH, **{k: round(v, 2) for k, v in speeds.items()}}


def measure_system(name: str, settings: dict[str, Any], steps: int) -> dict[str, Any]:
    """Our loop alone, after two steps to warm up: one with the generator's, one without where it takes every second."""
    shots = int(settings.get("sources", 1))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        system = system_of(settings, name)
        sampler = sampler_of(root, sources=shots, labels=system.labels)
        our_loop(system_of(settings, name), sampler, 2, root / "warm")
        own = seconds_of(lambda: our_loop(system, sampler, steps, root / "checkpoints"))
    return {
        "system": name,
        "sources": shots,
        "size": SIZE,
        "samples": steps * BATCH,
        "ours": round(steps * BATCH / own, 2),
    }


def systems_as_set() -> list[tuple[str, dict[str, Any]]]:
    """Every system's block of params.yaml, with each K where it takes several sources."""
    blocks = yaml.safe_load(PARAMS.read_text())["systems"]
    return [
        (name, {**block, **({"sources": shots} if shots else {})})
        for name, block in blocks.items() if name in SYSTEMS
        for shots in (SHOTS if "sources" in block else (0,))
    ]  # fmt: skip


def main() -> None:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of the demo's widths; a quarter of them of the paper's")
    parser.add_argument("--systems", nargs="*", help="of the second table; all without")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = [measure("demo", options.steps), measure("paper", max(1, options.steps // 4))]
    print("training samples per second of one core")
    for row in rows:
        print(f"{row['profile']:>6}: {row['ours']:8.2f}  (plain loop {row['plain_loop']:8.2f})")
    wanted = [(name, block) for name, block in systems_as_set() if not options.systems or name in options.systems]
    systems = [measure_system(name, block, max(2, options.steps // 5 * 2)) for name, block in wanted]
    print(f"as params.yaml has them, {SIZE} px")
    for row in systems:
        print(f"{row['system']:>14} K = {row['sources']}: {row['ours']:8.2f}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
    if options.out:
        text = json.dumps(
            {"unit": "samples per second", "machine": machine, "rows": rows, "systems": systems}, indent=1
        )
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
