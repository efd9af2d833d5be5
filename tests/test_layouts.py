"""Every data set's layout in miniature: which clips it gives, of whom, in which split, and what inspect says of it."""

import json
import pickle
import shlex
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from face_videos import face_at, room, square_faces, write_video
from face_videos import walk as swaying
from reenact.cli import app
from reenact.config import Runtime
from reenact.corpus.annotations import actions_of, annotation_file, landmarks_of
from reenact.corpus.layouts.catalogue import NAMES, choose, layout_named
from reenact.corpus.layouts.found import FoundClip, LayoutOptions
from reenact.corpus.layouts.inspection import as_text, inspect_folder
from reenact.corpus.layouts.names import clip_name
from reenact.corpus.layouts.tree import walk
from reenact.corpus.layouts.w300vw import PARTS
from reenact.corpus.packs import write_pack
from reenact.corpus.shards import read_rows
from reenact.corpus.tables import read_table, write_table
from reenact.corpus.video import open_video
from reenact.errors import BadInput, SettingsError
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.fetch_data import FetchDataSettings, fetch_data

__all__ = ["square_faces"]
POINTS = np.random.default_rng(3).uniform(10, 90, (68, 2)).round(2)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of three small frames."""
    path = write_video(tmp_path_factory.mktemp("clip") / "a.avi", swaying(3, height=96, width=96), fourcc="MJPG")
    return path.read_bytes()


def put(root: Path, data: bytes | str, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def picture(shade: int = 90, *, width: int = 40, height: int = 30, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, np.full((height, width, 3), shade, dtype=np.uint8))[1].tobytes()


def pts(points: np.ndarray) -> str:
    return "version: 1\nn_points: 68\n{\n" + "\n".join(f"{x} {y}" for x, y in points) + "\n}\n"


def found(root: Path, name: str, **options: object) -> dict[str, FoundClip]:
    """By their ids; the layout has to be the one that is recognised."""
    tree = walk(root)
    assert choose(tree) == name
    return {one.clip: one for one in layout_named(name).find(tree, LayoutOptions.parse(options, where="options"))}


def fetched(root: Path, out: Path, **settings: object) -> pd.DataFrame:
    """The table of clips by their ids."""
    fetch_data(videos=root, out=out, settings=FetchDataSettings.parse(settings, where="fetch_data"))
    return read_table(out / "clips.parquet", kind="videos").set_index("clip", drop=False)


def notes(out: Path) -> list[str]:
    return list(read_table(out / "quarantine.parquet", kind="quarantine")["reason"])


# 300VW


def test_300vw_has_its_official_split_and_points_count_from_zero(tmp_path: Path, clip: bytes) -> None:
    root = tmp_path / "300VW_Dataset_2015_12_14"
    put(root, clip, "001/vid.avi", "114/vid.avi", "203/vid.avi", "410/vid.avi", "999/vid.avi")
    put(root, pts(POINTS), "001/annot/000001.pts", "001/annot/000003.pts")
    put(root, "broken", "001/annot/000002.pts")
    table = fetched(tmp_path, tmp_path / "videos")
    assert table["official_split"].to_dict() == {"001": "train", "114": "test", "203": "test", "410": "test", "999": ""}
    assert table["category"].to_dict() == {"001": "", "114": "1", "203": "2", "410": "3", "999": ""}
    labels = landmarks_of(tmp_path / "videos", table.loc["001"])
    assert labels is not None
    assert labels.frames.tolist() == [0, 2]
    np.testing.assert_allclose(labels.values[0], POINTS - 1, atol=1e-4)
    assert any("annot/000002.pts: something else than numbers" in note for note in notes(tmp_path / "videos"))
    assert set(table["licence"]) == {"300VW: research only, ask the iBUG group"}


def test_the_lists_of_300vw_are_those_of_the_benchmark() -> None:
    counts = {part: list(PARTS.values()).count(part) for part in ("train", "1", "2", "3")}
    assert counts == {"train": 50, "1": 31, "2": 19, "3": 14}
    assert len(PARTS) == 114


def test_a_video_with_fewer_frames_than_annotations_is_noted(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "001/vid.avi")
    put(tmp_path / "in", pts(POINTS), *(f"001/annot/{n:06d}.pts" for n in range(1, 6)))
    fetched(tmp_path / "in", tmp_path / "videos")
    assert notes(tmp_path / "videos") == [
        "001/vid.avi: claims 3 frames, its .pts files count 5: paired by number, the rest is bare."
    ]


def test_the_list_of_exclusions_takes_clips_frames_and_files(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "001/vid.avi", "002/vid.avi", "003/vid.avi", "004/vid.avi")
    put(tmp_path / "in", pts(POINTS), "003/annot/000002.pts")
    put(tmp_path / "in", "# left out\n001\n002 1-2 # shaking\n003/annot/000002.pts\nnobody\n", "without.txt")
    table = fetched(tmp_path / "in", tmp_path / "videos", exclude="without.txt")
    assert table["excluded"].to_dict() == {"002": "1-2", "003": "1-1", "004": ""}
    assert notes(tmp_path / "videos")[-1] == "without.txt: nothing here is named nobody."
    with pytest.raises(SettingsError, match=r"exclude: .*none\.txt: there is no such file"):
        fetched(tmp_path / "in", tmp_path / "videos", exclude="none.txt")


# VoxCeleb


def test_voxceleb_videos_of_the_unpacked_archives(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path, clip, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "dev/mp4/id00012/21Uxsk56VDQ/00002.mp4")
    put(tmp_path, clip, "test/mp4/id00017/01dfn2spqyE/00001.mp4")
    put(tmp_path, "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,f ,dev \n", "vox2_meta.csv")
    contents = [(0, POINTS), (2, POINTS)]
    put(tmp_path, pickle.dumps(contents), "land/id00012/21Uxsk56VDQ/00001/points.pickle")
    clips = found(tmp_path, "voxceleb")
    assert sorted(clips) == [
        "id00012--21Uxsk56VDQ--00001", "id00012--21Uxsk56VDQ--00002", "id00017--01dfn2spqyE--00001"
    ]  # fmt: skip
    first = clips["id00012--21Uxsk56VDQ--00001"]
    assert (first.identity, first.official_split) == ("id00012", "train")
    assert dict(first.columns) == {"source_video": "21Uxsk56VDQ", "gender": "f"}
    assert clips["id00017--01dfn2spqyE--00001"].official_split == "test"
    table = fetched(tmp_path, tmp_path.with_name("videos"))
    labels = landmarks_of(tmp_path.with_name("videos"), table.loc[first.clip])
    assert labels is not None
    assert labels.frames.tolist() == [0, 2]


def test_voxceleb_as_loaders_walk_it_with_the_set_from_the_table(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path, clip, "id10001/1zcIwhmdeo4/00001.mp4")
    put(
        tmp_path,
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\nid10001\tA.J._Buckley\tm\tIreland\ttest\n",
        "vox1_meta.csv",
    )
    put(tmp_path, "Identity: id10001\n", "txt/id10001/1zcIwhmdeo4/00001.txt")
    (only,) = found(tmp_path, "voxceleb").values()
    assert only.official_split == "test"
    assert only.columns["nationality"] == "Ireland"
    assert any("txt tracks of 1 persons" in note for note in inspect_folder(tmp_path).facts.notes)


def test_voxceleb1_faces_are_sequences_at_one_a_second(tmp_path: Path) -> None:
    names = [f"unzippedFaces/A.J._Buckley/1.6/1zcIwhmdeo4/{n:07d}.jpg" for n in (25, 50, 100)]
    put(tmp_path, picture(suffix=".jpg"), *names)
    (tmp_path / "unzippedFaces/Nobody/1.6/x").mkdir(parents=True)
    put(tmp_path, "VoxCeleb1 ID\tVGGFace1 ID\tSet\nid10001\tA.J._Buckley\tdev\n", "vox1_meta.csv")
    (only,) = found(tmp_path, "voxceleb_faces").values()
    assert (only.clip, only.identity, only.kind, only.fps) == (
        "A.J._Buckley--1zcIwhmdeo4", "A.J._Buckley", "frames", 1.0
    )  # fmt: skip
    assert only.official_split == "train"
    assert "pictures of 1 videos: their folders are empty" in inspect_folder(tmp_path).facts.missing


# CelebA


@pytest.mark.parametrize(("pictures", "tables", "split"), [
    ("Img/img_align_celeba/", "Anno/", "Eval/"),
    ("img_align_celeba/", "", ""),
    ("img_align_celeba/img_align_celeba/", "", ""),
])  # fmt: skip
def test_celeba_in_every_tree(tmp_path: Path, pictures: str, tables: str, split: str) -> None:
    names = [f"{n:06d}.jpg" for n in range(1, 5)]
    put(tmp_path, picture(suffix=".jpg"), *(f"{pictures}{name}" for name in names), "Img/img_celeba/000009.jpg")
    put(tmp_path, "".join(f"{n} {7 + i // 2}\n" for i, n in enumerate(names)), f"{tables}identity_CelebA.txt")
    put(tmp_path, "".join(f"{n} {i % 3}\n" for i, n in enumerate(names)), f"{split}list_eval_partition.txt")
    put(tmp_path, "4\nlefteye_x lefteye_y\n000001.jpg 1 2\n", f"{tables}list_landmarks_align_celeba.txt")
    clips = found(tmp_path, "celeba")
    assert [clips[f"00000{n}"].identity for n in range(1, 5)] == ["celeba-7", "celeba-7", "celeba-8", "celeba-8"]
    assert [clips[f"00000{n}"].official_split for n in range(1, 5)] == ["train", "val", "test", "train"]
    assert any("five points are not the 68" in line for line in inspect_folder(tmp_path).facts.missing)
    assert list(found(tmp_path, "celeba", pictures="wild")) == ["000009"]


def test_celeba_without_its_identities_says_what_follows(tmp_path: Path) -> None:
    put(tmp_path, picture(suffix=".jpg"), "img_align_celeba/000001.jpg", "img_align_celeba/000002.jpg")
    put(tmp_path, "image_id,partition\n000001.jpg,0\n000002.jpg,2\n", "list_eval_partition.csv")
    seen = inspect_folder(tmp_path)
    assert seen.identities == 2
    assert seen.splits == {"train": 1, "test": 1}
    assert "no two make a pair" in as_text(seen)


def test_odd_names_of_celeba_pictures_become_safe_ones(tmp_path: Path) -> None:
    odd = b"img_align_celeba/my \xff 1.jpg".decode(errors="surrogateescape")
    put(tmp_path / "in", picture(suffix=".jpg"), odd, "img_align_celeba/000001.jpg")
    table = fetched(tmp_path / "in", tmp_path / "videos", layout="celeba")
    assert len(table) == 2
    assert not any(set(name) & set(" \udcff") for name in table["clip"])


# GANimation


def test_ganimations_layout_brings_its_intensities(tmp_path: Path) -> None:
    root, values = tmp_path / "in", {"a": np.arange(17.0) / 4, "b": np.zeros(17)}
    put(root, picture(), "imgs/a.png", "imgs/b.png", "imgs/c.png")
    put(root, pickle.dumps(values, 2), "aus_openface.pkl")
    put(root, "a.png\nc.png\n", "train_ids.csv")
    put(root, "b.png\n", "test_ids.csv")
    assert set(found(root, "ganimation")) == {"a", "b", "c"}
    table = fetched(root, tmp_path / "videos")
    assert table["official_split"].to_dict() == {"a": "train", "b": "test", "c": "train"}
    for name in "ab":
        labels = actions_of(tmp_path / "videos", table.loc[name])
        assert labels is not None
        np.testing.assert_allclose(labels.values, values[name][None])
    assert actions_of(tmp_path / "videos", table.loc["c"]) is None


def test_a_pickle_that_does_more_costs_the_labels_and_is_noted_once(tmp_path: Path) -> None:
    put(tmp_path / "in", picture(), "imgs/a.png", "imgs/b.png")
    put(tmp_path / "in", pickle.dumps(print), "aus_openface.pkl")
    table = fetched(tmp_path / "in", tmp_path / "videos")
    assert list(table["annotation"]) == ["", ""]
    (note,) = notes(tmp_path / "videos")
    assert "labels left out: aus_openface.pkl: " in note
    assert str(tmp_path) not in note


# IJB-C

PROTOCOL = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"


def test_ijbc_groups_the_frames_of_each_subject_and_sighting(tmp_path: Path) -> None:
    put(tmp_path, picture(), "images/img/1.jpg", "images/frames/10.png", "images/frames/9.png", "images/frames/11.png")
    rows = ["1,5,img/1.jpg,1", "1,5,frames/10.png,2", "1,5,frames/9.png,2", "2,6,frames/11.png,3", "2,6,img/77.jpg,4"]
    put(tmp_path, PROTOCOL + "".join(f"{row},0,0,9,9\n" for row in rows), "protocols/ijbc_1N_probe_mixed.csv")
    clips = found(tmp_path, "ijbc")
    assert {name: (one.kind, one.identity, len(one.files)) for name, one in clips.items()} == {
        "5-img-1": ("still", "ijbc-5", 1),
        "5-frames-2": ("frames", "ijbc-5", 2),
        "6-frames-3": ("frames", "ijbc-6", 1),
    }
    assert [path.name for path in clips["5-frames-2"].files] == ["9.png", "10.png"]
    facts = inspect_folder(tmp_path).facts
    assert facts.missing[0] == "1 files that the tables name, for example img/77.jpg"
    assert "full-motion videos" in facts.missing[1]


def test_the_repack_of_ijbc_says_that_it_has_no_video(tmp_path: Path) -> None:
    put(tmp_path, picture(), *(f"IJBC/loose_crop/{n}.jpg" for n in range(1, 6)))
    put(tmp_path, "".join(f"{n}.jpg {n} {n + 100}\n" for n in range(1, 6)), "IJBC/meta/ijbc_face_tid_mid.txt")
    put(tmp_path, "1 2 1\n4 2 1\n1 3 0\n", "IJBC/meta/ijbc_template_pair_label.txt")
    clips = found(tmp_path, "ijbc_repack")
    assert [clips[str(n)].identity for n in range(1, 6)] == ["ijbc-1", "ijbc-1", "ijbc-3", "ijbc-1", "ijbc-5"]
    assert clips["3"].columns["media"] == "103"
    assert "this repack has none" in as_text(inspect_folder(tmp_path))


# FaceForensics++


def test_faceforensics_originals_only_in_the_best_compression(tmp_path: Path, clip: bytes) -> None:
    original = "original_sequences"
    put(tmp_path, clip, f"{original}/youtube/c40/videos/000.mp4", f"{original}/youtube/c23/videos/000.mp4")
    put(tmp_path, clip, f"{original}/youtube/c40/videos/001.mp4", f"{original}/actors/c23/videos/01__walking.mp4")
    put(tmp_path, clip, "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4")
    put(tmp_path, clip, "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4")
    put(tmp_path, json.dumps([["000", "003"]]), "splits/test.json")
    clips = found(tmp_path, "faceforensics")
    assert {name: one.columns["compression"] for name, one in clips.items()} == {
        "youtube-000": "c23", "youtube-001": "c40", "actors-01__walking": "c23"
    }  # fmt: skip
    assert clips["actors-01__walking"].identity == "actors-01"
    assert clips["youtube-000"].official_split == "test"
    assert set(found(tmp_path, "faceforensics", compression="c40")) == {"youtube-000", "youtube-001"}
    assert "2 manipulated videos: there, and not read" in as_text(inspect_folder(tmp_path))


def test_flat_copies_and_extracted_frames_of_faceforensics(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "flat", clip, "original/000.mp4", "Deepfakes/000_003.mp4", "Face2Face/000_003.mp4")
    assert list(found(tmp_path / "flat", "faceforensics")) == ["youtube-000"]
    put(tmp_path / "frames", picture(), *(f"original_sequences/youtube/c23/frames/033/{n}.png" for n in range(3)))
    (only,) = found(tmp_path / "frames", "faceforensics", fps=30.0).values()
    assert (only.clip, only.kind, only.fps, len(only.files)) == ("youtube-033", "frames", 30.0, 3)


# RaFD and Multi-PIE


def test_rafd_names_say_everything(tmp_path: Path) -> None:
    put(tmp_path, picture(suffix=".jpg"), "Rafd090_01_Caucasian_female_angry_frontal.jpg")
    put(tmp_path, picture(suffix=".jpg"), "Rafd045_73_Moroccan_male_happy_left.jpg", "readme_1.jpg")
    clips = found(tmp_path, "rafd")
    assert [one.identity for one in clips.values()] == ["rafd-73", "rafd-01"]
    assert dict(clips["Rafd045_73_Moroccan_male_happy_left"].columns) == {
        "emotion": "happy", "gaze": "left", "camera": "045", "camera_turn": "45", "gender": "male", "group": "Moroccan"
    }  # fmt: skip
    assert "8038 of 8040 pictures" in inspect_folder(tmp_path).facts.missing


def test_multipie_names_give_session_camera_and_light(tmp_path: Path) -> None:
    put(tmp_path, picture(), "001/01/05_1/001_01_01_051_05.png", "001/01/08_0/001_01_01_080_07.png")
    clips = found(tmp_path, "multipie")
    assert {one.identity for one in clips.values()} == {"multipie-001"}
    assert dict(clips["001_01_01_080_07"].columns) == {
        "session": "01", "recording": "01", "camera": "080", "camera_yaw": "-45", "light": "07"
    }  # fmt: skip


# People's own


def test_videos_side_by_side_are_people_of_their_own(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "a.mp4", "a.avi", "A.mkv", "my video.mp4")
    table = fetched(tmp_path / "in", tmp_path / "videos")
    assert sorted(table["clip"]) == ["A", "a-avi", "a-mp4", "my_video"]
    assert table["identity"].nunique() == 4


def test_one_folder_per_person_and_official_folders_above(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "a", clip, "ana/1.mp4", "ana/holiday/2.mp4", "solo.mp4")
    clips = found(tmp_path / "a", "people")
    assert {name: one.identity for name, one in clips.items()} == {
        "ana--1": "ana", "ana--holiday--2": "ana", "solo": ""
    }  # fmt: skip
    put(tmp_path / "b", clip, "train/ana/1.mp4", "test/bo/1.mp4")
    clips = found(tmp_path / "b", "people")
    assert {one.identity: one.official_split for one in clips.values()} == {"ana": "train", "bo": "test"}


def test_the_openface_file_beside_a_video_comes_along(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "a.mp4", "b.mp4")
    put(tmp_path / "in", "frame, face_id, timestamp, confidence, success\n1, 0, 0, 0.9, 1\n", "a.csv")
    put(tmp_path / "in", "some,other,table\n", "b.csv")
    table = fetched(tmp_path / "in", tmp_path / "videos")
    path = annotation_file(tmp_path / "videos", table.loc["a"], ".csv")
    assert path is not None
    assert path.read_bytes() == (tmp_path / "in" / "a.csv").read_bytes()
    assert table.loc["b", "annotation"] == ""


def test_numbered_pictures_become_one_file_with_their_own_bytes(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        put(tmp_path / "in", picture(20 * number), f"ana/one/frame{number}.png")
    put(tmp_path / "in", pts(POINTS), "ana/one/frame10.pts")
    table = fetched(tmp_path / "in", tmp_path / "videos", options={"fps": 12.5})
    (row,) = table.to_dict("records")
    assert (row["identity"], row["kind"], row["file"]) == ("ana", "frames", "ana--one.zip")
    with zipfile.ZipFile(tmp_path / "videos" / row["file"]) as pack:
        assert pack.namelist() == ["frame1.png", "frame2.png", "frame10.png"]
        assert pack.read("frame2.png") == picture(40)
    with open_video(tmp_path / "videos" / row["file"]) as video:
        assert (video.facts.fps, video.facts.frames) == (12.5, 3)
        assert [(n, int(image[0, 0, 0])) for n, image in video.numbered()] == [(0, 20), (1, 40), (2, 200)]
    labels = landmarks_of(tmp_path / "videos", row)
    assert labels is not None
    assert labels.frames.tolist() == [2]


def test_one_more_still_changes_one_pack_and_no_other_row(tmp_path: Path) -> None:
    put(tmp_path / "in", picture(50), *(f"p{n}/face{n}x.png" for n in range(40)))
    before = fetched(tmp_path / "in", tmp_path / "a")
    put(tmp_path / "in", picture(60), "p99/new.png")
    after = fetched(tmp_path / "in", tmp_path / "b")
    pd.testing.assert_frame_equal(before, after.drop("p99--new"))
    same = [path.name for path in (tmp_path / "a" / "stills").iterdir()
            if path.read_bytes() == (tmp_path / "b" / "stills" / path.name).read_bytes()]  # fmt: skip
    assert len(same) >= len(list((tmp_path / "a" / "stills").iterdir())) - 1
    row = after.loc["p99--new"]
    with open_video(tmp_path / "b" / row["file"], row["member"]) as video:
        assert [int(image[0, 0, 0]) for image in video] == [60]


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    put(tmp_path / "in", picture(50), *(f"p/{n}.png" for n in range(5)))
    first, second = fetched(tmp_path / "in", tmp_path / "a"), fetched(tmp_path / "in", tmp_path / "b")
    pd.testing.assert_frame_equal(first, second)


# Bad pictures


def huge_png() -> bytes:
    data = bytearray(picture())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)


def test_a_pack_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for shades in ((10,), (20, 30)):
        write_pack(path, [(f"{n}.png", picture(shade)) for n, shade in enumerate(shades)])
        with open_video(path) as video:
            assert [int(frame[0, 0, 0]) for frame in video] == list(shades)
    with pytest.raises(BadInput, match=r"no picture 2\.png"), open_video(path, "2.png"):
        pass


def test_damaged_pictures_keep_the_numbers_of_the_others(tmp_path: Path) -> None:
    parts = [b"", picture()[:40], picture(10), b"no picture at all", huge_png(), picture(80), picture(90, width=44)]
    for number, data in enumerate(parts):
        put(tmp_path / "in", data, f"ana/{number}.png")
    table = fetched(tmp_path / "in", tmp_path / "videos")
    with open_video(tmp_path / "videos" / table["file"].item()) as video:
        assert [(number, int(image[0, 0, 0])) for number, image in video.numbered()] == [(2, 10), (5, 80)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (picture()[:45], "damaged"),
        (b"GIF89a....", "no picture that is read here"),
        (huge_png(), "claims 60000x60000 pixels"),
        (picture(suffix=".jpg")[:9], "no picture that is read here"),
    ],
)
def test_a_bad_still_is_refused_with_its_name(tmp_path: Path, data: bytes, says: str) -> None:
    put(tmp_path / "in", data, "ana/one.png")
    table = fetched(tmp_path / "in", tmp_path / "videos", layout="pictures")
    row = table.iloc[0]
    with pytest.raises(BadInput, match=rf"ana--one\.png: .*{says}"), open_video(
        tmp_path / "videos" / row["file"], row["member"]
    ):  # fmt: skip
        pass


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_the_size_in_the_header_is_that_of_the_picture(suffix: str) -> None:
    from reenact.corpus.packs import picture_size

    assert picture_size(picture(width=37, height=21, suffix=suffix)) == (37, 21)


# Names, links, trials


@pytest.mark.parametrize(
    ("parts", "safe"),
    [
        (("ana", "1"), "ana--1"),
        (("my video",), "my_video"),
        (("Zoë",), "Zoë"),
        (("..", "..", "etc"), None),
        (("a~2",), None),
        (("-rf",), None),
        (("x" * 300,), None),
        (("bad\nname",), "bad_name"),
        (("\udcff",), None),
        (("a/b\\c:d",), None),
    ],
)
def test_names_of_clips_are_safe_as_files(parts: tuple[str, ...], safe: str | None) -> None:
    name = clip_name(*parts)
    assert name == clip_name(*parts)
    assert len(name.encode()) <= 130
    assert not set(name) & set("/\\~\n: ")
    assert name[0] not in ".-"
    if safe:
        assert name == safe
    else:
        assert name != clip_name(*parts[:-1], parts[-1] + "!")


def test_links_are_followed_once_and_dead_ones_are_said(tmp_path: Path, clip: bytes) -> None:
    root = tmp_path / "in"
    put(root, clip, "ana/1.mp4")
    put(tmp_path / "elsewhere", clip, "2.mp4")
    (root / "bo").symlink_to(tmp_path / "elsewhere")
    (root / "ana" / "up").symlink_to(root)
    (root / "gone.mp4").symlink_to(tmp_path / "nothing")
    table = fetched(root, tmp_path / "videos")
    assert table["identity"].to_dict() == {"ana--1": "ana", "bo--2": "bo"}
    assert notes(tmp_path / "videos") == ["gone.mp4: no file: a link to nothing, a pipe, or closed to us."]


def test_a_trial_takes_the_same_few_and_some_of_every_split(tmp_path: Path) -> None:
    names = [f"{split}/{split}{n}/{i}x{i}.png" for split, count in (("train", 30), ("test", 5)) for n in range(count)
             for i in range(3)]  # fmt: skip
    put(tmp_path / "in", picture(), *names)
    settings = {"layout": "pictures", "limit": {"identities": 10, "clips": 2}}
    table = fetched(tmp_path / "in", tmp_path / "a", **settings)
    assert table.equals(fetched(tmp_path / "in", tmp_path / "b", **settings))
    people = table.groupby("official_split")["identity"].nunique().to_dict()
    assert people["test"] >= 1
    assert 8 <= people["train"] <= 10
    assert (table.groupby(["official_split", "identity"]).size() == 2).all()


def test_rights_are_those_of_the_nearest_source_file(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "ana/a/1.mp4", "bo/1.mp4")
    put(tmp_path / "in", "licence: CC0-1.0\ncontact: us@example.org\n", "source.yaml")
    put(tmp_path / "in", "consent: true\nlicence: own\n", "ana/source.yaml")
    table = fetched(tmp_path / "in", tmp_path / "videos")
    assert table.loc["ana--a--1", ["licence", "consent", "contact"]].tolist() == ["own", "True", "us@example.org"]
    assert table.loc["bo--1", ["licence", "consent", "contact"]].tolist() == ["CC0-1.0", "", "us@example.org"]


def test_what_was_fetched_can_be_fetched_from(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", picture(), "imgs/a.png")
    put(tmp_path / "in", pickle.dumps({"a": np.ones(17)}), "aus_openface.pkl")
    fetched(tmp_path / "in", tmp_path / "a")
    row = fetched(tmp_path / "a", tmp_path / "b").loc["a"]
    assert (tmp_path / "b" / row["file"]).stat().st_nlink == 1, "what is not drawn is copied"
    assert actions_of(tmp_path / "b", row) is not None
    with open_video(tmp_path / "b" / row["file"], row["member"]) as video:
        assert len(list(video)) == 1


def test_a_table_that_names_files_elsewhere_is_refused(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path / "in", clip, "a.avi")
    put(tmp_path, clip, "secret.avi")
    fetched(tmp_path / "in", tmp_path / "given")
    table = read_table(tmp_path / "given" / "clips.parquet", kind="videos")
    for changes, says in (
        ({"file": "../secret.avi"}, r"\.\./secret\.avi: a path that leads out of the folder"),
        ({"file": str(tmp_path / "secret.avi")}, "an absolute path"),
        ({"annotation": "../secret.avi"}, "leads out of the folder"),
        ({"file": "gone.avi"}, "gone.avi: there is no such file"),
    ):
        write_table(tmp_path / "given" / "clips.parquet", table.assign(**changes), kind="videos")
        with pytest.raises(BadInput, match=says):
            fetched(tmp_path / "given", tmp_path / "out" / "videos")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "in", "out", "secret.avi"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("head", [b"#EXTM3U\n", b"ffconcat version 1.0\n"])
def test_a_playlist_is_no_video_even_with_other_bytes_in_it(tmp_path: Path, head: bytes) -> None:
    put(tmp_path, head + b"# \x01\nfile 'other.mp4'\n", "a.mp4")
    with pytest.raises(BadInput, match="a text file"), open_video(tmp_path / "a.mp4"):
        pass


# Inspect


def test_inspect_says_what_to_use(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path, clip, "ana/1.mp4", "ana/2.mp4", "bo/1.mp4")
    put(tmp_path, b"", "bo/empty.mp4")
    said = CliRunner().invoke(app, ["data", "inspect", str(tmp_path)]).stdout
    for line in (
        "one folder of videos per person, layout people",
        "identities  2",
        "clips       4 videos",
        "frames      9 (as the containers claim)",
        "bo/empty.mp4: the file is empty",
        f"-S fetch_data.videos={tmp_path}",
    ):
        assert line in said
    as_json = json.loads(CliRunner().invoke(app, ["data", "inspect", str(tmp_path), "--json"]).stdout)
    assert as_json["identities"] == 2
    assert as_json["layout"] == "people"


def test_inspect_of_nothing_is_an_error(tmp_path: Path) -> None:
    put(tmp_path, "hello", "readme.txt")
    result = CliRunner().invoke(app, ["data", "inspect", str(tmp_path)])
    assert isinstance(result.exception, BadInput)
    assert "no videos here and no pictures" in str(result.exception)
    with pytest.raises(BadInput, match="nothing to use as CelebA"):
        inspect_folder(tmp_path, "celeba")
    with pytest.raises(SettingsError, match="no layout 'celebs'; did you mean \"celeba\""):
        inspect_folder(tmp_path, "celebs")


def test_many_videos_are_sampled_and_scaled_up(tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reenact.corpus.layouts.inspection.SAMPLED", 4)
    put(tmp_path, clip, *(f"{n}.mp4" for n in range(10)))
    seen = inspect_folder(tmp_path)
    assert (seen.frames, seen.asked) == (30, 4)
    assert "estimated from 4 of 10 videos" in as_text(seen)


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_names_settings_that_exist(name: str, tmp_path: Path) -> None:
    from reenact.cli.options import load

    put(tmp_path, picture(), "x.png")
    facts = layout_named(name).facts(walk(tmp_path), LayoutOptions())
    load(Path(__file__).parent.parent / "params.yaml", "", list(facts.settings))


# Into the corpus


def extracted(root: Path, tmp_path: Path, **settings: object) -> pd.DataFrame:
    fetched(root, tmp_path / "videos", **settings)
    wanted = ExtractFramesSettings(size=64)
    extract_frames(videos=tmp_path / "videos", out=tmp_path / "frames", settings=wanted, runtime=Runtime(workers=1))
    return read_table(tmp_path / "frames" / "clips.parquet", kind="clips").set_index("clip")


def still(frame: np.ndarray) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.mark.usefixtures("square_faces")
def test_a_still_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    for name, frame in zip("ab", swaying(2), strict=True):
        put(tmp_path / "in", still(frame), f"ana/{name}.png")
    clips = extracted(tmp_path / "in", tmp_path)
    assert clips["count"].to_dict() == {"ana--a": 1, "ana--b": 1}
    assert set(clips["kind"]) == {"still"}
    assert set(clips["identity"]) == {"ana"}


@pytest.mark.usefixtures("square_faces")
def test_pictures_seconds_apart_are_one_clip_wherever_the_face_is(tmp_path: Path) -> None:
    places = ((70, 80), (240, 110), (90, 80), (200, 60))
    for number, (x, side) in enumerate(places):
        put(tmp_path / "in", still(face_at(room(number), x, 120, side)), f"ana/{number}.png")
    clips = extracted(tmp_path / "in", tmp_path, options={"fps": 1.0})
    assert clips["count"].to_dict() == {"ana": 4}
    crops = read_rows(tmp_path / "frames", clips["shard"].item(), kind="frames")["crop_side"]
    alone = crops / [side for _, side in places]
    assert alone.max() < 1.05 * alone.min(), "each crop goes by its own face's size"


@pytest.mark.usefixtures("square_faces")
def test_excluded_frames_are_not_stored(tmp_path: Path) -> None:
    for number, frame in enumerate(swaying(8)):
        put(tmp_path / "in", still(frame), f"ana/{number}.png")
    put(tmp_path / "in", "ana 6-7\nana/0.png\n", "without.txt")
    assert extracted(tmp_path / "in", tmp_path, exclude="without.txt")["count"].to_dict() == {"ana": 5}


def test_recommended_settings_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path, clip: bytes) -> None:
    from reenact.params import read_raw

    (tmp_path / "params.yaml").write_text("profile: demo\n")
    for name in ("2021", "no", "my #1 videos: it's", "Ana Böhm", "[x]"):
        put(tmp_path / name, clip, "ben.mp4")
        seen = inspect_folder(tmp_path / name, name=name)
        last = as_text(seen).rpartition("use:")[2]
        flag, setting = shlex.split(last)
        assert flag == "-S"
        assert read_raw(tmp_path / "params.yaml", overrides=[setting])["fetch_data"]["videos"] == name


def test_a_source_file_in_a_persons_folder_is_not_called_unknown(tmp_path: Path, clip: bytes) -> None:
    put(tmp_path, clip, "ana/1.mp4", "ben/1.mp4")
    assert "licence     not known" in as_text(inspect_folder(tmp_path))
    put(tmp_path, "licence: CC0\n", "ana/source.yaml")
    assert "licence     as source.yaml says" in as_text(inspect_folder(tmp_path))
