"""The guide: a small network trained on the training identities, in whose eyes losses compare faces."""

import math
from pathlib import Path

from pydantic import Field

from reenact.config import Runtime, Settings
from reenact.errors import BadInput, TrainingFailed
from reenact.progress import progress
from reenact.stages.result import StageResult


class TrainGuideSettings(Settings):
    """The block `train_guide` of params.yaml."""

    size: int = Field(default=64, ge=32)  # px
    width: int = Field(default=8, ge=1)  # channels of the first of four stages; each next has twice as many
    embedding: int = Field(default=64, ge=1)
    samples: int = Field(default=40_000, ge=1)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=3e-3, gt=0)
    seed: int = Field(default=0, ge=0)
    validate_frames: int = Field(default=600, ge=1)  # of val for the errors, of train for the scales


def train_guide(
    *,
    frames: Path,
    landmarks: Path,
    actions: Path,
    validated: Path,
    out: Path,
    settings: TrainGuideSettings,
    runtime: Runtime,
) -> StageResult:
    """Write `reader.safetensors` and a stage.json with its architecture, checksum, scales and errors on val."""
    import numpy as np
    from safetensors.torch import save_file

    from reenact.atomic import atomic_file
    from reenact.backbones.features import mean_activations
    from reenact.backbones.guide import LabelledFrames, reading_errors, train_reader
    from reenact.corpus.corpus import Corpus
    from reenact.corpus.shards import write_stage
    from reenact.corpus.splits import read_parts, split_kind
    from reenact.corpus.usable import usable_frames
    from reenact.hashing import hash_file
    from reenact.training.device import make_fabric

    (out / "stage.json").unlink(missing_ok=True)  # what stands here is not finished until it is written again
    corpus = Corpus(frames, landmarks=landmarks, actions=actions, validated=validated)

    def frames_of(split: str) -> LabelledFrames:
        parts, _ = usable_frames(corpus, read_parts(validated, split))
        rows = [picture for part in parts for picture in part]
        return LabelledFrames(corpus, rows, size=settings.size)

    training, validation = frames_of("train"), frames_of("val")
    if not len(training):
        raise BadInput(f"{validated}: no training frame has landmarks, so there is nothing to train the guide on.")
    device = make_fabric(runtime).device
    reader = train_reader(
        training,
        width=settings.width,
        embedding=settings.embedding,
        samples=settings.samples,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        device=device,
        watch=lambda steps: progress(steps, "guide: steps"),
    )

    spread = np.linspace(0, len(training) - 1, min(settings.validate_frames, len(training))).astype(np.int64)
    batches = [training.batch(part).image.to(device) for part in np.array_split(spread, max(1, len(spread) // 64))]
    scales = mean_activations(reader, batches)
    if not all(math.isfinite(scale) and scale > 0 for scale in scales):
        raise TrainingFailed(
            f"the guide's activations are not finite, or nothing but zeros: {scales}. Lower train_guide.learning_rate."
        )
    errors = reading_errors(reader, validation, most=settings.validate_frames, device=device) if len(validation) else {}
    weights = out / "reader.safetensors"
    with atomic_file(weights) as temporary:
        save_file({name: value.cpu().contiguous() for name, value in reader.state_dict().items()}, temporary)
    write_stage(
        out,
        kind="guide",
        width=settings.width,
        embedding=settings.embedding,
        size=settings.size,
        sha256=hash_file(weights),
        scales=list(scales),
        settings=settings.plain(),
        identities=len(training.identities),
        validation=errors,
        validated_on=split_kind(validated),
    )
    counts = {"identities": float(len(training.identities)), "frames": float(len(training))}
    return StageResult(
        stage="train_guide",
        counts={**counts, **{f"val_{name}": value for name, value in errors.items()}},
        notes=() if errors else ("no val frame has landmarks: how well the guide reads is not known",),
    )
