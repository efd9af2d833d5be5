"""Several people, cuts, people who leave and return: tracks never mix two people, and who they are is never guessed."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from face_videos import SquareDetector, SquarePredictor, face_at, room, square_faces, walk, write_video
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import read_table
from reenact.labelling import backends
from reenact.labelling.backend import Box
from reenact.labelling.finding import DetectSettings
from reenact.labelling.recognition import group_people, recognised, split_by_person
from reenact.labelling.tracking import TrackSettings, follow
from reenact.labelling.tracks import Followed, Track, TrackedFrame, choose_tracks, lanes
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.fetch_data import FetchDataSettings, fetch_data

__all__ = ["square_faces"]
Frames = list[np.ndarray]


class SquareRecogniser:
    """Knows people by the grey of the disc in their square: two of them are 0.7 or more apart."""

    name = "squares"

    def __call__(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        (x0, y0), (x1, y1) = landmarks.min(axis=0).astype(int), landmarks.max(axis=0).astype(int)
        inside = image[max(y0, 0) : y1, max(x0, 0) : x1].reshape(-1, 3).mean(axis=1)
        dark = inside[inside < 215]
        return np.array([float(np.median(dark)) if len(dark) else 255.0, 0.0]) * 0.7 / 30


def scene(*places: Callable[[int], tuple[float, float] | None], count: int, side: int = 40, seed: int = 0) -> Frames:
    """One square per person (0, 1, ...), each where its function of the frame's number says, None: away."""
    frames = []
    for number in range(count):
        frame = room(seed)
        for person, place in enumerate(places):
            if (at := place(number)) is not None:
                frame = face_at(frame, *at, side, 2 * person)
        frames.append(frame)
    return frames


def followed(frames: Frames, *, people: str = "all", recognise: bool = False, **detect: float) -> Followed:
    """Tracks of a video of squares at 25 frames a second."""
    return follow(
        enumerate(frames),
        fps=25.0,
        detector=SquareDetector(),
        predictor=SquarePredictor(),
        settings=DetectSettings.parse({"min_face": 20, **detect}, where="detect"),
        tracks=TrackSettings.parse({"people": people, "look": 0.2, "sample": 0.4}, where="tracks"),
        recogniser=SquareRecogniser() if recognise else None,
    )


def spans(result: Followed) -> list[tuple[int, int]]:
    """First and last frame of each track."""
    return [(track.first, track.last) for track in result.tracks]


def sway(x: float, y: float = 120.0) -> Callable[[int], tuple[float, float]]:
    """About a place."""
    return lambda n: (x + 6 * np.sin(n / 5), y)


def test_two_people_side_by_side_are_two_tracks() -> None:
    frames = scene(sway(80), sway(240), count=40)
    result = followed(frames)
    assert spans(result) == [(0, 39), (0, 39)]
    for track, x in zip(sorted(result.tracks, key=lambda one: one.frames[0].centre), (80, 240), strict=True):
        assert all(abs(one.centre[0] - x) < 20 for one in track.frames)
    main = followed(frames, people="main")
    assert spans(main) == [(0, 39)]
    assert main.faces == 2


def test_a_second_person_who_comes_later_gets_a_track_from_then_on() -> None:
    result = followed(scene(sway(80), lambda n: (240, 120) if n >= 12 else None, count=40))
    assert spans(result)[0] == (0, 39)
    assert 12 <= result.tracks[1].first <= 17
    assert "another face" in result.tracks[1].why


@pytest.mark.parametrize("people", ["main", "all"])
def test_tracks_end_at_cuts_and_none_goes_on_after_one(people: str) -> None:
    frames = [*walk(20), *walk(15, seed=5, person=3), *walk(20)]
    result = followed(frames, people=people)
    assert spans(result) == [(0, 19), (20, 34), (35, 54)]
    assert [track.why for track in result.tracks] == ["the beginning", "cut at frame 20", "cut at frame 35"]


