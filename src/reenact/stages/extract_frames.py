"""Videos in, square face crops out: detect, track, cut out, a shard of clips at a time."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from reenact.config import Runtime
from reenact.corpus.sharding import shard_groups
from reenact.corpus.shards import read_stage, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput
from reenact.hashing import hash_json
from reenact.labelling import guarded
from reenact.labelling.clip_store import store_shard
from reenact.labelling.clip_tracks import ClipTask, lost_clip, track_clip
from reenact.labelling.extraction import STAGE, ExtractFramesSettings
from reenact.labelling.shard_work import keep_only, missing_shards, shard_code, shard_facts
from reenact.progress import progress
from reenact.stages.fetch_data import QUARANTINE_COLUMNS
from reenact.stages.result import StageResult


def extract_frames(
    *,
    videos: Path,
    out: Path,
    settings: ExtractFramesSettings,
    runtime: Runtime,
    store: Path | None = None,
    only: str = "",
) -> StageResult:
    """Crops of the followed face of every clip, shard by shard; clips that can't be used go to quarantine.

    Shards that are there already are not made again. `only` restricts the stage to one group of `shard_list`.
    """
    videos, out = Path(videos), Path(out)
    groups = _groups(videos, settings)
    if only:
        groups = {only: groups[only]}
    base = _base_key(settings)
    shards = {hash_json([base, group.astype(str).to_dict("records")])[:16]: group for group in groups.values()}
    lacking = missing_shards(out, shards, store=store)
    work = _extract_shards(videos, out, shards, iter(lacking), settings, runtime, store)
    tracked = sum(1 for _ in progress(work, "extract frames: clips", total=None))
    return _summarise(out, list(shards), settings, {"tracked_now": tracked, "shards_now": len(lacking)})


def shard_list(videos: Path, settings: ExtractFramesSettings) -> list[str]:
    """Names of the groups into which the clips of `videos` fall: one shard each."""
    return list(_groups(Path(videos), settings))


def _groups(videos: Path, settings: ExtractFramesSettings) -> dict[str, pd.DataFrame]:
    read_stage(videos, kind="videos")
    table = read_table(videos / "clips.parquet", kind="videos").set_index("clip", drop=False)
    still = table["kind"].eq("still") if "kind" in table else pd.Series(False, index=table.index)
    weights = {
        str(clip): 1.0 / (settings.shard_stills if still[clip] else settings.shard_clips) for clip in table.index
    }
    return {group: table.loc[names].reset_index(drop=True) for group, names in shard_groups(weights).items()}


def _base_key(settings: ExtractFramesSettings) -> dict[str, Any]:
    from reenact.labelling.backends import backend_facts

    modules = ("video", "packs", "containers")
    code = shard_code(*(f"corpus/{name}.py" for name in modules), "stages/extract_frames.py")
    # How many clips lie together decides which, and which they are is part of each name already.
    plain = {name: value for name, value in settings.plain().items() if not name.startswith("shard_")}
    return {"code": code, "settings": plain, **backend_facts(settings.backend, settings.synthetic)}


def _extract_shards(
    videos: Path,
    out: Path,
    shards: dict[str, pd.DataFrame],
    waiting: Iterator[str],
    settings: ExtractFramesSettings,
    runtime: Runtime,
    store: Path | None,
) -> Iterator[str]:
    """Track clip by clip on all workers, then write shard by shard; a few shards at a time keeps memory bounded."""
    with guarded.guarded_processes(runtime.workers, patience=settings.patience) as workers:
        while names := list(islice(waiting, max(1, runtime.workers))):
            tasks = [
                [
                    ClipTask({str(k): v for k, v in row.items()}, videos / row["file"], settings)
                    for row in shards[name].to_dict("records")
                ]
                for name in names
            ]
            tracked = []
            for result in workers.map(track_clip, [task for group in tasks for task in group], lost=lost_clip):
                tracked.append(result)
                yield "tracked"
            results = iter(tracked)
            work = [
                (out, store, name, [(task, next(results)) for task in group])
                for name, group in zip(names, tasks, strict=True)
            ]
            for _ in workers.map(store_shard, work):
                pass


def _summarise(out: Path, shards: Sequence[str], settings: ExtractFramesSettings, made: dict[str, int]) -> StageResult:
    """The two tables over all shards; the stage is finished after them."""
    facts = [shard_facts(out, name) or {} for name in shards]
    # In the order of their names, whichever shard they lie in: seeds of pairs go by this order.
    clips = sorted((row for one in facts for row in one["clips"]), key=lambda row: str(row["clip"]))
    quarantine = sorted((row for one in facts for row in one["quarantine"]), key=lambda row: str(row["clip"]))
    if not clips:
        reasons = "\n".join(row["reason"] for row in quarantine[:10])
        raise BadInput(f"{out}: not one of {len(quarantine)} clips can be used:\n{reasons}")
    columns = (
        "clip", "identity", "person", "video", "shard", "start", "count", "fps", "file", "sha256", "width", "height",
        "frames_read", "frames_lost", "licence", "consent", "source", "official_split",
    )  # fmt: skip
    table = pd.DataFrame(clips)
    more = [name for name in table.columns if name not in columns]  # what the data set says of its clips
    write_table(out / "clips.parquet", table[[*columns, *more]], kind="clips")
    notes = pd.DataFrame(quarantine, columns=list(QUARANTINE_COLUMNS), dtype=str)
    write_table(out / "quarantine.parquet", notes, kind="quarantine")
    places = {name: name for name in shards}
    facts_of_all = {"size": settings.size, "codec": settings.codec, "clips": len(clips), "detector": settings.backend}
    write_stage(out, kind="frames", shards=places, **facts_of_all)
    keep_only(out, shards)
    used = {row["clip"] for row in clips}
    counts = {
        "clips": len(clips),
        "frames": sum(row["count"] for row in clips),
        "frames_lost": sum(row["frames_lost"] for row in clips),
        "refused": len({row["clip"] for row in quarantine} - used),
        **made,
    }
    return StageResult(
        stage=STAGE,
        counts={name: float(n) for name, n in counts.items()},
        notes=tuple(row["reason"] for row in quarantine),
    )
