"""Near-duplicates: the same pictures of a face under two clips, re-encoded, resized, cropped a little or mirrored.

A frame's fingerprint are the signs of the 255 lowest coefficients of the cosine transform of its crop (after Zauner,
"Implementation and benchmarking of perceptual image hash functions", 2010, who cuts at the median). Crops follow the
face, so that another cut of the video is nearly the same crop. Mirroring a picture negates every second column of
coefficients: its fingerprint is known without looking again.

Candidates come from an index of bands of the fingerprint, so that time grows with the frames and not with their pairs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reenact.corpus.shards import Image, open_frames, read_rows
from reenact.corpus.tables import read_table

BITS = 255  # the mean brightness, the 256th coefficient, says nothing
_SIDE, _LOW = 32, 16
_BANDS, _BAND = 10, 25  # bits 10 apart share a band in 99 %, bits 24 apart in 58 %, strangers' in one of 4000
_CROWD = 32  # clips in one bucket from which on each is compared with its neighbours only
_AT_ONCE = 1 << 16  # fingerprints unpacked together
_ENOUGH = 3  # frames that make two clips duplicates, where both have as many

Words = NDArray[np.uint64]  # (..., 4): a fingerprint, its bits packed


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """The fingerprints of one clip: of which frames, by their number in the video, and their words."""

    clip: str
    frames: NDArray[np.int64]  # (n,)
    words: Words  # (n, 4)


def fingerprint(image: Image) -> Words:
    """(4,) words of an RGB uint8 (S, S, 3) crop."""
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    bits = cv2.dct(gray.astype(np.float32))[:_LOW, :_LOW] > 0
    bits[0, 0] = False
    return _packed(bits)


def mirrored(words: Words) -> Words:
    """The fingerprints of the mirrored pictures."""
    odd = np.zeros((_LOW, _LOW), dtype=bool)
    odd[:, 1::2] = True
    return words ^ _packed(odd)


def fingerprints(frames: Path, *, per_clip: int) -> Iterator[Fingerprints]:
    """Of every clip of a folder of frames, from up to `per_clip` frames evenly over it; one shard is open at a time."""
    clips = read_table(frames / "clips.parquet", kind="clips")
    for shard, group in clips.groupby("shard", sort=True):
        pictures = open_frames(frames, str(shard))
        numbers = read_rows(frames, str(shard), kind="frames")["frame"].to_numpy(dtype=np.int64)
        for clip, start, count in zip(group["clip"], group["start"], group["count"], strict=True):
            rows = int(start) + _evenly(int(count), per_clip)
            if len(rows):
                words = np.stack([fingerprint(np.asarray(pictures[int(row)])) for row in rows])
                yield Fingerprints(clip=str(clip), frames=numbers[rows], words=words)


def near_duplicates(prints: Iterable[Fingerprints], *, distance: int) -> pd.DataFrame:
    """Pairs of clips that share pictures: `clip`, `other`, `matched`, `of`, `distance`, `frame`, `other_frame`.

    Two frames match where at most `distance` of the 255 bits differ, mirrored or not; two clips are near-duplicates
    where three frames match, or all of a shorter clip. `matched` of `of` frames looked at do, the nearest of them
    `frame` and `other_frame` at `distance` bits.
    """
    clips = list(prints)
    rows = []
    for a, b in _candidates(clips):
        bits = np.minimum(_apart(clips[a].words, clips[b].words), _apart(clips[a].words, mirrored(clips[b].words)))
        near = bits <= distance
        matched = int(min(near.any(axis=0).sum(), near.any(axis=1).sum()))
        of = min(bits.shape)
        if matched >= min(_ENOUGH, of):
            i, j = np.unravel_index(int(bits.argmin()), bits.shape)
            rows.append(
                {"clip": clips[a].clip, "other": clips[b].clip, "matched": matched, "of": of,
                 "distance": int(bits[i, j]), "frame": int(clips[a].frames[i]), "other_frame": int(clips[b].frames[j])}
            )  # fmt: skip
    columns = ["clip", "other", "matched", "of", "distance", "frame", "other_frame"]
    return pd.DataFrame(rows, columns=columns).sort_values(["clip", "other"], ignore_index=True)


def between(pairs: pd.DataFrame, split: pd.DataFrame, people: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(pairs across splits, pairs of two people within one) of `near_duplicates`; `people` names each clip's person.

    Parts of clips that were cut by time are seen identities by design: there one person's clips may resemble each
    other, in whichever parts.
    """
    splits = split.groupby("clip")["split"].agg(frozenset)
    timed = set(split.loc[split["by"] == "time", "clip"])
    strangers = pairs["clip"].map(people) != pairs["other"].map(people)
    used = pairs["clip"].isin(splits.index) & pairs["other"].isin(splits.index)
    across = [
        len(splits.get(a, frozenset()) | splits.get(b, frozenset())) > 1
        for a, b in zip(pairs["clip"], pairs["other"], strict=True)
    ]
    cut = pairs["clip"].isin(timed) | pairs["other"].isin(timed)
    leaking = used & np.asarray(across, dtype=bool) & (strangers | ~cut)
    return pairs[leaking], pairs[strangers & ~leaking]


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    taken = min(count, most)
    return ((np.arange(taken) + 0.5) * count / max(taken, 1)).astype(np.int64)


