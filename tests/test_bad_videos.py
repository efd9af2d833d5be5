"""Every kind of bad video ends in quarantine with one sentence; the other clips go on."""

import errno
import subprocess
import sys
import wave
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
from reenact.corpus.video import open_video
from reenact.errors import BadInput, StorageError
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.fetch_data import FetchDataSettings, fetch_data

__all__ = ["square_faces"]
pytestmark = pytest.mark.usefixtures("square_faces")
SETTINGS = ExtractFramesSettings(size=64)


def rows_of(frames: Path) -> pd.DataFrame:
    """The rows of a corpus of one shard."""
    (shard,) = {clip.shard for clip in Corpus(frames).clips}
    return read_rows(frames, shard, kind="frames")


def extract(source: Path, tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    fetch_data(videos=source, out=tmp_path / "videos", settings=FetchDataSettings())
    extract_frames(videos=tmp_path / "videos", out=tmp_path / "frames", settings=SETTINGS, runtime=Runtime(workers=1))
    frames = tmp_path / "frames"
    return read_table(frames / "clips.parquet", kind="clips"), read_table(
        frames / "quarantine.parquet", kind="quarantine"
    )


def write_bad(folder: Path) -> dict[str, str]:
    """One file of each kind; name -> what its sentence must say."""
    good = write_video(folder / "good.mp4", walk(12)).read_bytes()
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("#EXTM3U\nhttp://127.0.0.1:9/none.ts\n")
    (folder / "cut_off.mp4").write_bytes(good[: len(good) * 2 // 3])
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes())
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    (folder / "sound.wav").rename(folder / "sound.mp4")
    (folder / "sound_track.mp4").write_bytes(
        good.replace(b"vide", b"soun").replace(b"vmhd", b"smhd").replace(b"mp4v", b"mp4a")
    )
    write_video(folder / "no_face.mp4", [room(n // 4) for n in range(12)])
    write_video(folder / "one_frame.mp4", walk(1))
    return {
        "empty": "empty", "text": "text file", "cut_off": "cut off", "noise": "can't read", "sound": "sound",
        "sound_track": "sound", "no_face": "no face found in 12 frames", "one_frame": "only one frame could be read",
    }  # fmt: skip


def test_every_bad_file_has_its_sentence_and_the_good_clip_goes_on(tmp_path: Path) -> None:
    expected = write_bad(tmp_path / "in")
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert list(clips["clip"]) == ["good"]
    assert sorted(quarantine["clip"]) == sorted(expected)
    for row in quarantine.itertuples():
        assert expected[row.clip] in row.reason
        assert row.reason.startswith(f"{row.file}: ")
        assert str(tmp_path) not in row.reason


def test_the_libraries_own_noise_is_not_heard(tmp_path: Path) -> None:
    write_bad(tmp_path)
    code = (
        "import sys; from pathlib import Path; from reenact.corpus.video import open_video\n"
        "try:\n    open_video(Path(sys.argv[1])).__enter__()\n"
        "except Exception as error:\n    print(error)"
    )
    # In a process of its own: FFmpeg is told how much to say when it is first used.
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "cut_off.mp4")], capture_output=True, text=True, check=True
    )
    assert "cut off" in ran.stdout
    assert ran.stderr == ""


def test_only_bad_clips_is_an_error_that_repeats_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.mp4").write_bytes(b"")
    with pytest.raises(BadInput, match=r"(?s)not one of 1 clips.*empty\.mp4: the file is empty"):
        extract(tmp_path / "in", tmp_path)
    assert not (tmp_path / "frames" / "stage.json").exists()


def test_a_damaged_stream_gives_the_frames_before_the_damage_and_a_note(tmp_path: Path) -> None:
    path = write_video(tmp_path / "in" / "damaged.avi", walk(40), fourcc="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert 5 < clips["count"].item() < 30
    assert clips["frames_lost"].item() == 0
    assert quarantine.empty or "could be decoded" in quarantine["reason"].item()


def test_odd_sizes_are_no_obstacle(tmp_path: Path) -> None:
    for height, width in ((151, 233), (97, 95)):
        write_video(
            tmp_path / "in" / f"odd{width}.avi",
            walk(6, side=60, height=height, width=width),
            fourcc="MJPG",
            backend=cv2.CAP_OPENCV_MJPEG,
        )
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert quarantine.empty
    assert sorted(clips["width"]) == [95, 233]
    assert (clips["count"] == 6).all()


def test_a_rotated_phone_video_stands_upright(tmp_path: Path) -> None:
    frames = [face_at(room(3), 80, 60) for _ in range(4)]
    path = write_video(tmp_path / "turned.mp4", frames)
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40  # version 0: 40 bytes of times, sizes and layers before the 3x3 matrix
    turn = [0, 0x10000, 0, -0x10000 & 0xFFFFFFFF, 0, 0, 240 << 16, 0, 0x40000000]
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big") for value in turn)
    path.write_bytes(data)
    with open_video(path) as video:
        assert (video.facts.width, video.facts.height) == (240, 320)
        image = next(iter(video))
    assert image.shape == (320, 240, 3)
    clockwise = np.rot90(frames[0], -1)
    assert np.abs(image.astype(float) - clockwise).mean() < 6


def test_two_faces_the_larger_is_followed_and_noted(tmp_path: Path) -> None:
    frames = [face_at(frame, 45, 60, side=66, person=1) for frame in walk(20)]
    write_video(tmp_path / "in" / "pair.mp4", frames)
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert clips["count"].item() == 20
    assert "2 faces at frame 0" in quarantine["reason"].item()
    table = rows_of(tmp_path / "frames")
    centre = table["crop_x"] + table["crop_side"] / 2
    assert centre.between(140, 180).all()


def test_a_cut_to_another_person_keeps_the_longest_stretch(tmp_path: Path) -> None:
    write_video(tmp_path / "in" / "cut.mp4", [*walk(15), *walk(25, seed=8, person=3)])
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert clips["count"].item() == 25
    assert clips["frames_lost"].item() == 15
    reasons = " ".join(quarantine["reason"])
    assert "the clip is frames 15 to 39 (cut at frame 15)" in reasons
    assert "left out, shorter than extract_frames.tracks.min_seconds: frames 0 to 14" in reasons
    assert rows_of(tmp_path / "frames")["frame"].iloc[0] == 15


def test_a_person_who_turns_away_for_a_moment_stays_one_clip(tmp_path: Path) -> None:
    frames = walk(30, side=62)
    for n in range(12, 16):  # a hand before the face
        frames[n] = np.minimum(frames[n], 160)
    write_video(tmp_path / "in" / "away.mp4", frames)
    clips, quarantine = extract(tmp_path / "in", tmp_path)
    assert quarantine.empty
    assert clips["count"].item() == 26
    assert Corpus(tmp_path / "frames").frame_table(Corpus(tmp_path / "frames").clips[0])["frame"].max() == 29


def test_a_full_disk_is_said_in_a_sentence_and_nothing_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reenact.corpus.shards import FrameWriter

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_video(tmp_path / "in" / "good.mp4", walk(6))
    monkeypatch.setattr(FrameWriter, "append", full)
    with pytest.raises(StorageError, match="the disk is full"):
        extract(tmp_path / "in", tmp_path)
    assert [path.name for path in (tmp_path / "frames").iterdir()] == []
    monkeypatch.undo()


def test_a_folder_without_videos_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no videos here .*\.mp4"):
        fetch_data(videos=tmp_path, out=tmp_path / "out", settings=FetchDataSettings())
