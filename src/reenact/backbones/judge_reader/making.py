"""From settings to a judge reader's file with its card: draw, train, measure, write."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reenact.backbones.judge_reader.drawing import CLIPS, FIRST_IDENTITY, SEED, STILLS, Drawn, draw_people
from reenact.backbones.judge_reader.measuring import errors
from reenact.backbones.judge_reader.models import load_weights, read_card, save_network, write_card
from reenact.backbones.judge_reader.views import Square, cut_view
from reenact.errors import BadInput, ReenactError
from reenact.faces.landmarks import CROP_CENTRE
from reenact.hashing import hash_code, hash_file
from reenact.progress import progress, say

TEST_PERSONS = 192
CROP = 1.7  # sizes of the landmarks' box, as extract_frames crops by default
# All that decides the weights; which file is released stands beside it and doesn't.
CODE = (
    "rendering", "faces",
    *(f"backbones/judge_reader/{name}.py" for name in ("augment", "drawing", "network", "training", "views")),
)  # fmt: skip


def make_reader(
    *, out: Path, settings: Mapping[str, Any], cache: Path | None = None, start: Path | None = None, threads: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Train a judge reader and write it with its card, which is returned; `start`: go on from another's weights."""
    try:
        import torch

        from reenact.backbones.judge_reader.reading import JudgeFaceReader
        from reenact.backbones.judge_reader.training import JudgeReaderTraining, train
    except ImportError:
        raise ReenactError("Training a judge reader needs PyTorch: install reenact with its extra `train`.") from None
    chosen = JudgeReaderTraining.parse(dict(settings), where="train-reader")
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: give a file name that ends with .safetensors.")
    torch.set_num_threads(max(1, threads))
    began = time.monotonic()
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    drawn, test = (
        draw_people(role, count, cache=cache, watch=partial(progress, label=f"{role}: groups of 64 people"))
        for role, count in (("train", chosen.persons), ("test", TEST_PERSONS))
    )  # fmt: skip
    say(f"{len(drawn)} faces drawn in {time.monotonic() - began:.0f} s")
    weights = load_weights(start) if start else None
    network = train(
        drawn, chosen, start=weights, watch=lambda steps: progress(steps, "training: steps", total=len(steps))
    )
    save_network(out, network)
    first = FIRST_IDENTITY["train"]
    return write_card(out, {
        "settings": chosen.plain(),
        "code": hash_code(*CODE),
        "identities": {"seed": SEED, "first": first, "last": first + chosen.persons - 1,
                       "pictures_each": CLIPS * STILLS},
        "started_from": {"sha256": hash_file(start), "card": read_card(start)} if start else None,
        "seconds": round(time.monotonic() - began),
        "torch": str(torch.__version__),
        "trained_on": "drawn faces only",
        "licence": "of this project",
        # as it will be used, with 16-bit weights
        "errors": {"people": TEST_PERSONS, "first": FIRST_IDENTITY["test"], "crops": "of the true landmarks, 128 px",
                   "by_yaw": on_drawn(JudgeFaceReader(out), test, side=128)},
    })  # fmt: skip


def on_drawn(reader: Any, drawn: Drawn, *, side: int) -> dict[str, Any]:
    """Errors on drawn faces, in crops that the true landmarks imply, of `side` pixels."""
    pictures, landmarks = [], []
    for picture, points in zip(drawn.picture, drawn.landmarks, strict=True):
        square = Square.around(points[CROP_CENTRE], CROP * float(np.ptp(points, axis=0).max()))
        pictures.append(cut_view(picture[..., :3].copy(), square, side))
        landmarks.append((points - square.corner) / square.side)
    return errors(
        reader.read(pictures), landmarks=np.stack(landmarks), pose=drawn.pose, actions=drawn.actions,
        identity=drawn.identity, clip=drawn.clip,
    )  # fmt: skip
