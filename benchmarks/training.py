"""Training samples per second of one core: our loop beside the same step written out in plain PyTorch.

    python benchmarks/training.py [--steps 20] [--out FILE.json]

Both train `cgan` in its variant `full` at 64 px on batches of 10 triplets, with the widths of the profiles `demo` and
`paper` and an untrained guide of the demo's width. The plain loop has its batch in memory and does what PyTorch's
documentation shows: two Adam optimisers, `backward`, `step`. Ours also reads batches, logs and watches for what is not
finite. Validation and pictures are left out of both. Processor time.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from reenact.backbones.features import GuideFeatures
from reenact.backbones.reader import Reader
from reenact.config import Runtime
from reenact.corpus.sampling import Sampler
from reenact.corpus.splits import Part
from reenact.faces.batch import FaceBatch
from reenact.process import keep_freed_memory
from reenact.systems.catalogue import build_system
from reenact.training.checkpoints import open_checkpoints
from reenact.training.device import make_fabric
from reenact.training.loop import Training
from reenact.training.settings import CheckpointSettings, LoopSettings
from reenact.training.tracker import NullTracker

BATCH, SIZE = 10, 64
WIDTHS = {"demo": {"width": 16, "discriminator_width": 16}, "paper": {"width": 64, "discriminator_width": 32}}


def system_of(settings: dict[str, Any]) -> Any:
    """A fresh cgan with a fresh guide."""
    torch.manual_seed(0)
    guide = GuideFeatures(Reader(width=8), sha256="", scales=(1.0,) * 7)
    return build_system("cgan", "full", settings, size=SIZE, features=guide)


def sampler_of(root: Path) -> Sampler:
    """Triplets of the loader benchmark's clips."""
    from loader import CLIPS, FRAMES, pictures, write_corpus

    corpus = write_corpus(root, pictures(SIZE), "raw")
    parts = [Part(clip=f"c{i}", identity=f"c{i}", start=0, stop=FRAMES) for i in range(CLIPS)]
    return Sampler(corpus, parts, size=SIZE, seed=0, third=True)


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
    settings = LoopSettings(samples=steps * BATCH, batch=BATCH, validate_pairs=0, probes=0, log_every=200)
    checkpoints = CheckpointSettings(uri=str(folder), every_seconds=0.0)
    Training(
        system=system, branch="cgan-full-0", seed=0, settings=settings, sampler=lambda phase: sampler,
        fabric=make_fabric(Runtime(threads=1, device="cpu")), tracker=NullTracker(),
        checkpoints=open_checkpoints(checkpoints, branch="cgan-full-0", key="0" * 64),
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


def main() -> None:
    """Measure, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20, help="of the demo's widths; a quarter of them of the paper's")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = [measure("demo", options.steps), measure("paper", max(1, options.steps // 4))]
    print("training samples per second of one core")
    for row in rows:
        print(f"{row['profile']:>6}: {row['ours']:8.2f}  (plain loop {row['plain_loop']:8.2f})")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "torch": torch.__version__}
    if options.out:
        text = json.dumps({"unit": "samples per second", "machine": machine, "rows": rows}, indent=1)
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
