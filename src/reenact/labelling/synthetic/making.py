"""From settings to a network file with its card: draw, train, measure, write."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reenact.errors import BadInput, ReenactError
from reenact.hashing import hash_code, hash_file
from reenact.labelling.synthetic.drawing import FIRST_IDENTITY, STILLS, draw_faces, together
from reenact.labelling.synthetic.models import Role, load_network, load_weights, read_card, save_network, write_card
from reenact.progress import progress, say

# What the released networks were trained with, beyond what the settings have by themselves.
RECIPES: Mapping[Role, Mapping[str, Any]] = MappingProxyType({
    "labels": {"architecture": "point_maps", "width": 16, "size": 80, "seed": 0},
    "judge": {"architecture": "shape_codes", "width": 12, "size": 64, "seed": 1},
})  # fmt: skip
TEST_PERSONS = 256


def make_network(
    *, role: Role, out: Path, settings: Mapping[str, Any], cache: Path | None = None, start: Path | None = None,
    workers: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Train the network of a role and write it with its card, which is returned; `start`: go on from another's weights.

    Labels and judge never see the same people, nor those they are measured on; see `drawing.FIRST_IDENTITY`.
    """
    try:
        import torch

        from reenact.labelling.synthetic.training import SyntheticTraining, errors, train
    except ImportError:
        raise ReenactError("Training a network needs PyTorch: install reenact with its extra `train`.") from None
    chosen = SyntheticTraining.parse({**RECIPES[role], **settings}, where="train-synthetic")
    if out.suffix != ".safetensors":
        raise BadInput(f"{out}: give a file name that ends with .safetensors.")
    torch.set_num_threads(max(1, workers))
    began = time.monotonic()
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    parts = [
        together(progress(draw_faces(role=who, seed=chosen.seed, persons=count, cache=cache, workers=workers),
                          f"faces for {who}: groups of 64 people", total=-(-count // 64)))
        for who, count in ((role, chosen.persons), ("test", TEST_PERSONS))
    ]  # fmt: skip
    drawn, test = parts
    say(f"{len(drawn)} faces drawn in {time.monotonic() - began:.0f} s")
    weights = load_weights(start, chosen.architecture, chosen.width) if start else None
    network = train(
        drawn, chosen, start=weights, watch=lambda steps: progress(steps, "training: steps", total=len(steps))
    )
    first = FIRST_IDENTITY[role]
    card = {
        "role": role,
        "settings": chosen.plain(),
        "code": hash_code("rendering", "faces", "labelling/synthetic"),
        "identities": {"seed": chosen.seed, "first": first, "last": first + chosen.persons - 1},
        "frames": len(drawn),
        "started_from": {"sha256": hash_file(start), "card": read_card(start)} if start else None,
        "seconds": round(time.monotonic() - began),
        "torch": str(torch.__version__),
        "trained_on": "drawn faces only",
        "licence": "of this project",
    }
    save_network(out, network, architecture=chosen.architecture, width=chosen.width, size=chosen.size)
    network, size = load_network(out)  # as it will be used, with 16-bit weights
    measured = {
        "identities": {"seed": chosen.seed, "first": FIRST_IDENTITY["test"], "count": TEST_PERSONS},
        "frames": TEST_PERSONS * STILLS, "by_yaw": errors(network, test, size=size),
    }  # fmt: skip
    return write_card(out, {**card, "errors": measured})
