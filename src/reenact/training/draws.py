"""What is drawn at a step beside its samples: pure functions of seed and step."""

import hashlib

from reenact.systems.protocol import Phase, sources_of


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of torch's generators at a step: neighbouring steps and seeds have nothing in common."""
    return _number(f"{seed}:{step}:{rank}")


def sources_at(phase: Phase, *, seed: int, step: int) -> int:
    """How many source pictures the samples of a step have: the phase's K, or one of its span, equally likely.

    All processes and all samples of a step have the same.
    """
    least, most = sources_of(phase)
    return least + _number(f"{seed}:{step}:sources") % (most - least + 1)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