def _packed(bits: NDArray[np.bool_]) -> Words:
    return np.packbits(bits.ravel()).view(np.uint64)


def _apart(a: Words, b: Words) -> NDArray[np.int64]:
    """(n, m) bits that differ between (n, 4) and (m, 4)."""
    return np.bitwise_count(a[:, None] ^ b[None]).sum(axis=-1, dtype=np.int64)


def _candidates(clips: Sequence[Fingerprints]) -> list[tuple[int, int]]:
    """Pairs of clips, as numbers a < b, two of whose frames agree in a whole band."""
    if not clips:
        return []
    owner = np.concatenate([np.full(len(one.frames), number) for number, one in enumerate(clips)])
    words = np.concatenate([one.words for one in clips])
    both, owner = np.concatenate([words, mirrored(words)]), np.concatenate([owner, owner]).astype(np.int64)
    # Neighbouring coefficients depend on each other: a band takes its bits from all over the fingerprint.
    order = np.random.default_rng(0).permutation(np.arange(1, BITS + 1))
    bands = order[: _BANDS * _BAND].reshape(_BANDS, _BAND)
    pairs = np.unique(np.concatenate([_sharing(_keys(both, band), owner) for band in bands]), axis=0)
    return [(int(a), int(b)) for a, b in pairs]


def _keys(words: Words, band: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,): the chosen bits of (n, 4) words as one number."""
    place = 1 << np.arange(len(band), dtype=np.int64)
    parts = range(0, len(words), _AT_ONCE)
    return np.concatenate(
        [np.unpackbits(words[i : i + _AT_ONCE].view(np.uint8), axis=1)[:, band].astype(np.int64) @ place for i in parts]
    )


def _sharing(key: NDArray[np.int64], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 2) pairs of different owners under equal keys; of a crowd only neighbours, which still link all copies."""
    entries = np.unique(np.stack([key, owner], axis=1), axis=0)
    starts = np.flatnonzero(np.r_[True, entries[1:, 0] != entries[:-1, 0]])
    sizes = np.diff(np.r_[starts, len(entries)])
    pairs = []
    for apart in range(1, min(int(sizes.max()), _CROWD)):
        rows = np.flatnonzero(np.repeat(np.where(sizes > _CROWD, 1, sizes - 1), sizes) >= apart)
        rows = rows[rows + apart < len(entries)]
        rows = rows[entries[rows, 0] == entries[rows + apart, 0]]
        pairs.append(np.stack([entries[rows, 1], entries[rows + apart, 1]], axis=1))
    return np.concatenate([np.empty((0, 2), np.int64), *pairs])
