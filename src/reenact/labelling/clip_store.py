"""Second pass over the videos of a shard: cut out the tracked faces and store them, with a row per frame."""

from pathlib import Path
from typing import Any

import pandas as pd

from reenact.corpus.shards import frame_writer, write_rows
from reenact.corpus.video import open_video
from reenact.labelling.clip_tracks import ClipTask, Tracked, numbered_frames
from reenact.labelling.extraction import STAGE
from reenact.labelling.guarded import Beat
from reenact.labelling.quality import QUALITY, quality
from reenact.labelling.shard_work import new_shard
from reenact.labelling.tracks import Named, lanes


def store_shard(work: tuple[Path, Path | None, str, list[tuple[ClipTask, Tracked]]], beat: Beat) -> None:
    """Second pass: cut out and store, then the shard's table."""
    out, store, name, clips = work
    quarantine: list[dict[str, str]] = []
    usable: list[tuple[ClipTask, Tracked]] = []
    for task, tracked in clips:
        sentences = [tracked.refused] if tracked.refused else [note for _, note in tracked.notes]
        quarantine += [
            {"clip": task.row["clip"], "file": task.row["file"], "stage": STAGE, "reason": s} for s in sentences
        ]
        if not tracked.refused:
            usable.append((task, tracked))
    rows: list[dict[str, Any]] = []
    with new_shard(out, name, store=store) as shard:
        if usable:
            settings = usable[0][0].settings
            frame_rows: list[pd.DataFrame] = []
            with frame_writer(out, shard.name, codec=settings.codec, quality=settings.quality) as writer:
                for task, tracked in usable:
                    for lane in lanes(tracked.clips):
                        start = len(writer)
                        table = _store_clips(task, tracked, lane, writer, beat)
                        frame_rows.append(table)
                        made = _clip_rows(task, tracked, lane, name, start, table)
                        rows += [row for row in made if row["count"]]
                        quarantine += [_unread(row) for row in made if not row["count"]]
            write_rows(
                out,
                shard.name,
                pd.concat([one for one in frame_rows if len(one)] or frame_rows, ignore_index=True),
                kind="frames",
            )
        shard.facts |= {"clips": rows, "quarantine": quarantine}


def _unread(row: dict[str, Any]) -> dict[str, str]:
    reason = f"{row['file']}: the frames of {row['clip']} could not be read a second time. Copy the file again."
    return {"clip": row["clip"], "file": row["file"], "stage": STAGE, "reason": reason}


def _store_clips(task: ClipTask, tracked: Tracked, lane: list[Named], writer: Any, beat: Beat) -> pd.DataFrame:
    """Cut out the tracks of a lane, one after the other in one pass over the video; a row per frame."""
    from reenact.labelling.apart import SLOW
    from reenact.labelling.crops import box_in_crop, cut_out, steady_crops

    settings = task.settings
    apart = task.row.get("kind") == "frames" and tracked.fps < SLOW
    wanted: dict[int, Any] = {}
    for named in lane:
        # Of pictures seconds apart each has a crop of its own: the face is elsewhere and of another size in the next.
        stretches = [[one] for one in named.track.frames] if apart else [named.track.frames]
        for frames in stretches:
            crops = steady_crops(frames, fps=tracked.fps, scale=settings.crop_scale)
            wanted |= {one.frame: (named, one, crop) for one, crop in zip(frames, crops, strict=True)}
    rows = []
    with open_video(task.path, task.row.get("member", "")) as video:
        for number, image in numbered_frames(video, task, beat):
            if number not in wanted:
                continue
            named, one, crop = wanted[number]
            picture = cut_out(image, crop, settings.size)
            writer.append(picture)
            box = box_in_crop(one.box, crop)
            worth = quality(picture, box.scaled(settings.size), face_size=one.box.side, usual=named.track.colours)
            rows.append((named.clip(task.row["clip"]), number, number / tracked.fps, crop.x, crop.y, crop.side,
                         box.x0, box.y0, box.x1, box.y1, one.score, *worth.row()))  # fmt: skip
            if number == lane[-1].track.last:
                break
    names = ("clip", "frame", "time", "crop_x", "crop_y", "crop_side", "box_x0", "box_y0", "box_x1", "box_y1", "score")
    return pd.DataFrame(rows, columns=[*names, *QUALITY]).astype(dict.fromkeys(QUALITY, "float32"))


def _clip_rows(
    task: ClipTask, tracked: Tracked, lane: list[Named], shard: str, start: int, table: pd.DataFrame
) -> list[dict[str, Any]]:
    row, rows = task.row, []
    facts = {name: value for name, value in row.items() if name not in ("clip", "identity", "bytes")}
    counts = table["clip"].value_counts()
    for named in lane:
        clip = named.clip(row["clip"])
        count = int(counts.get(clip, 0))
        # One of several clips of a video is not lost where another is shown.
        span = (named.track.last - named.track.first) // task.settings.every + 1
        watched = tracked.frames_read if len(tracked.clips) == 1 else span
        rows.append({
            **facts, "clip": clip, "identity": named.identity(row["clip"], row["identity"]), "person": row["identity"],
            "video": row["clip"], "shard": shard, "start": start, "count": count,
            "fps": tracked.fps / task.settings.every, "width": tracked.width, "height": tracked.height,
            "frames_read": tracked.frames_read, "frames_lost": watched - count,
        })  # fmt: skip
        start += count
    return rows