def test_a_person_who_is_hidden_for_a_moment_stays_on_the_track_and_one_who_was_away_does_not() -> None:
    for away, expected in ((6, [(0, 35)]), (30, [(0, 9), (40, 59)])):
        frames = scene(lambda n, away=away: None if 10 <= n < 10 + away else (160, 120), count=30 + away)
        frames = frames[: expected[-1][1] + 1]
        assert spans(followed(frames, people="main")) == expected
        assert spans(followed(frames, people="all")) == expected


def test_whoever_appears_at_another_place_begins_another_track() -> None:
    frames = scene(lambda n: (80, 120) if n < 15 else None, lambda n: (240, 120) if n >= 20 else None, count=40)
    for people in ("main", "all"):
        result = followed(frames, people=people)
        assert spans(result) == [(0, 14), (20, 39)]


def test_no_track_goes_from_one_person_to_another_when_two_cross() -> None:
    ways = (lambda n: (50 + 4.0 * n, 110.0), lambda n: (270 - 4.0 * n, 135.0))
    result = followed(scene(*ways, count=56))
    assert len(result.tracks) >= 4
    for track in result.tracks:
        apart = [one for one in track.frames if abs(ways[0](one.frame)[0] - ways[1](one.frame)[0]) > 60]
        nearest = {min((0, 1), key=lambda p, one=one: abs(ways[p](one.frame)[0] - one.centre[0])) for one in apart}
        assert len(nearest) <= 1
    long = [track for track in result.tracks if len(track.frames) > 12]
    assert len(long) == 4


def test_another_person_in_the_same_place_is_seen_by_recognition_only() -> None:
    frames = scene(lambda n: (160, 120) if n < 25 else None, lambda n: (160, 120) if n >= 32 else None, count=60)
    result = followed(frames, people="main", recognise=True)
    assert spans(result) == [(0, 59)]
    split, people = recognised(result, limit=0.6, across=False)
    assert spans(split) == [(0, 24), (32, 59)]
    assert people[0] != people[1]
    assert split.notes == ["another person from frame 32"]


def test_who_comes_back_after_a_cut_is_the_same_person_again_by_recognition() -> None:
    frames = [*walk(20), *walk(20, seed=5, person=3), *walk(20)]
    result, people = recognised(followed(frames, people="main", recognise=True), limit=0.6, across=True)
    assert people[0] == people[2] != people[1]
    chosen = choose_tracks(result.tracks, people, main_frames=3, other_frames=3)
    assert [one.clip("v") for one in chosen] == ["v", "v~2", "v~3"]
    assert [one.identity("v", "ana") for one in chosen] == ["ana", "v~2", "ana"]
    unknown = choose_tracks(result.tracks, main_frames=3, other_frames=3)
    assert [one.identity("v", "ana") for one in unknown] == ["ana", "v~2", "v~3"]


def track_of(*, start: int, count: int, samples: dict[int, float], skip: tuple[int, int] = (0, 0)) -> Track:
    """A track whose samples are points on a line."""
    numbers = [n for n in range(start, start + count) if not skip[0] <= n < skip[1]]
    frames = [TrackedFrame(n, (100.0, 100.0), 50.0, Box(75, 75, 125, 125), 0.5) for n in numbers]
    places = {n: place for place, n in enumerate(numbers)}
    return Track("the beginning", frames, None, [(places[n], np.array([x, 0.0])) for n, x in samples.items()])


def test_one_odd_sample_is_a_bad_picture_and_two_are_another_person() -> None:
    odd = track_of(start=0, count=50, samples={0: 0.0, 10: 0.1, 20: 1.0, 30: 0.0, 40: 0.1})
    assert len(split_by_person(odd, limit=0.6)) == 1
    other = track_of(start=0, count=50, samples={0: 0.0, 10: 0.1, 20: 1.0, 30: 1.1, 40: 1.0})
    first, second = split_by_person(other, limit=0.6)
    assert (first.first, first.last) == (0, 10)  # between the samples nobody knows
    assert (second.first, second.last) == (20, 49)
    assert [place for place, _ in second.samples] == [0, 10, 20]
    back = track_of(start=0, count=50, skip=(15, 20), samples={0: 0.0, 10: 0.1, 20: 1.0, 30: 1.1})
    first, second = split_by_person(back, limit=0.6)
    assert (first.last, second.first) == (14, 20)


