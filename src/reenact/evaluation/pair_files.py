"""Lists of pairs as files: drawn once, stored with how they were drawn, checked before they are used again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import Part, read_parts, split_reasons
from reenact.corpus.tables import read_facts, read_table, write_table
from reenact.errors import BadInput
from reenact.evaluation.pairs.redrawable import scenes_of
from reenact.evaluation.protocols import COLUMNS, NO_FRAME, RULES, Counts, pair_list, pairs_hash
from reenact.hashing import hash_json

KIND = "pairs"
_FEW = 5  # names that a message shows


def draw_pairs(
    corpus: Corpus, validated: Path, counts: Mapping[str, Counts], *, seed: int, videos: Path | None = None
) -> pd.DataFrame:
    """The lists of some splits, one below the other; `videos` is where scenes lie that can be drawn again."""
    training, by, scenes = read_parts(validated, "train"), split_reasons(validated), scenes_of(corpus, videos)
    lists = [
        pair_list(
            corpus, read_parts(validated, split), split=split, training=training, counts=count, seed=seed,
            scenes=scenes, split_by=by,
        )
        for split, count in counts.items()
    ]  # fmt: skip
    pairs = pd.concat(lists, ignore_index=True)
    if pairs.empty:
        raise BadInput(
            f"{validated / 'split.parquet'}: no clip has two usable frames in its val or test part, and nobody "
            "two single pictures, so there is nothing to score. Add longer clips or more identities, or raise "
            "validate_data.split.val and test."
        )
    return pairs


def write_pairs(path: Path, pairs: pd.DataFrame, *, seed: int) -> dict[str, Any]:
    """Write a list; returns what stands in its metadata: version of the rules, seed, hashes."""
    facts = {
        "rules": RULES,
        "seed": seed,
        "pairs_sha256": {str(split): pairs_hash(group) for split, group in pairs.groupby("split")},
        "sha256": _content(pairs),
    }
    write_table(path, pairs, kind=KIND, facts=facts)
    return facts


def read_pairs(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A list and what stands in its metadata. Raises BadInput where it was edited or columns are missing."""
    pairs, facts = read_table(path, kind=KIND), read_facts(path)
    missing = [name for name in COLUMNS if name not in pairs]
    if missing:
        raise BadInput(
            f"{path}: no column {', '.join(missing)}; it was written by an earlier version. Draw it again "
            "(reenact pairs)."
        )
    if facts.get("sha256") != _content(pairs):
        raise BadInput(f"{path}: these pairs were changed since the list was drawn. Use the list as it was written.")
    return pairs, facts


def check_pairs(
    path: Path, pairs: pd.DataFrame, corpus: Corpus, training: Sequence[Part], *, videos: Path | None = None
) -> None:
    """Raises BadInput that names and counts what this corpus doesn't have, and drivers that were trained on."""
    wrong = {
        "name clips that this corpus doesn't have": lambda clip, frame: clip not in corpus.by_name,
        "name frames beyond their clip's last": lambda clip, frame: not 0 <= frame < corpus.by_name[clip].count,
        "name frames without usable labels": lambda clip, frame: not corpus.found(corpus.by_name[clip])[frame],
    }
    roles = ("source", "driving", "truth")
    frames = {
        role: list(zip(pairs[f"{role}_clip"].astype(str), pairs[f"{role}_frame"].astype(int), strict=True))
        for role in roles
    }
    for what, is_wrong in wrong.items():
        bad = [
            f"{role} {clip} #{frame}"
            for role in roles for clip, frame in frames[role] if (clip, frame) != NO_FRAME and is_wrong(clip, frame)
        ]  # fmt: skip
        _refuse(path, pairs, bad, what)
    seen: dict[str, list[Part]] = {}
    for part in training:
        seen.setdefault(part.clip, []).append(part)
    trained = [
        f"driving {clip} #{frame}" for clip, frame in frames["driving"]
        if any(part.start <= frame < part.stop for part in seen.get(clip, []))
    ]  # fmt: skip
    _refuse(path, pairs, trained, "are driven by frames that this corpus trains on")
    scenes = scenes_of(corpus, videos)
    drawn = pairs[(pairs["protocol"] == "cross_truth") & (pairs["truth_frame"] < 0)]
    undrawn = [clip for role in ("source", "driving") for clip in drawn[f"{role}_clip"] if clip not in scenes]
    _refuse(path, pairs, undrawn, "need a scene to be drawn again, which is not beside the videos")


def _refuse(path: Path, pairs: pd.DataFrame, bad: Sequence[str], what: str) -> None:
    if bad:
        named = list(dict.fromkeys(bad))
        shown = ", ".join(named[:_FEW]) + (f" and {len(named) - _FEW} more" if len(named) > _FEW else "")
        raise BadInput(
            f"{path}: {len(bad)} places in {len(pairs)} pairs {what}: {shown}. Draw a list of this corpus "
            "(reenact pairs), or set evaluate.pairs to one that belongs to it."
        )


def _content(pairs: pd.DataFrame) -> str:
    """sha256 of all columns of a list, whatever its order."""
    ordered = pairs[list(COLUMNS)].sort_values("pair", ignore_index=True)
    plain = {name: [_plain(value) for value in ordered[name]] for name in COLUMNS}
    return hash_json(plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return None if value != value else value
    return value
