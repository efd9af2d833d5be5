"""What decides a stage's result, out of all that it is told: by this a run elsewhere is held to the settings here."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from reenact.hashing import hash_json

# Where things are kept, who is told of them, how many work at a time: none of it changes a result. The data itself is
# compared by its hash, and not by the address it has here and there.
_ELSEWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": ("checkpoints", "tracking", "contents", "params_hash"),
        "runtime": ("workers",),
        "fetch_data": ("videos", "cache", "s3", "link"),
        "evaluate": ("cache", "networks.cache"),
    }
)


def deciding(stage: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a stage (`steps.arguments`) without what is different elsewhere and doesn't matter."""
    plain: dict[str, Any] = json.loads(json.dumps(told))
    for name in _ELSEWHERE[""]:
        plain.pop(name, None)
    for key, block in plain.items():
        for path in _ELSEWHERE.get(stage if key == "settings" else key, ()):
            _remove(block, path.split("."))
    return plain


def told_hash(deciding: Mapping[str, Any]) -> str:
    """By which two are the same."""
    return hash_json(deciding)


def first_difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """Name, value there and value here of the first argument that differs; None where none does."""
    one, other = dict(_leaves(there)), dict(_leaves(here))
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            return name, one.get(name), other.get(name)
    return None


def _remove(block: Any, path: list[str]) -> None:
    *outer, last = path
    for name in outer:
        block = block.get(name, {})
    block.pop(last, None)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
