"""The clips of each shard, and the files beside their videos that labels are read from."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.hashing import hash_file
from reenact.labelling.clip_frames import video_rows

Group = list[dict[str, Any]]


def grouped(clips: pd.DataFrame) -> dict[str, Group]:
    """Rows of frames/clips.parquet by shard."""
    groups: dict[str, Group] = {}
    for row in clips.to_dict("records"):
        groups.setdefault(str(row["shard"]), []).append({str(name): value for name, value in row.items()})
    return dict(sorted(groups.items()))


def files_digest(videos: Path | None, groups: Mapping[str, Group]) -> dict[str, list[str]]:
    """For each shard the hashes of its clips' annotation files: changed files label anew; empty without `videos`."""
    if videos is None:
        return {shard: [] for shard in groups}
    rows, hashed = video_rows(videos), cache(_hash)
    digests = {}
    for shard, group in groups.items():
        videos_of = sorted({str(clip.get("video") or clip["clip"]) for clip in group})
        names = [name for video in videos_of for name in str(rows.get(video, {}).get("annotation") or "").split()]
        digests[shard] = [f"{name} {hashed(videos / name)}" for name in dict.fromkeys(names)]
    return digests


def _hash(path: Path) -> str:
    return hash_file(path) if path.is_file() else "missing"
