"""Finding, following and cropping faces; shards that can be interrupted, repeated and shared out."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from face_videos import face_at, room, square_faces, walk, write_video
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import read_rows
from reenact.corpus.tables import read_table
from reenact.hashing import hash_tree
from reenact.labelling import clip_store
from reenact.labelling.backend import Box
from reenact.labelling.crops import Crop, cut_out, steady_crops
from reenact.labelling.cuts import CutFinder
from reenact.labelling.dlib_backend import DlibDetector
from reenact.labelling.quality import FaceColours, quality
from reenact.labelling.tracks import TrackedFrame
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames, shard_list
from reenact.stages.fetch_data import FetchDataSettings, fetch_data
from reenact.stages.label_actions import LabelActionsSettings, label_actions
from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks

__all__ = ["square_faces"]
ONE = Runtime(workers=1)


def fetch(folder: Path, count: int = 3) -> Path:
    """`count` clips of squares in one corpus folder."""
    for number in range(count):
        write_video(folder / "in" / f"clip{number}.mp4", walk(10 + number, seed=number, person=number))
    fetch_data(videos=folder / "in", out=folder / "videos", settings=FetchDataSettings())
    return folder / "videos"


def chain(videos: Path, out: Path, runtime: Runtime, **settings: object) -> None:
    """Extraction and both label stages."""
    chosen = ExtractFramesSettings.parse({"size": 64, "shard_clips": 2, **settings}, where="extract_frames")
    extract_frames(videos=videos, out=out / "frames", settings=chosen, runtime=runtime)
    label_landmarks(frames=out / "frames", out=out / "landmarks", settings=LabelLandmarksSettings(), runtime=runtime)
    label_actions(
        frames=out / "frames",
        landmarks=out / "landmarks",
        out=out / "actions",
        settings=LabelActionsSettings(),
        runtime=runtime,
    )


def only_rows(frames: Path) -> pd.DataFrame:
    """The rows of a corpus of one shard."""
    (shard,) = {clip.shard for clip in Corpus(frames).clips}
    return read_rows(frames, shard, kind="frames")


def stamps_of(root: Path) -> dict[Path, int]:
    """When each shard's files were written."""
    return {path: path.stat().st_mtime_ns for path in root.glob("*/*/*.npy") if path.parts[-3] != "made"}


def test_a_crop_that_reaches_beyond_the_picture_repeats_its_border() -> None:
    image = np.zeros((20, 30, 3), dtype=np.uint8)
    image[:, :, 0] = np.arange(20)[:, None]
    image[:, :, 1] = np.arange(30)
    crop = cut_out(image, Crop(-5, -4, 40), 40)
    rows, columns = np.clip(np.arange(40) - 4, 0, 19), np.clip(np.arange(40) - 5, 0, 29)
    np.testing.assert_array_equal(crop, image[rows][:, columns])
    assert cut_out(image, Crop(100, 100, 10), 8).shape == (8, 8, 3)


def test_shrinking_averages_areas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    shrunk = cut_out(image, Crop(0, 0, 64), 16)
    means = image.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - means).max() <= 1


def test_crops_stay_steady_under_noise_and_follow_motion() -> None:
    rng = np.random.default_rng(0)
    true = np.stack([300 + 60 * np.sin(np.arange(100) / 25), np.full(100, 200.0)], axis=1)
    noisy = true + rng.normal(0, 3, true.shape)
    stretch = [
        TrackedFrame(n, (float(x), float(y)), float(100 + rng.normal(0, 6)), Box(0, 0, 1, 1), 0.0)
        for n, (x, y) in enumerate(noisy)
    ]
    crops = steady_crops(stretch, fps=25.0, scale=2.5)
    centres = np.array([(crop.x + crop.side / 2, crop.y + crop.side / 2) for crop in crops])
    assert np.abs(centres - true).max() < 6
    assert np.abs(np.diff(centres - true, axis=0)).mean() < 0.35 * np.abs(np.diff(noisy - true, axis=0)).mean()
    sides = np.array([crop.side for crop in crops])
    assert 0.95 * 250 < sides.min() <= sides.max() < 1.05 * 250


def test_cuts_are_found_and_fast_heads_or_lights_are_no_cuts() -> None:
    def cuts(frames: list[np.ndarray]) -> list[int]:
        finder = CutFinder()
        return [n for n, frame in enumerate(frames) if finder(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))]

    assert cuts([*walk(10), *walk(10, seed=5)]) == [10]
    assert cuts([face_at(room(0), 80 + 8 * n, 100) for n in range(20)]) == []
    brighter = [np.clip(frame.astype(int) + 40, 0, 255).astype(np.uint8) for frame in walk(10)]
    assert cuts([*walk(10), *brighter]) == []


