"""What a training is known by: the hash of code, data and settings that decide its weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.corpus.shards import shard_place
from reenact.corpus.tables import read_table
from reenact.hashing import hash_code, hash_json

_FEATURES = tuple(f"backbones/{name}.py" for name in ("features", "guide", "reader", "settings", "vgg", "weights"))
CODE = ("faces", "corpus", "nn", "losses", *_FEATURES, "alarms", "systems", "training", "stages/train.py")

# What of each stage's shards reaches a training; what stage.json notes does not.
_FILES = {
    "frames": ("frames.npy", "frames.jpg", "offsets.npy"),
    "landmarks": ("*.npy",),
    "actions": ("rows.parquet", "*.npy"),
    "segments": ("*.npy",),
    "validated": ("split.parquet", "usable.npy"),
}


def training_key(*, data: str, **facts: Any) -> str:
    """sha256 over our code, the data's hash and plain facts: branch, settings, feature network, device, threads."""
    return hash_json({"code": hash_code(*CODE), "data": data, **facts})


def data_hash(folders: Mapping[str, Path]) -> str:
    """sha256 over the tables and arrays that a training reads; keys are kinds of stage folders.

    Names of shards are left out: they change with the code that made them, whether or not the contents do.
    """
    clips = read_table(folders["frames"] / "clips.parquet", kind="clips")
    rows = clips.drop(columns="shard").astype(str).to_dict("records")
    shards = sorted(set(clips["shard"]))
    hashes = [
        [kind, file.name, hash_sparsely(file)]
        for kind, folder in sorted(folders.items())
        for shard in (["", *shards] if kind == "validated" else shards)
        for file in sorted(file for pattern in _FILES[kind] for file in shard_place(folder, shard).glob(pattern))
    ]
    return hash_json([rows, sorted(hashes)])


def hash_sparsely(path: Path, *, block: int = 1 << 20, blocks: int = 64) -> str:
    """sha256 of a file's length and content: all of it up to 64 MiB, above that 64 evenly spaced blocks of 1 MiB.

    Shards of frames can hold many gigabytes; clips.parquet, hashed whole, names the source videos' hashes anyhow.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        if size <= block * blocks:
            digest.update(stream.read())
        else:
            for number in range(blocks):
                stream.seek((size - block) * number // (blocks - 1))
                digest.update(stream.read(block))
    return digest.hexdigest()
