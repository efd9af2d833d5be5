"""Videos in, square face crops out: detect, track, cut out, a shard of clips at a time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field

from reenact.config import Runtime, Settings
from reenact.corpus.containers import flaws
from reenact.corpus.sharding import shard_groups
from reenact.corpus.shards import frame_writer, read_stage, write_rows, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.corpus.video import Video, excluded_frames, open_video
from reenact.errors import BadInput
from reenact.hashing import hash_code, hash_file, hash_json
from reenact.labelling import guarded
from reenact.labelling.finding import DetectSettings
from reenact.labelling.quality import QUALITY, quality
from reenact.labelling.recognition import recognised
from reenact.labelling.shard_work import keep_only, missing_shards, new_shard, shard_facts
from reenact.labelling.synthetic.models import SyntheticModel
from reenact.labelling.tracking import TrackSettings
from reenact.labelling.tracks import Followed, Named, choose_tracks, lanes, track_notes
from reenact.progress import progress
from reenact.stages.fetch_data import QUARANTINE_COLUMNS
from reenact.stages.result import StageResult

if TYPE_CHECKING:
    from reenact.corpus.shards import Image

STAGE = "extract_frames"


class ExtractFramesSettings(Settings):
    """Size and storage of the crops, and how faces are found."""

    size: int = Field(default=128, ge=16)  # side of the stored crops in pixels
    codec: Literal["raw", "jpeg"] = "raw"
    quality: int = Field(default=95, ge=1, le=100)  # of jpeg
    every: int = Field(default=1, ge=1)  # take every n-th frame
    max_frames: int = Field(default=0, ge=0)  # per clip, 0: all
    min_frames: int = Field(default=3, ge=1)  # a clip with fewer goes to quarantine; a triplet needs three
    shard_clips: int = Field(default=8, ge=1)  # at most so many videos are stored and processed together
    shard_stills: int = Field(default=512, ge=1)  # and so many single pictures
    crop_scale: float = Field(
        default=2.5, ge=1, le=10
    )  # side of the crop in sizes of the landmarks' box, as in seed 000
    patience: float = Field(default=60.0, gt=0)  # s without a new frame after which a video is given up
    backend: str = "dlib"  # or synthetic: dlib's detector finds a face, the network follows it at any turn
    synthetic: SyntheticModel = SyntheticModel()
    detect: DetectSettings = DetectSettings()
    tracks: TrackSettings = TrackSettings()


@dataclass(frozen=True)
class _ClipTask:
    row: dict[str, Any]
    path: Path
    settings: ExtractFramesSettings


@dataclass(frozen=True)
class _Tracked:
    """What one pass over a video found; `refused` is the sentence if the clip can't be used."""

    fps: float
    width: int
    height: int
    clips: tuple[Named, ...] = ()
    frames_read: int = 0
    notes: tuple[tuple[str, str], ...] = ()
    refused: str = ""


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
    from reenact.corpus import containers, packs, video
    from reenact.labelling.backends import backend_facts

    files = (__file__, video.__file__, packs.__file__, containers.__file__)
    code = [hash_code("labelling"), *(hash_file(Path(path)) for path in files)]
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
                    _ClipTask({str(k): v for k, v in row.items()}, videos / row["file"], settings)
                    for row in shards[name].to_dict("records")
                ]
                for name in names
            ]
            tracked = []
            for result in workers.map(_track_clip, [task for group in tasks for task in group], lost=_lost):
                tracked.append(result)
                yield "tracked"
            results = iter(tracked)
            work = [
                (out, store, name, [(task, next(results)) for task in group])
                for name, group in zip(names, tasks, strict=True)
            ]
            for _ in workers.map(_write_shard, work):
                pass


def _lost(task: _ClipTask, why: str) -> _Tracked:
    """For a clip whose process hung or died: the file is at fault, and it stays unknown in what."""
    sentence = f"{task.row['file']}: the process that read this video {why} Encode it again, or remove it."
    return _Tracked(25.0, 0, 0, refused=sentence)


def _track_clip(task: _ClipTask, beat: guarded.Beat) -> _Tracked:
    """First pass, with a word on what is wrong with the file itself: decoders pass over much in silence."""
    tracked = _track_faces(task, beat)
    found = flaws(task.path)
    if any("could be decoded" in note for _, note in tracked.notes):
        found = [flaw for flaw in found if "cut off" not in flaw]  # said already, with numbers
    said = [f"{task.row['file']}: {flaw}; what can be read of it is used." for flaw in found]
    if tracked.refused and found and "cut off" not in tracked.refused:
        file, _, why = tracked.refused.partition(": ")
        return _replaced(tracked, refused=f"{file}: {found[0]}; {why}")
    return _replaced(tracked, notes=(*tracked.notes, *((task.row["clip"], sentence) for sentence in said)))