@pytest.mark.usefixtures("square_faces")
def test_the_face_lies_in_the_middle_of_its_crop(tmp_path: Path) -> None:
    chain(fetch(tmp_path), tmp_path, ONE)
    corpus = Corpus(tmp_path / "frames", landmarks=tmp_path / "landmarks", actions=tmp_path / "actions")
    assert [clip.count for clip in corpus.clips] == [10, 11, 12]
    assert len({clip.shard for clip in corpus.clips}) == 2
    for clip in corpus.clips:
        landmarks = corpus.landmarks(clip)
        assert corpus.found(clip).all()
        assert np.abs(landmarks[:, 28] - 0.5).max() < 0.06
        extent = (landmarks.max(axis=1) - landmarks.min(axis=1)).max(axis=1)
        assert np.abs(extent * 2.5 - 1).max() < 0.1
        image = corpus.image(clip, 0)
        x, y = (landmarks[0, 30] * 64).astype(int)
        assert image[y, x].mean() > 180  # the white square
        assert np.abs(corpus.pose(clip)).max() < 12
        assert corpus.visibility(clip).shape == (clip.count, 68)
        np.testing.assert_allclose(corpus.landmarks3d(clip)[..., :2], landmarks, atol=0.06)


@pytest.mark.usefixtures("square_faces")
def test_boxes_and_crops_lead_back_to_the_video(tmp_path: Path) -> None:
    chain(fetch(tmp_path, 1), tmp_path, ONE)
    table = only_rows(tmp_path / "frames")
    x = table["crop_x"] + table["crop_side"] * (table["box_x0"] + table["box_x1"]) / 2
    expected = 160 + 12 * np.sin(table["frame"] / 6)
    assert np.abs(x - expected).max() < 4


@pytest.mark.usefixtures("square_faces")
def test_jpeg_holds_nearly_the_same_pictures_as_raw(tmp_path: Path) -> None:
    videos = fetch(tmp_path, 1)
    chain(videos, tmp_path / "raw", ONE)
    chain(videos, tmp_path / "jpeg", ONE, codec="jpeg")
    raw, jpeg = Corpus(tmp_path / "raw" / "frames"), Corpus(tmp_path / "jpeg" / "frames")
    difference = raw.image(raw.clips[0], 3).astype(int) - jpeg.image(jpeg.clips[0], 3)
    assert np.abs(difference).mean() < 4
    assert not list((tmp_path / "jpeg" / "frames").glob("*/frames.npy"))


@pytest.mark.usefixtures("square_faces")
def test_every_nth_frame_and_no_more_than_the_maximum(tmp_path: Path) -> None:
    chain(fetch(tmp_path, 3), tmp_path, ONE, every=2, max_frames=5)
    corpus = Corpus(tmp_path / "frames")
    assert all(list(corpus.frame_table(clip)["frame"]) == [0, 2, 4, 6, 8] for clip in corpus.clips)
    assert corpus.clips[0].fps == 12.5


@pytest.mark.usefixtures("square_faces")
def test_a_second_run_does_nothing_and_a_new_setting_everything(tmp_path: Path) -> None:
    videos = fetch(tmp_path)
    chain(videos, tmp_path, ONE)
    stamps = stamps_of(tmp_path)
    assert {path.parts[-3] for path in stamps} == {"frames", "landmarks", "actions"}
    chain(videos, tmp_path, ONE)
    assert stamps_of(tmp_path) == stamps
    chain(videos, tmp_path, ONE, crop_scale=2.0)
    assert not stamps.keys() & stamps_of(tmp_path).keys()


@pytest.mark.usefixtures("square_faces")
def test_only_the_shard_of_a_changed_clip_is_made_again_and_old_shards_go(tmp_path: Path) -> None:
    chain(fetch(tmp_path, 5), tmp_path, ONE)
    before, shards = stamps_of(tmp_path), {clip.clip: clip.shard for clip in Corpus(tmp_path / "frames").clips}
    write_video(tmp_path / "in" / "clip3.mp4", walk(7, seed=9))
    fetch_data(videos=tmp_path / "in", out=tmp_path / "videos", settings=FetchDataSettings())
    chain(tmp_path / "videos", tmp_path, ONE)
    after = stamps_of(tmp_path)
    gone = {path for path in before if shards["clip3"] in str(path)}
    assert {path: stamp for path, stamp in before.items() if path not in gone} == {
        path: stamp for path, stamp in after.items() if path in before
    }
    assert len(after) == len(before)
    assert [clip.count for clip in Corpus(tmp_path / "frames").clips] == [10, 11, 12, 7, 14]


