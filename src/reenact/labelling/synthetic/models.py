"""Trained networks as files: the two that come with the package, or one of your own, always checked by its hash.

A file is safetensors with 16-bit weights, and names architecture and settings in its metadata; beside it lies a card
(JSON) of how it was made and what it reaches.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reenact.atomic import atomic_file, write_json
from reenact.config import Settings
from reenact.errors import BadInput, ReenactError
from reenact.hashing import hash_file

if TYPE_CHECKING:
    from torch import Tensor, nn

Role = Literal["labels", "judge"]
RELEASED = Path(__file__).parent / "released"
_META = "reenact.synthetic"
_UNUSED = "num_batches_tracked"  # of batch normalisation: only training asks


class SyntheticModel(Settings):
    """A network file in place of the released one; empty: the released one."""

    file: str = ""
    sha256: str = ""


def model_file(model: SyntheticModel | None = None, role: Role = "labels") -> Path:
    """Where the network lies; raises BadInput for a file that isn't there or isn't the one whose hash was given."""
    if model is None or not model.file:
        return released_file(role)
    path = Path(model.file)
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file. Train a network by `reenact labels train-synthetic`.")
    if not model.sha256:
        raise BadInput(f"{path}: say which file is meant by its checksum: synthetic.sha256: {hash_file(path)}")
    if hash_file(path) != model.sha256:
        raise BadInput(
            f"{path}: not the file that synthetic.sha256 names ({model.sha256[:12]}...), its checksum is "
            f"{hash_file(path)}. Put the file back, or change the setting."
        )
    return path


@cache
def released_file(role: Role) -> Path:
    """The network of this role that comes with the package; its name ends with the beginning of its hash."""
    found = sorted(RELEASED.glob(f"{role}-*.safetensors"))
    if len(found) != 1:
        raise ReenactError(
            f"{RELEASED}: {len(found)} files for the role {role}, there must be one. Install reenact again."
        )
    expected = found[0].stem.removeprefix(f"{role}-")
    if not hash_file(found[0]).startswith(expected):
        raise ReenactError(f"{found[0]}: damaged, its checksum doesn't begin with {expected}. Install reenact again.")
    return found[0]


def read_card(path: Path) -> dict[str, Any]:
    """What is known of a network file; empty where it has no card."""
    card = path.with_suffix(".json")
    return dict(json.loads(card.read_text(encoding="utf-8"))) if card.exists() else {}


def synthetic_facts(model: SyntheticModel | None = None) -> dict[str, str]:
    """What labels made with a network depend on."""
    path = model_file(model)
    return {"model": path.stem, "sha256": hash_file(path)}


def write_card(path: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a network file beside it, with the file's hash; returns it."""
    full = {"sha256": hash_file(path), "bytes": path.stat().st_size, **card}
    write_json(path.with_suffix(".json"), full)
    return full


def save_network(path: Path, network: "nn.Module", *, architecture: str, width: int, size: int) -> None:
    """Write weights as 16-bit numbers, with what is needed to build the network around them."""
    import torch
    from safetensors.torch import save

    weights = {
        name: tensor.half().contiguous(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
        if not name.endswith(_UNUSED)
    }
    described = json.dumps({"architecture": architecture, "width": width, "size": size}, sort_keys=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(save(weights, {_META: described}))


def load_network(path: Path) -> tuple["nn.Module", int]:
    """A network ready for use, and the side in pixels of the views it reads."""
    described, weights = _read(path)
    from reenact.labelling.synthetic.networks import build, fused

    try:
        network = build(described["architecture"], {"width": described["width"]})
        missing, foreign = network.load_state_dict(weights, strict=False)
    except (TypeError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path}: not a network of this version ({error}). Train one again.") from None
    missing = [name for name in missing if not name.endswith(_UNUSED)]
    if missing or foreign:
        raise BadInput(f"{path}: weights of another network (first: {(missing + foreign)[0]}). Train one again.")
    return fused(network), int(described["size"])


def load_weights(path: Path, architecture: str, width: int) -> dict[str, "Tensor"]:
    """The weights alone, to go on training from; they must be those of such a network."""
    described, weights = _read(path)
    if (described["architecture"], described["width"]) != (architecture, width):
        raise BadInput(
            f"{path}: holds {described['architecture']} of width {described['width']}, "
            f"to be trained is {architecture} of width {width}."
        )
    return weights


def _read(path: Path) -> tuple[dict[str, Any], dict[str, "Tensor"]]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ReenactError(
            "The label backend synthetic needs PyTorch: install reenact with its extra `train`."
        ) from None
    try:
        with safe_open(path, framework="pt") as stream:
            described = json.loads((stream.metadata() or {})[_META])
            return described, {name: stream.get_tensor(name).float() for name in stream.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: not a network of this kind ({error}). Give one that train-synthetic wrote.") from None
