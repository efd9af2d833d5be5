"""Train one tiny branch on the drawn corpus below a folder: in the test's process, or in one that is to die."""

import os

from reenact.config import Runtime
from reenact.stages.train import TrainSettings, train
from reenact.stages.train_guide import TrainGuideSettings, train_guide
from reenact.systems.branch import Branch
from reenact.tracking.connect import TrackingSettings
from reenact.training.settings import CheckpointSettings

RUNTIME = Runtime(threads=1, workers=1, device="cpu")
KINDS = ("frames", "landmarks", "actions", "validated")
# narrow, but whole: batch normalisation, dropout, triplets and all six terms
SYSTEM = {"width": 4, "discriminator_width": 4}


def make_guide(root):
    """A guide of a few steps: what it knows does not matter here."""
    settings = TrainGuideSettings(size=32, width=2, embedding=4, samples=64, batch=8, validate_frames=12)
    folders = {kind: root / kind for kind in KINDS}
    train_guide(**folders, out=root / "guide", settings=settings, runtime=RUNTIME)


def train_branch(root, uri, out, branch, *, runtime=RUNTIME, system=SYSTEM, **changes):
    """The stage as the tests call it."""
    settings = {
        "size": 32, "samples": 44, "batch": 4, "log_every": 8, "validate_every": 16, "validate_pairs": 6, "probes": 2,
    }  # fmt: skip
    return train(
        **{kind: root / kind for kind in KINDS},
        guide=root / "guide",
        segments=root / "segments" if (root / "segments").exists() else None,
        out=out,
        branch=Branch.parse(branch),
        settings=TrainSettings.parse({**settings, **changes}, where="train"),
        system_settings=system,
        checkpoints=CheckpointSettings(uri=uri, every_samples=8, every_seconds=0.0),
        tracking=TrackingSettings(
            uri=f"sqlite:///{root}/mlflow/mlflow.db", artifacts=f"{root}/mlflow/artifacts", experiment="drill"
        ),
        runtime=runtime,
    )


def doomed(root, uri, out, branch, fault):
    """`train_branch` as a process of its own runs it, with a fault planned."""
    os.environ["REENACT_FAULT"] = fault
    train_branch(root, uri, out, branch)