def test_people_seen_together_are_never_one_person() -> None:
    twins = [track_of(start=0, count=30, samples={0: 0.0}), track_of(start=10, count=10, samples={10: 0.0})]
    later = track_of(start=40, count=10, samples={40: 0.2})
    nobody = track_of(start=60, count=5, samples={})
    assert group_people([*twins, later, nobody], limit=0.6) == [0, 1, 0, 2]


def test_lanes_hold_tracks_one_after_the_other() -> None:
    tracks = [track_of(start=s, count=c, samples={}) for s, c in ((0, 50), (0, 10), (5, 20), (12, 10), (60, 5))]
    for lane in lanes(choose_tracks(tracks, main_frames=1, other_frames=1)):
        assert all(a.track.last < b.track.first for a, b in pairwise(lane))
    assert len(lanes(choose_tracks(tracks, main_frames=1, other_frames=1))) == 3


def extracted(folder: Path, frames: Frames, **tracks: object) -> Corpus:
    """A corpus of one video, `out/in/show/tape.mp4` of the person `show`."""
    write_video(folder / "in" / "show" / "tape.mp4", frames)
    write_video(folder / "in" / "show" / "more.mp4", walk(5, seed=3))
    fetch_data(videos=folder / "in", out=folder / "videos", settings=FetchDataSettings())
    chosen = {"size": 64, "detect": {"min_face": 20}, "tracks": {"min_seconds": 0.4, "look": 0.2, **tracks}}
    settings = ExtractFramesSettings.parse(chosen, where="extract_frames")
    extract_frames(videos=folder / "videos", out=folder / "frames", settings=settings, runtime=Runtime(workers=1))
    return Corpus(folder / "frames")


@pytest.mark.usefixtures("square_faces")
def test_each_track_is_a_clip_with_its_own_pictures_and_one_person_of_the_split(tmp_path: Path) -> None:
    pair = scene(sway(80), sway(240), count=20, seed=1)
    corpus = extracted(tmp_path, [*pair, *walk(15, seed=6, person=1, side=40), *walk(4, seed=7, side=40)], people="all")
    names = {name: clip.count for name, clip in corpus.by_name.items() if "tape" in name}
    assert names == {"show--tape": 20, "show--tape~2": 20, "show--tape~3": 15}
    table = corpus.table.set_index("clip")
    assert set(table["person"]) == {"show"}
    assert dict(table["identity"]) == {
        "show--more": "show", "show--tape": "show", "show--tape~2": "show--tape~2", "show--tape~3": "show--tape~3"
    }  # fmt: skip
    assert dict(table["frames_lost"]) == dict.fromkeys(table.index, 0)
    for clip in corpus.clips:
        rows = corpus.frame_table(clip)
        assert set(rows["clip"]) == {clip.clip}
        assert list(rows["frame"]) == sorted(rows["frame"])
        assert np.median(corpus.image(clip, clip.count - 1)[20:44, 20:44]) > 165  # the white square
        assert rows[["blur", "exposure", "clipped", "face_size"]].notna().all(axis=None)
    reasons = read_table(tmp_path / "frames" / "quarantine.parquet", kind="quarantine")["reason"]
    assert "3 tracks are clips of their own: show--tape (" in reasons.str.cat()
    assert "left out, shorter than extract_frames.tracks.min_seconds: frames 35 to 38" in reasons.str.cat()


@pytest.mark.usefixtures("square_faces")
def test_recognition_is_asked_for_by_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "recogniser", SquareRecogniser)
    frames = [*walk(20), *walk(15, seed=5, person=3), *walk(15)]
    table = extracted(tmp_path / "across", frames, recognise="across").table.set_index("clip")
    assert list(table.loc[["show--tape", "show--tape~2", "show--tape~3"], "identity"]) == [
        "show",
        "show--tape~2",
        "show",
    ]
    monkeypatch.setattr(backends, "recogniser", lambda: pytest.fail("nobody asked who they are"))
    table = extracted(tmp_path / "never", frames).table.set_index("clip")
    assert table.loc["show--tape~3", "identity"] == "show--tape~3"
