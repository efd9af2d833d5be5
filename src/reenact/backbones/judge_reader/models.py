"""The judge reader as a file: the one that comes with the package, always checked by its hash, never trained silently.

A file is safetensors with 16-bit weights; beside it lies a card (JSON) of how it was made and what it reaches.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.atomic import atomic_file, write_json
from reenact.errors import BadInput, ReenactError
from reenact.hashing import hash_file

if TYPE_CHECKING:
    from torch import Tensor

    from reenact.backbones.judge_reader.network import JudgeReader

# The released file by its whole checksum: it stands in the code, so that whatever is kept under the hash of the code
# is made anew with another reader.
SHA256 = "c9f2f95da35b2d0906f5fed53b65f74e579d0fdec03ce79c338435295c92cb7e"
RELEASED = Path(__file__).parent / "released"
_META = "reenact.judge_reader"
_UNUSED = "num_batches_tracked"  # of batch normalisation: only training asks


def released_file() -> Path:
    """The reader that comes with the package; another file in its place is an error."""
    return checked(RELEASED / released_name(SHA256), SHA256)


@cache
def checked(path: Path, sha256: str) -> Path:
    """This file, if it is there and is the one with this checksum."""
    if not path.is_file():
        raise ReenactError(f"{path}: the judge reader is missing. Install reenact again.")
    if hash_file(path) != sha256:
        raise ReenactError(
            f"{path}: damaged or changed, its checksum is {hash_file(path)} and not {sha256}. Install reenact again."
        )
    return path


def released_name(sha256: str) -> str:
    """What a file is called when it is released: `reader-HASH.safetensors`."""
    return f"reader-{sha256[:12]}.safetensors"


def read_card(path: Path) -> dict[str, Any]:
    """What is known of a network file; empty where it has no card."""
    card = path.with_suffix(".json")
    return dict(json.loads(card.read_text(encoding="utf-8"))) if card.exists() else {}


def write_card(path: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a network file beside it, with the file's hash; returns it."""
    full = {"sha256": hash_file(path), "bytes": path.stat().st_size, **card}
    write_json(path.with_suffix(".json"), full)
    return full


def save_network(path: Path, network: "JudgeReader") -> None:
    """Write weights as 16-bit numbers."""
    import torch
    from safetensors.torch import save

    weights = {
        name: tensor.half().contiguous(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
        if not name.endswith(_UNUSED)
    }
    with atomic_file(path) as temporary:
        temporary.write_bytes(save(weights, {_META: "1"}))


def load_network(path: Path) -> "JudgeReader":
    """A network ready for use."""
    from reenact.backbones.judge_reader.network import JudgeReader, fused

    weights, network = load_weights(path), JudgeReader()
    try:
        missing, foreign = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise BadInput(f"{path}: not a judge reader of this version ({error}). Train one again.") from None
    missing = [name for name in missing if not name.endswith(_UNUSED)]
    if missing or foreign:
        raise BadInput(f"{path}: weights of another network (first: {(missing + foreign)[0]}). Train one again.")
    return fused(network)


def load_weights(path: Path) -> dict[str, "Tensor"]:
    """The weights alone, to go on training from."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ReenactError("The judge reader needs PyTorch: install reenact with its extra `train`.") from None
    try:
        with safe_open(path, framework="pt") as stream:
            if _META not in (stream.metadata() or {}):
                raise BadInput(f"{path}: not a judge reader. Give a file that `train-reader` wrote.")
            return {name: stream.get_tensor(name).float() for name in stream.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{path}: not a judge reader ({error}). Give a file that `train-reader` wrote.") from None