@pytest.mark.usefixtures("square_faces")
def test_shards_of_the_store_are_taken_and_a_shard_made_alone_is_the_same(tmp_path: Path) -> None:
    videos, settings = fetch(tmp_path, 5), ExtractFramesSettings(size=64, shard_clips=2)
    names = shard_list(videos, settings)
    assert len(names) > 2
    for only in names:
        alone = {"store": tmp_path / "store", "only": only}
        result = extract_frames(videos=videos, out=tmp_path / only, settings=settings, runtime=ONE, **alone)
        assert result.counts["tracked_now"] >= 1
    taken = extract_frames(
        videos=videos, out=tmp_path / "taken", settings=settings, runtime=ONE, store=tmp_path / "store"
    )
    assert taken.counts["tracked_now"] == 0
    extract_frames(videos=videos, out=tmp_path / "made", settings=settings, runtime=ONE)
    assert hash_tree(tmp_path / "taken") == hash_tree(tmp_path / "made")


@pytest.mark.usefixtures("square_faces")
def test_a_damaged_or_unmarked_shard_is_made_again(tmp_path: Path) -> None:
    videos = fetch(tmp_path, 2)
    chain(videos, tmp_path, ONE)
    before = hash_tree(tmp_path / "frames")
    with next((tmp_path / "frames").glob("*/frames.npy")).open("r+b") as stream:
        stream.truncate(1000)
    chain(videos, tmp_path, ONE)
    assert hash_tree(tmp_path / "frames") == before


def test_fetch_names_people_by_folder_and_reads_their_source(tmp_path: Path) -> None:
    for name in ("ana/one.mp4", "ana/two.mp4", "ben/one.mp4", "carl.mp4"):
        write_video(tmp_path / "in" / name, walk(2))
    (tmp_path / "in" / "source.yaml").write_text("licence: CC-BY-4.0\nsource: own recording\n")
    (tmp_path / "in" / "ben" / "source.yaml").write_text("consent: withdrawn\n")
    fetch_data(videos=tmp_path / "in", out=tmp_path / "out", settings=FetchDataSettings())
    table = read_table(tmp_path / "out" / "clips.parquet", kind="videos").set_index("clip")
    assert dict(table["identity"]) == {"ana--one": "ana", "ana--two": "ana", "ben--one": "ben", "carl": "carl"}
    assert (table["licence"] == "CC-BY-4.0").all()
    assert table.loc["ben--one", "consent"] == "withdrawn"
    original, brought = tmp_path / "in" / "carl.mp4", tmp_path / "out" / "carl.mp4"
    assert brought.read_bytes() == original.read_bytes()
    assert brought.stat().st_ino != original.stat().st_ino  # nothing done to ours may reach the person's own file


@pytest.mark.usefixtures("square_faces")
def test_a_video_that_can_be_read_only_once_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos = fetch(tmp_path, 2)
    gone = read_table(videos / "clips.parquet", kind="videos")["clip"].iloc[0]
    read = clip_store.numbered_frames
    monkeypatch.setattr(
        clip_store,
        "numbered_frames",
        lambda video, task, beat: () if task.row["clip"] == gone else read(video, task, beat),
    )
    chain(videos, tmp_path, ONE)
    assert gone not in set(read_table(tmp_path / "frames" / "clips.parquet", kind="clips")["clip"])
    notes = read_table(tmp_path / "frames" / "quarantine.parquet", kind="quarantine").set_index("clip")["reason"]
    assert "could not be read a second time" in notes[gone]


# Goes on until the first shard is done, and then never ends.
STUCK_RUN = """
import sys
from contextlib import nullcontext
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import face_videos
from reenact.config import Runtime
from reenact.labelling import backends, guarded
from test_extraction import chain
guarded.guarded_processes = lambda *_, **__: nullcontext(face_videos.ThisProcess())
backends.detector = lambda *_: face_videos.SquareDetector()
class Stuck(face_videos.SquarePredictor):
    def __call__(self, gray, box):
        import time
        while list(Path(sys.argv[2], "frames").glob("[!.]*/done.json")):
            time.sleep(0.05)
        return super().__call__(gray, box)
backends.landmark_predictor = lambda *_: Stuck()
backends.backend_facts = lambda *_: {"backend": "squares"}
chain(Path(sys.argv[1]), Path(sys.argv[2]), Runtime(workers=1))
"""


