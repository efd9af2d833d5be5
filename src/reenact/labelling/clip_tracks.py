"""First pass over a video: where is which face, frame by frame, and what is wrong with the file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reenact.corpus.containers import flaws
from reenact.corpus.video import Video, excluded_frames, open_video
from reenact.errors import BadInput
from reenact.labelling.extraction import ExtractFramesSettings
from reenact.labelling.guarded import Beat
from reenact.labelling.recognition import recognised
from reenact.labelling.tracks import Followed, Named, choose_tracks, track_notes

if TYPE_CHECKING:
    from reenact.corpus.shards import Image


@dataclass(frozen=True)
class ClipTask:
    """A video to look at: its row of `videos/clips.parquet`, where it lies, and how to look."""

    row: dict[str, Any]
    path: Path
    settings: ExtractFramesSettings


@dataclass(frozen=True)
class Tracked:
    """What one pass over a video found; `refused` is the sentence if the clip can't be used."""

    fps: float
    width: int
    height: int
    clips: tuple[Named, ...] = ()
    frames_read: int = 0
    notes: tuple[tuple[str, str], ...] = ()
    refused: str = ""


def lost_clip(task: ClipTask, why: str) -> Tracked:
    """For a clip whose process hung or died: the file is at fault, and it stays unknown in what."""
    sentence = f"{task.row['file']}: the process that read this video {why} Encode it again, or remove it."
    return Tracked(25.0, 0, 0, refused=sentence)


def track_clip(task: ClipTask, beat: Beat) -> Tracked:
    """First pass, with a word on what is wrong with the file itself: decoders pass over much in silence."""
    tracked = _track_faces(task, beat)
    found = flaws(task.path)
    if any("could be decoded" in note for _, note in tracked.notes):
        found = [flaw for flaw in found if "cut off" not in flaw]  # said already, with numbers
    said = [f"{task.row['file']}: {flaw}; what can be read of it is used." for flaw in found]
    if tracked.refused and found and "cut off" not in tracked.refused:
        file, _, why = tracked.refused.partition(": ")
        return replace(tracked, refused=f"{file}: {found[0]}; {why}")
    return replace(tracked, notes=(*tracked.notes, *((task.row["clip"], sentence) for sentence in said)))


def _track_faces(task: ClipTask, beat: Beat) -> Tracked:
    """Where is which face, frame by frame."""
    import cv2

    from reenact.labelling import backends
    from reenact.labelling.apart import SLOW, look_at_each
    from reenact.labelling.tracking import follow

    settings, nothing = task.settings, Tracked(25.0, 0, 0)
    try:
        detector = backends.detector(settings.backend, settings.detect.threshold)
        predictor = backends.landmark_predictor(settings.backend, settings.synthetic)
        with open_video(task.path, task.row.get("member", "")) as video:
            facts = video.facts
            apart = task.row.get("kind") == "frames" and facts.fps < SLOW
            followed = (look_at_each if apart else follow)(
                numbered_frames(video, task, beat),
                fps=facts.fps / settings.every,
                detector=detector,
                confirmer=backends.confirmer(settings.backend, settings.detect.confirm, settings.synthetic),
                predictor=predictor,
                settings=settings.detect,
                tracks=settings.tracks,
                recogniser=None if settings.tracks.recognise == "never" else backends.recogniser(),
            )
        tracked = Tracked(facts.fps, facts.width, facts.height, frames_read=followed.frames_read)
        passed_over = sum(len(frames) for frames in excluded_frames(task.row.get("excluded", "")))
        expected = max(0, facts.frames - passed_over) // settings.every
        expected = min(expected, settings.max_frames or expected)
        return _judged(task, tracked, followed, detector.name, expected)
    except BadInput as error:
        return replace(nothing, refused=_named(task, str(error)))
    except cv2.error as error:
        return replace(
            nothing, refused=f"{task.row['file']}: OpenCV failed on this video ({error.err}). Encode it again."
        )
    except MemoryError:
        return replace(
            nothing, refused=f"{task.row['file']}: its frames need more memory than there is. Make it smaller."
        )


def _judged(task: ClipTask, tracked: Tracked, followed: Followed, detector: str, expected: int) -> Tracked:
    """Choose the tracks that become clips, and add the sentences: why none does, or what is left out."""
    settings, read, file = task.settings, followed.frames_read, task.row["file"]
    if not read:
        return replace(
            tracked, refused=f"{file}: not one frame could be decoded (a damaged or cut-off video). Copy it again."
        )
    if read < _least(task):
        frames = "one frame" if read == 1 else f"{read} frames"
        return replace(
            tracked,
            refused=f"{file}: only {frames} could be read, a clip needs {_least(task)} (extract_frames.min_frames). "
            "Use a longer video, or remove it.",
        )
    if not followed.tracks:
        smaller = max(20, settings.detect.min_face // 2)
        return replace(
            tracked,
            refused=f"{file}: no face found in {read} frames (detector {detector}, smallest face "
            f"{settings.detect.min_face} px). Try extract_frames.detect.min_face: {smaller}, or remove the clip.",
        )
    followed, clips = _chosen(followed, tracked.fps, settings, least=_least(task))
    if not clips:
        most = max(len(track.frames) for track in followed.tracks)
        return replace(
            tracked,
            refused=f"{file}: a face in only {most} of {read} frames, a clip needs "
            f"{_least(task)} (extract_frames.min_frames). Use a longer video, or remove the clip.",
        )
    notes = track_notes(followed, clips, video=task.row["clip"], people=settings.tracks.people)
    if read < 0.98 * expected - 2:
        notes.append(
            f"only {read} of {expected} frames could be decoded (the video is damaged or cut off); those are used."
        )
    return replace(
        tracked, clips=tuple(clips), notes=tuple((task.row["clip"], f"{file}: {note}") for note in notes)
    )  # fmt: skip


def _least(task: ClipTask) -> int:
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


def numbered_frames(video: Video, task: ClipTask, beat: Beat) -> "Iterator[tuple[int, Image]]":
    settings, excluded = task.settings, excluded_frames(task.row.get("excluded", ""))

    def alive() -> "Iterator[tuple[int, Image]]":
        for number, image in video.numbered():
            beat()
            yield number, image

    wanted = ((number, image) for number, image in alive() if not any(number in frames for frames in excluded))
    taken = ((number, image) for number, image in wanted if number % settings.every == 0)
    return islice(taken, settings.max_frames or None)


def _named(task: ClipTask, sentence: str) -> str:
    """The file as the user knows it, relative to the folder of videos."""
    return sentence.replace(str(task.path), task.row["file"])
