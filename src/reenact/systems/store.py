"""A trained system on disk: `model.safetensors` and the `model.json` that says how to build what they fit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from reenact.atomic import atomic_file, write_json
from reenact.config import Settings
from reenact.corpus.tables import FORMAT, check_format
from reenact.errors import BadInput
from reenact.hashing import hash_file
from reenact.systems.catalogue import system_card
from reenact.systems.protocol import System, exact_sources, own_shots

WEIGHTS, CARD = "model.safetensors", "model.json"


def save_system(folder: Path, system: System, facts: Mapping[str, Any]) -> None:
    """Write weights and card of a system (all its networks) into `folder`.

    `facts` (plain JSON types: variant, seed, step, value of the checkpoint rule, lineage, ...) come back from
    `load_system`; the keys written here can't be among them.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in cast(nn.Module, system).state_dict().items()}
    with atomic_file(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    features = system.features
    own = {
        "format": FORMAT,
        "kind": "system",
        "system": system.name,
        "settings": system.settings.plain(),
        "size": system.size,
        "clips": getattr(system, "clips", 0),  # how many its networks know, where they know any
        "shots": own_shots(system),  # source pictures that it was trained with
        "exact_sources": exact_sources(system),
        "features": None if features is None else {"name": features.name, "sha256": features.sha256},
        "sha256": hash_file(folder / WEIGHTS),
    }
    taken = own.keys() & facts.keys()
    if taken:
        raise ValueError(f"facts may not hold {sorted(taken)}")
    write_json(folder / CARD, {**facts, **own})


def load_system(
    folder: Path, *, features: Any = None, device: torch.device | str = "cpu"
) -> tuple[System, dict[str, Any]]:
    """The system in evaluation mode on a device, and everything its card says.

    Without `features` it can reenact but not be trained on. Raises BadInput for a damaged or foreign folder.
    """
    facts = _read_card(folder / CARD)
    path = folder / WEIGHTS
    if not path.is_file():
        raise BadInput(f"{path}: missing; {CARD} beside it is not enough. Run train again.")
    found = hash_file(path)
    if found != facts["sha256"]:
        raise BadInput(f"{path}: damaged (sha256 {found[:12]}, {CARD} says {facts['sha256'][:12]}). Run train again.")
    card = system_card(facts["system"])
    settings: Settings = card.settings.parse(facts["settings"], where=f"{folder / CARD}: settings")
    # a fresh network draws weights that are replaced at once: whoever asks keeps his random numbers
    with torch.random.fork_rng(devices=[]):
        system = card.build(settings, size=facts["size"], features=features, clips=facts.get("clips", 0))
    try:
        system.load_state_dict(load_file(path), strict=True)
    except (SafetensorError, RuntimeError) as error:
        raise BadInput(f"{path}: these are not the weights of {facts['system']} ({error}).") from None
    return system.to(device).eval(), facts


def _read_card(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BadInput(f"{path}: no trained system here. Run train for this branch.")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        kind, number = facts["kind"], facts["format"]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: not the card of a trained system. Run train again.") from None
    if kind != "system":
        raise BadInput(f'{path}: expected a "system", found "{kind}".')
    check_format(path, number)
    return facts
