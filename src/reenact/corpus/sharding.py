"""Which clips make a shard: a trie over hashes of their names, so that a new clip changes the one shard it falls into.

A shard holds the clips whose hash begins with its bits. Where they weigh more than a whole shard, the next bit deals
them to two. The outcome depends on the set of clips alone, never on the order in which they came.
"""

from collections.abc import Mapping
from hashlib import sha256

_DEEPEST = 64


def shard_groups(weights: Mapping[str, float]) -> dict[str, list[str]]:
    """Names of clips by shard, both sorted; `weights` are the clips' shares of a shard (1/16: sixteen fill one).

    A shard weighs 1 at most, or is a single clip; adding a clip leaves all shards but one alone, which it may split.
    """
    bits = {name: f"{int.from_bytes(sha256(name.encode()).digest()[:8]):064b}" for name in weights}
    groups: dict[str, list[str]] = {}
    waiting = [("", sorted(weights))]
    while waiting:
        prefix, names = waiting.pop()
        full = sum(weights[name] for name in names) > 1.0 + 1e-9
        if full and len(names) > 1 and len(prefix) < _DEEPEST:
            at = len(prefix)
            waiting += [(prefix + bit, [name for name in names if bits[name][at] == bit]) for bit in "01"]
        elif names:
            groups[prefix or "all"] = names
    return dict(sorted(groups.items()))