@pytest.mark.usefixtures("square_faces")
def test_killed_in_the_middle_and_run_again_gives_the_same_corpus(tmp_path: Path) -> None:
    videos = fetch(tmp_path, 4)
    chain(videos, tmp_path / "whole", ONE)
    command = [sys.executable, "-c", STUCK_RUN, str(videos), str(tmp_path / "killed"), str(Path(__file__).parent)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    frames = tmp_path / "killed" / "frames"
    deadline = time.monotonic() + 60
    while not list(frames.glob("[!.]*/done.json")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(frames.glob("[!.]*/done.json"))
    assert not (frames / "stage.json").exists()
    before = {path: stamp for path, stamp in stamps_of(tmp_path / "killed").items() if ".making" not in str(path)}
    chain(videos, tmp_path / "killed", ONE)
    assert before.items() <= stamps_of(tmp_path / "killed").items()
    assert hash_tree(tmp_path / "killed") == hash_tree(tmp_path / "whole")


def real_clips() -> Path:
    """The folder of real videos."""
    folder = os.environ.get("REENACT_REAL_DATA")
    if not folder:
        pytest.skip("REENACT_REAL_DATA names no folder of real videos")
    return Path(folder) / "clips"


@pytest.mark.real
def test_real_clips_give_the_same_corpus_with_one_and_two_workers(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("d0.mp4", "s13.mp4"):
        (tmp_path / "in" / name).write_bytes((real_clips() / name).read_bytes())
    fetch_data(videos=tmp_path / "in", out=tmp_path / "videos", settings=FetchDataSettings())
    for workers in (1, 2):
        chain(tmp_path / "videos", tmp_path / str(workers), Runtime(workers=workers), shard_clips=1, max_frames=40)
    assert hash_tree(tmp_path / "1") == hash_tree(tmp_path / "2")
    corpus = Corpus(tmp_path / "1" / "frames", landmarks=tmp_path / "1" / "landmarks")
    assert [clip.count for clip in corpus.clips] == [40, 40]
    assert all(corpus.found(clip).all() for clip in corpus.clips)


def real_faces(name: str, count: int) -> list[np.ndarray]:
    """The first frames of a real clip, at 320 px."""
    capture = cv2.VideoCapture(str(real_clips() / name))
    return [cv2.cvtColor(cv2.resize(capture.read()[1], (320, 320)), cv2.COLOR_BGR2RGB) for _ in range(count)]


@pytest.mark.real
def test_real_cuts_and_pairs_of_people_are_told_apart(tmp_path: Path) -> None:
    one, other = real_faces("d0.mp4", 60), real_faces("d18.mp4", 40)
    write_video(tmp_path / "in" / "cut.mp4", [*one[:30], *other, *one[30:]])
    write_video(tmp_path / "in" / "pair.mp4", [np.hstack(pair) for pair in zip(one[:40], other, strict=True)])
    fetch_data(videos=tmp_path / "in", out=tmp_path / "videos", settings=FetchDataSettings())
    chain(tmp_path / "videos", tmp_path, ONE, tracks={"people": "all", "recognise": "across"})
    corpus = Corpus(tmp_path / "frames")
    assert {clip.clip: (clip.count, clip.identity) for clip in corpus.clips} == {
        "cut": (40, "cut"), "cut~2": (30, "cut~2"), "cut~3": (30, "cut~2"),
        "pair": (40, "pair"), "pair~2": (40, "pair~2"),
    }  # fmt: skip
    sides = [
        corpus.frame_table(corpus.by_name[name]).eval("crop_x + crop_side / 2 < 320") for name in ("pair", "pair~2")
    ]
    assert [side.nunique() for side in sides] == [1, 1]
    assert sides[0].iloc[0] != sides[1].iloc[0]


@pytest.mark.real
@pytest.mark.parametrize(("colour", "least"), [((40, 60, 160), 0.3), ((60, 120, 60), 0.3), ((15, 15, 15), 0.15)])
def test_what_hides_half_of_a_real_face_is_seen(colour: tuple[int, int, int], least: float) -> None:
    for name in ("d18.mp4", "d3.mp4"):
        frames, colours = real_faces(name, 30), FaceColours()
        found = DlibDetector()(cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY))[0].box
        for frame in frames:
            colours.offer(frame, found)
        usual, hidden = colours.usual(), frames[7].copy()
        hidden[round(found.y0 + 0.6 * found.side) :] = colour
        assert quality(frames[7], found, face_size=1.0, usual=usual).occlusion < 0.05
        assert least < quality(hidden, found, face_size=1.0, usual=usual).occlusion < 0.45