def _track_faces(task: _ClipTask, beat: guarded.Beat) -> _Tracked:
    """Where is which face, frame by frame."""
    import cv2

    from reenact.labelling import backends
    from reenact.labelling.apart import SLOW, look_at_each
    from reenact.labelling.tracking import follow

    settings, nothing = task.settings, _Tracked(25.0, 0, 0)
    try:
        detector = backends.detector(settings.backend, settings.detect.threshold)
        predictor = backends.landmark_predictor(settings.backend, settings.synthetic)
        with open_video(task.path, task.row.get("member", "")) as video:
            facts = video.facts
            apart = task.row.get("kind") == "frames" and facts.fps < SLOW
            followed = (look_at_each if apart else follow)(
                _numbered(video, task, beat),
                fps=facts.fps / settings.every,
                detector=detector,
                confirmer=backends.confirmer(settings.backend, settings.detect.confirm, settings.synthetic),
                predictor=predictor,
                settings=settings.detect,
                tracks=settings.tracks,
                recogniser=None if settings.tracks.recognise == "never" else backends.recogniser(),
            )
        tracked = _Tracked(facts.fps, facts.width, facts.height, frames_read=followed.frames_read)
        passed_over = sum(len(frames) for frames in excluded_frames(task.row.get("excluded", "")))
        expected = max(0, facts.frames - passed_over) // settings.every
        expected = min(expected, settings.max_frames or expected)
        return _judged(task, tracked, followed, detector.name, expected)
    except BadInput as error:
        return _replaced(nothing, refused=_named(task, str(error)))
    except cv2.error as error:
        return _replaced(
            nothing, refused=f"{task.row['file']}: OpenCV failed on this video ({error.err}). Encode it again."
        )
    except MemoryError:
        return _replaced(
            nothing, refused=f"{task.row['file']}: its frames need more memory than there is. Make it smaller."
        )


def _judged(task: _ClipTask, tracked: _Tracked, followed: Followed, detector: str, expected: int) -> _Tracked:
    """Choose the tracks that become clips, and add the sentences: why none does, or what is left out."""
    settings, read, file = task.settings, followed.frames_read, task.row["file"]
    if not read:
        return _replaced(
            tracked, refused=f"{file}: not one frame could be decoded (a damaged or cut-off video). Copy it again."
        )
    if not followed.tracks:
        smaller = max(20, settings.detect.min_face // 2)
        return _replaced(
            tracked,
            refused=f"{file}: no face found in {read} frames (detector {detector}, smallest face "
            f"{settings.detect.min_face} px). Try extract_frames.detect.min_face: {smaller}, or remove the clip.",
        )
    followed, clips = _chosen(followed, tracked.fps, settings, least=_least(task))
    if not clips:
        most = max(len(track.frames) for track in followed.tracks)
        return _replaced(
            tracked,
            refused=f"{file}: a face in only {most} of {read} frames, a clip needs "
            f"{_least(task)} (extract_frames.min_frames). Use a longer video, or remove the clip.",
        )
    notes = track_notes(followed, clips, video=task.row["clip"], people=settings.tracks.people)
    if read < 0.98 * expected - 2:
        notes.append(
            f"only {read} of {expected} frames could be decoded (the video is damaged or cut off); those are used."
        )
    return _replaced(
        tracked, clips=tuple(clips), notes=tuple((task.row["clip"], f"{file}: {note}") for note in notes)
    )  # fmt: skip


def _least(task: _ClipTask) -> int:
    """Frames that a clip needs; a single picture is one."""
    return 1 if task.row.get("kind") == "still" else task.settings.min_frames


def _chosen(
    followed: Followed, fps: float, settings: ExtractFramesSettings, *, least: int
) -> tuple[Followed, list[Named]]:
    """Tracks that are one person each, and those of them that are long enough."""
    tracks, people = settings.tracks, None
    if tracks.recognise != "never":
        followed, people = recognised(followed, limit=tracks.distance, across=tracks.recognise == "across")
    others = max(settings.min_frames, math.ceil(tracks.min_seconds * fps / settings.every))
    chosen = choose_tracks(followed.tracks, people, main_frames=least, other_frames=others)
    return followed, chosen


def _write_shard(work: tuple[Path, Path | None, str, list[tuple[_ClipTask, _Tracked]]], beat: guarded.Beat) -> None:
    """Second pass: cut out and store, then the shard's table."""
    out, store, name, clips = work
    quarantine: list[dict[str, str]] = []
    usable: list[tuple[_ClipTask, _Tracked]] = []
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
                        rows += _clip_rows(task, tracked, lane, name, start, table)
            write_rows(out, shard.name, pd.concat(frame_rows, ignore_index=True), kind="frames")
        shard.facts |= {"clips": rows, "quarantine": quarantine}


def _store_clips(
    task: _ClipTask, tracked: _Tracked, lane: list[Named], writer: Any, beat: guarded.Beat
) -> pd.DataFrame:
    """Cut out the tracks of a lane, one after the other in one pass over the video; a row per frame."""
    from reenact.labelling.crops import box_in_crop, cut_out, steady_crops

    settings = task.settings
    wanted: dict[int, Any] = {}
    for named in lane:
        crops = steady_crops(named.track.frames, fps=tracked.fps, scale=settings.crop_scale)
        wanted |= {one.frame: (named, one, crop) for one, crop in zip(named.track.frames, crops, strict=True)}
    rows = []
    with open_video(task.path, task.row.get("member", "")) as video:
        for number, image in _numbered(video, task, beat):
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
    task: _ClipTask, tracked: _Tracked, lane: list[Named], shard: str, start: int, table: pd.DataFrame
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


def _numbered(video: Video, task: _ClipTask, beat: guarded.Beat) -> "Iterator[tuple[int, Image]]":
    settings, excluded = task.settings, excluded_frames(task.row.get("excluded", ""))

    def alive() -> "Iterator[tuple[int, Image]]":
        for number, image in video.numbered():
            beat()
            yield number, image

    wanted = ((number, image) for number, image in alive() if not any(number in frames for frames in excluded))
    taken = ((number, image) for number, image in wanted if number % settings.every == 0)
    return islice(taken, settings.max_frames or None)


def _named(task: _ClipTask, sentence: str) -> str:
    """The file as the user knows it, relative to the folder of videos."""
    return sentence.replace(str(task.path), task.row["file"])


def _replaced(tracked: _Tracked, **changes: Any) -> _Tracked:
    from dataclasses import replace

    return replace(tracked, **changes)
