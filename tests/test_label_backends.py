"""Landmarks and action units from files beside the videos and from programs of the user's."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from label_folders import (
    SIZE,
    clip_rows,
    face_in_video,
    in_crop,
    list_videos,
    make_folders,
    openface_row,
    written,
)  # fmt: skip
from reenact import hashing
from reenact.config import Runtime
from reenact.corpus.annotations import ACTIONS, LANDMARKS, Annotation, write_annotation
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import frame_writer, read_array, read_stage, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.faces.actions import ACTION_UNITS
from reenact.labelling import action_labels, external
from reenact.labelling.clip_frames import ClipFrames, shard_clips
from reenact.labelling.external import ExternalSettings
from reenact.labelling.geometry import detector_like_box, spread
from reenact.labelling.openface_csv import read_openface, rows_of_track
from reenact.labelling.synthetic.drawing import FIRST_IDENTITY, draw_person, together
from reenact.labelling.synthetic.reading import Reading
from reenact.stages.label_actions import LabelActionsSettings, label_actions
from reenact.stages.label_landmarks import LabelLandmarksSettings, label_landmarks


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Two clips in one shard; the videos' folder names no annotations yet."""
    return make_folders(tmp_path)


def clips_of(folders: dict[str, Path]) -> list[ClipFrames]:
    return list(shard_clips(folders["frames"], "s0", clip_rows(), videos=folders["videos"]))


def labelled(folders: dict[str, Path], **settings: Any) -> tuple[Corpus, tuple[str, ...]]:
    result = label_landmarks(
        **folders, settings=LabelLandmarksSettings.parse(settings, where="label_landmarks"), runtime=Runtime(workers=1)
    )
    return Corpus(folders["frames"], landmarks=folders["out"]), result.notes


def with_actions(folders: dict[str, Path], **settings: Any) -> tuple[Corpus, tuple[str, ...]]:
    """Action units of a backend, on whichever landmarks there are."""
    out = folders["out"].parent / "actions"
    result = label_actions(
        frames=folders["frames"], landmarks=folders["out"], videos=folders["videos"], out=out,
        settings=LabelActionsSettings.parse(settings, where="label_actions"), runtime=Runtime(workers=1),
    )  # fmt: skip
    return Corpus(folders["frames"], landmarks=folders["out"], actions=out), result.notes


# OpenFace's files


def without(row: dict[str, float], *beginnings: str) -> dict[str, float]:
    return {name: value for name, value in row.items() if not name.startswith(beginnings)}


def test_a_full_file_is_read_by_name(tmp_path: Path) -> None:
    file = read_openface(written(tmp_path / "a.csv", [openface_row(n) for n in range(3)]))
    assert file.mode == "FeatureExtraction 2"
    assert file.frame.tolist() == [0, 1, 2]
    assert file.actions is not None
    assert file.landmarks is not None
    np.testing.assert_allclose(file.actions[1], np.arange(17) / 10 + 0.01, atol=1e-4)
    np.testing.assert_allclose(file.pose, np.degrees([[0.1, -0.2, 0.05]] * 3), atol=1e-2)
    np.testing.assert_allclose(file.landmarks[0], face_in_video(), atol=1e-3)


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_columns_does_not_matter(tmp_path: Path, order: int) -> None:
    rows = [dict(list(openface_row(n).items())[::order]) for n in range(2)]
    file = read_openface(written(tmp_path / "a.csv", rows))
    assert file.actions is not None
    assert file.actions[1, 3] == pytest.approx(0.31)


def test_units_alone_an_old_file_and_single_pictures_are_told_apart(tmp_path: Path) -> None:
    units = [without(openface_row(n), "x_", "y_", "pose", "gaze") for n in range(2)]
    assert read_openface(written(tmp_path / "a.csv", units)).landmarks is None
    old = read_openface(written(tmp_path / "b.csv", [openface_row(n, face=None) for n in range(2)]))
    assert (old.mode, old.frame.tolist()) == ("FeatureExtraction 1", [0, 1])
    picture = {"face": 0.0, **without(openface_row(0), "frame", "face_id", "timestamp", "success")}
    still = read_openface(written(tmp_path / "c.csv", [picture]))
    assert (still.mode, still.frame.tolist(), still.success.all()) == ("FaceLandmarkImg", [0], True)


def test_angles_in_degrees_are_seen_and_a_file_that_counts_from_0_too(tmp_path: Path) -> None:
    rows = [openface_row(n - 1, pose_Rx=-8.0, pose_Ry=20.0, pose_Rz=1.0) for n in range(3)]
    file = read_openface(written(tmp_path / "a.csv", rows))
    np.testing.assert_allclose(file.pose, [[-8, 20, 1]] * 3)
    assert file.frame.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("missing", "said"),
    [(("AU10_r", "AU23_r"), "AU10_r, AU23_r missing"), (tuple(f"{n}_r" for n in ACTION_UNITS), "presences only"),
     (("confidence",), "no column confidence"), (("pose_Ry",), "pose_Ry missing"), (("frame",), "neither")],
)  # fmt: skip
def test_a_missing_name_is_an_error_that_says_it(tmp_path: Path, missing: tuple[str, ...], said: str) -> None:
    row = {name: value for name, value in openface_row(0).items() if name not in missing}
    with pytest.raises(BadInput, match=said):
        read_openface(written(tmp_path / "a.csv", [row]))


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x10" * 500, b"a,b\n1,2\n", b"frame, confidence, success\n", b"{}"])
def test_what_is_no_file_of_openface_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.csv"):
        read_openface(tmp_path / "a.csv")


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [openface_row(n) for n in range(5)])
    text = path.read_text()
    path.write_text(text[: int(len(text) * 0.9)])
    file = read_openface(path)
    assert file.actions is not None
    assert file.frame.tolist()[:4] == [0, 1, 2, 3]
    assert np.isnan(file.actions[-1]).any()


def test_of_several_faces_the_tracked_one_is_taken(tmp_path: Path) -> None:
    rows = [openface_row(n, shift=500.0 * face, face=face) for n in range(3) for face in (1, 0)]
    path = written(tmp_path / "a.csv", rows)
    file = read_openface(path)
    low, high = face_in_video().min(axis=0), face_in_video().max(axis=0)
    box = np.concatenate([low, high])
    frames = np.array([0, 1, 2, 7])
    rows_here = rows_of_track(file, path, frames, np.tile(box, (4, 1)))
    assert file.face[rows_here[:3]].tolist() == [0, 0, 0]
    assert rows_here[3] == -1
    assert (
        file.face[rows_of_track(file, path, frames, np.tile(box + np.array([500, 0, 500, 0]), (4, 1)))[:3]].tolist()
        == [1] * 3
    )
    assert (rows_of_track(file, path, frames, np.tile(box + 2000, (4, 1))) == -1).all()


def test_several_faces_without_points_are_refused(tmp_path: Path) -> None:
    rows = [without(openface_row(0, face=face), "x_", "y_") for face in (0, 1)]
    path = written(tmp_path / "a.csv", rows)
    with pytest.raises(BadInput, match="-2Dfp"):
        rows_of_track(read_openface(path), path, np.array([0]), np.array([[0.0, 0, 9, 9]]))


def test_commas_at_the_end_of_rows_move_no_column(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [openface_row(n) for n in range(3)])
    whole = read_openface(path)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{row}, 7, 8" for row in rows)]) + "\n")
    file = read_openface(path)
    assert file.actions is not None
    assert whole.actions is not None
    np.testing.assert_array_equal(file.confidence, whole.confidence)
    np.testing.assert_array_equal(file.actions, whole.actions)


def test_landmarks_of_openface_are_mapped_into_the_crop_and_unsure_frames_not_found(folders: dict[str, Path]) -> None:
    rows = [openface_row(n, shift=n, confidence=0.5 if n == 4 else 0.9, success=float(n != 5)) for n in range(7)]
    written(folders["videos"] / "ana.csv", rows)
    list_videos(folders["videos"], ana="ana.csv")
    corpus, notes = labelled(folders, backend="openface_csv")
    ana, ben = corpus.clips
    assert corpus.found(ana).tolist() == [True, True, True, False, False, True]
    np.testing.assert_allclose(corpus.landmarks(ana)[2], in_crop(face_in_video(2)), atol=1e-4)
    np.testing.assert_allclose(corpus.landmarks(ana)[5], in_crop(face_in_video(6)), atol=1e-4)
    assert not corpus.found(ben).any()
    assert np.isfinite(corpus.landmarks(ben)).all()
    assert notes == ("ben: no OpenFace file beside the video",)


def test_action_units_of_openface_go_by_frame_number(folders: dict[str, Path]) -> None:
    rows = [openface_row(n, confidence=0.5 if n == 5 else 0.9) for n in range(7)]
    written(folders["videos"] / "ana.csv", rows)
    list_videos(folders["videos"], ana="ana.csv")
    ana, ben = action_labels.from_openface(clips_of(folders), least_confidence=0.8)
    assert ana.valid.tolist() == [True, True, True, True, False, True]
    # Frames 0, 1, 2, 4, 5, 6; the fifth lies between its neighbours.
    np.testing.assert_allclose(ana.actions[:, 2], 0.2 + np.array([0, 1, 2, 4, 5, 6]) / 100, atol=1e-4)
    assert ana.pose is not None
    np.testing.assert_allclose(ana.pose[0], np.degrees([0.1, -0.2, 0.05]), atol=1e-2)
    assert not ben.valid.any()
    assert ben.problem


def test_the_stage_takes_units_and_pose_of_openface_where_it_was_sure(folders: dict[str, Path]) -> None:
    rows = [openface_row(n, confidence=0.5 if n == 5 else 0.9) for n in range(7)]
    written(folders["videos"] / "ana.csv", rows)
    list_videos(folders["videos"], ana="ana.csv")
    labelled(folders, backend="openface_csv", min_confidence=0.4)
    corpus, notes = with_actions(folders, backend="openface_csv")
    ana, ben = corpus.clips
    assert corpus.found(ana).tolist() == [True, True, True, True, False, True]
    assert not corpus.found(ben).any()
    np.testing.assert_allclose(corpus.actions(ana)[:, 2], 0.2 + np.array([0, 1, 2, 4, 5, 6]) / 100, atol=1e-4)
    np.testing.assert_allclose(corpus.pose(ana)[0], np.degrees([0.1, -0.2, 0.05]), atol=1e-2)
    assert notes == ("ben: no OpenFace file beside the video",)
    facts = read_stage(folders["out"].parent / "actions", kind="actions")
    assert facts["modes"] == ["FeatureExtraction 2"]
    assert "research only" in facts["licence"]


def test_the_fit_and_another_backend_stand_on_one_shape(folders: dict[str, Path]) -> None:
    rows = [openface_row(n) for n in range(7)]
    written(folders["videos"] / "ana.csv", rows)
    list_videos(folders["videos"], ana="ana.csv")
    labelled(folders, backend="openface_csv")
    fitted, _ = with_actions(folders)
    ana, ben = fitted.clips
    assert fitted.found(ana).all()
    solid, shapes = np.array(fitted.landmarks3d(ana)), fitted.shapes()
    other, _ = with_actions(folders, backend="openface_csv")
    np.testing.assert_array_equal(other.landmarks3d(ana), solid)
    pd.testing.assert_frame_equal(other.shapes(), shapes)
    assert np.isfinite(other.actions(ben)).all()


def test_a_changed_openface_file_is_read_again_and_an_unchanged_one_not(folders: dict[str, Path]) -> None:
    def made(confidence: float) -> bool:
        written(folders["videos"] / "ana.csv", [openface_row(n, confidence=confidence) for n in range(7)])
        corpus, _ = with_actions(folders, backend="openface_csv")
        return bool(corpus.found(corpus.clips[0]).any())

    written(folders["videos"] / "ana.csv", [openface_row(n) for n in range(7)])
    list_videos(folders["videos"], ana="ana.csv")
    labelled(folders, backend="openface_csv")
    assert [made(0.9), made(0.9), made(0.1)] == [True, True, False]


@pytest.mark.real
def test_openfaces_own_file_lies_on_our_own_landmarks() -> None:
    folder = os.environ.get("REENACT_REAL_DATA")
    if not folder:
        pytest.skip("REENACT_REAL_DATA is not set")
    file = read_openface(Path(folder) / "openface" / "00116.csv")
    assert file.mode == "FeatureExtraction 2"
    assert file.trusted(0.8).all()
    assert len(file.frame) == 498
    assert file.pose is not None
    assert np.abs(file.pose).max() < 45
    assert file.actions is not None
    assert file.actions.max(axis=0)[ACTION_UNITS.index("AU45")] > 1


# The data set's own files


def test_landmarks_of_files_are_placed_by_frame_number(folders: dict[str, Path]) -> None:
    points = np.stack([face_in_video(n) - 0.5 for n in (1, 4, 9)]).astype(np.float32)
    annotation = Annotation(frames=np.array([1, 4, 9]), values=points)
    write_annotation(folders["videos"] / f"ana{LANDMARKS}", "points", [("", annotation)])
    list_videos(folders["videos"], ana=f"ana{LANDMARKS}")
    corpus, notes = labelled(folders, backend="files")
    ana = corpus.clips[0]
    assert corpus.found(ana).tolist() == [False, True, False, True, False, False]
    np.testing.assert_allclose(corpus.landmarks(ana)[3], in_crop(face_in_video(4)), atol=1e-4)
    assert notes == ("ben: the data set has no landmarks of it",)
    assert "data set" in read_stage(folders["out"], kind="landmarks")["licence"]


def test_changed_files_are_read_again_and_unchanged_ones_not(folders: dict[str, Path]) -> None:
    def write(shift: float) -> None:
        values = np.stack([face_in_video(shift) - 0.5] * 7).astype(np.float32)
        annotation = Annotation(frames=np.arange(7), values=values)
        write_annotation(folders["videos"] / f"ana{LANDMARKS}", "points", [("", annotation)])

    def run() -> float:
        settings = LabelLandmarksSettings(backend="files")
        return label_landmarks(**folders, settings=settings, runtime=Runtime(workers=1)).counts["shards_now"]

    write(0.0)
    list_videos(folders["videos"], ana=f"ana{LANDMARKS}")
    assert [run(), run()] == [1, 0]
    write(3.0)
    assert run() == 1


@pytest.mark.parametrize("part", ["faces", "annotations.py", "label_landmarks.py", "labelling"])
def test_edited_code_that_labels_stand_on_makes_them_again(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    original = hashing._hash_source
    labelled(folders, backend="files")
    before = read_stage(folders["out"], kind="landmarks")["shards"]
    monkeypatch.setattr(hashing, "_hash_source", lambda path: "edited" if path.name == part else original(path))
    labelled(folders, backend="files")
    assert read_stage(folders["out"], kind="landmarks")["shards"] != before


def test_points_far_outside_the_crop_are_another_face(folders: dict[str, Path]) -> None:
    values = np.stack([face_in_video(400.0)] * 7).astype(np.float32)
    annotation = Annotation(frames=np.arange(7), values=values)
    write_annotation(folders["videos"] / f"ana{LANDMARKS}", "points", [("", annotation)])
    list_videos(folders["videos"], ana=f"ana{LANDMARKS}")
    assert not labelled(folders, backend="files")[0].found(Corpus(folders["frames"]).clips[0]).any()


def test_a_damaged_annotation_costs_its_clip_only(folders: dict[str, Path]) -> None:
    values = np.stack([face_in_video() - 0.5] * 3).astype(np.float32)
    write_annotation(folders["videos"] / f"ben{LANDMARKS}", "points",
                     [("", Annotation(frames=np.arange(3), values=values))])  # fmt: skip
    (folders["videos"] / f"ana{LANDMARKS}").write_bytes(b"PK\x03\x04 cut off")
    list_videos(folders["videos"], ana=f"ana{LANDMARKS}", ben=f"ben{LANDMARKS}")
    corpus, (note,) = labelled(folders, backend="files")
    assert corpus.found(corpus.clips[1]).all()
    assert "ana.landmarks.npz" in note


def test_units_of_files_have_no_pose(folders: dict[str, Path]) -> None:
    values = np.tile(np.linspace(0, 4, 17), (2, 1)).astype(np.float32)
    write_annotation(folders["videos"] / f"ben{ACTIONS}", "actions",
                     [("", Annotation(frames=np.array([0, 2]), values=values))])  # fmt: skip
    list_videos(folders["videos"], ben=f"ben{ACTIONS}")
    _, ben = action_labels.from_files(clips_of(folders))
    assert ben.valid.tolist() == [True, False, True]
    assert ben.pose is None
    np.testing.assert_allclose(ben.actions[1], values[0], atol=1e-6)


def test_units_of_files_leave_the_pose_to_the_fit(folders: dict[str, Path]) -> None:
    points = np.stack([face_in_video() - 0.5] * 3).astype(np.float32)
    units = np.tile(np.linspace(0, 4, 17), (2, 1)).astype(np.float32)
    beside = {LANDMARKS: ("points", Annotation(frames=np.arange(3), values=points)),
              ACTIONS: ("actions", Annotation(frames=np.array([0, 2]), values=units))}  # fmt: skip
    for suffix, (name, annotation) in beside.items():
        write_annotation(folders["videos"] / f"ben{suffix}", name, [("", annotation)])
    list_videos(folders["videos"], ben=" ".join(f"ben{suffix}" for suffix in beside))
    labelled(folders, backend="files")
    fitted = with_actions(folders)[0]
    pose = np.array(fitted.pose(fitted.clips[1]))
    corpus, notes = with_actions(folders, backend="files")
    ben = corpus.clips[1]
    assert corpus.found(ben).tolist() == [True, False, True]
    np.testing.assert_allclose(corpus.actions(ben), np.tile(units[0], (3, 1)), atol=1e-6)
    np.testing.assert_array_equal(corpus.pose(ben), pose)
    assert notes == ("ana: the data set has no action units of it",)


# The network


class Reader:
    """In place of the network: points that say which picture and box they belong to, sure of all but the third."""

    calls = 0

    def read(self, images: list[np.ndarray], boxes: np.ndarray) -> Reading:
        rows = np.arange(len(images)) + 10 * self.calls
        self.calls += 1
        points = np.tile([0.5, 0.5, 0.0], (len(images), 68, 1))
        points[:, 0, 0], points[:, 1, 0] = boxes[:, 0], [image[0, 0, 0] / 255 for image in images]
        pose = np.stack([rows, rows * 0 + 60, rows * 0], axis=1).astype(float)
        return Reading(points, np.full((len(images), 68), 0.25), pose, np.where(rows == 2, 0.1, 0.9))


def test_what_the_network_knows_in_depth_is_kept_and_taken_over(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # First imported now, it would keep the stand-in for every test that follows.
    importlib.import_module("reenact.labelling.synthetic.backend")
    monkeypatch.setattr("reenact.labelling.synthetic.reading.face_reader", lambda model: Reader())
    corpus, _ = labelled(folders, backend="synthetic")
    ana, ben = corpus.clips
    assert corpus.found(ana).tolist() == [True, True, False, True, True, True]
    assert corpus.found(ben).all()
    np.testing.assert_allclose(corpus.landmarks(ana)[:, 0, 0], 0.25)
    np.testing.assert_allclose(corpus.landmarks(ben)[1, 1, 0], corpus.image(ben, 1)[0, 0, 0] / 255, atol=1e-6)
    corpus, _ = with_actions(folders)
    assert corpus.pose(ben)[:, 0].tolist() == [10, 11, 12]
    assert corpus.pose(ana)[:, 1].tolist() == [60] * 6
    assert (corpus.visibility(ana) == 0.25).all()
    np.testing.assert_allclose(corpus.landmarks3d(ana)[..., :2], corpus.landmarks(ana))


def test_turned_heads_are_labelled_from_picture_to_pose(tmp_path: Path) -> None:
    """Three drawn people, at turns at which other backends find nothing."""
    turns = np.array([[0.0, yaw, 0.0] for yaw in (-60, -45, 0, 45, 60)])
    drawn = together(draw_person(7, FIRST_IDENTITY["test"] + 950_000 + number, pose=turns) for number in range(3))
    frames, out, count = tmp_path / "frames", tmp_path / "landmarks", len(drawn)
    side = drawn.gray.shape[1]
    with frame_writer(frames, "s0", codec="raw") as writer:
        writer.extend(np.repeat(drawn.gray[..., None], 3, axis=-1))
    boxes = [detector_like_box(points[:, :2].astype(np.float64)) for points in drawn.points]
    corners = {f"box_{name}": [getattr(box, name) for box in boxes] for name in ("x0", "y0", "x1", "y1")}
    table = pd.DataFrame(
        {"clip": "a", "frame": range(count), "time": np.arange(count) / 25, "score": np.nan, **corners}
    )
    write_rows(frames, "s0", table.assign(crop_x=0, crop_y=0, crop_side=side), kind="frames")
    row = {"clip": "a", "identity": "a", "shard": "s0", "start": 0, "count": count, "fps": 25.0, "video": "a"}
    write_table(frames / "clips.parquet", pd.DataFrame([row]), kind="clips")
    write_stage(frames, kind="frames", size=side, codec="raw", shards={"s0": "s0"})
    list_videos(tmp_path)
    corpus, _ = labelled({"frames": frames, "videos": tmp_path, "out": out}, backend="synthetic")
    (clip,) = corpus.clips
    corpus, _ = with_actions({"frames": frames, "videos": tmp_path, "out": out})
    assert corpus.found(clip).mean() > 0.8
    assert np.abs(corpus.pose(clip) - drawn.pose)[:, 1].mean() < 10
    off = np.linalg.norm(corpus.landmarks(clip) - drawn.points[..., :2], axis=-1).mean(axis=1)
    assert (off / spread(drawn.points[..., :2])).mean() < 0.25
    assert "drawn faces" in read_stage(out, kind="landmarks")["licence"]


# Programs of the user's

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np

folder = Path(sys.argv[1])
request = json.loads((folder / "request.json").read_text())
names = [name for clip in request["clips"] for name in clip["pictures"]]
boxes = np.array([box for clip in request["clips"] for box in clip["boxes"]])
assert all((folder / name).read_bytes().startswith(b"\\x89PNG") for name in names)
n = len(names)
BODY
"""
LANDMARKS_BODY = """
points = np.zeros((n, 68, 2)) + boxes[:, None, :2] + request["options"]["add"] * np.arange(n)[:, None, None]
np.savez(folder / "result.npz", landmarks=points, found=np.arange(n) != 3, about="mine 1.0")
"""


def program(tmp_path: Path, body: str, **settings: Any) -> ExternalSettings:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM.replace("BODY", body))
    return ExternalSettings(command=(sys.executable, str(script), "{folder}"), **settings)


def test_a_program_labels_the_landmarks_of_all_clips(folders: dict[str, Path], tmp_path: Path) -> None:
    settings = program(tmp_path, LANDMARKS_BODY, options={"add": 1})
    corpus, _ = labelled(folders, backend="external", external=settings.plain())
    ana, ben = corpus.clips
    assert corpus.found(ana).tolist() == [True, True, True, False, True, True]
    # The box begins at a quarter and a fifth of 64 px; the seventh picture is ben's first.
    expected = (np.array([0.25, 0.2]) * SIZE + 6 + 0.5) / SIZE
    np.testing.assert_allclose(corpus.landmarks(ben)[0], np.tile(expected, (68, 1)), atol=1e-3)


def test_a_program_labels_action_units(folders: dict[str, Path], tmp_path: Path) -> None:
    body = """
actions = np.arange(n)[:, None] + np.zeros(17); actions[2] = np.nan
np.savez(folder / "result.npz", actions=actions, valid=np.ones(n, bool), pose=np.full((n, 3), 7.0), about="mine")
"""
    ana, ben = action_labels.by_program(clips_of(folders), program(tmp_path, body))
    assert ana.valid.tolist() == [True, True, False, True, True, True]
    assert ana.actions[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert ben.actions.max() == 5  # intensities end there
    assert ben.pose is not None
    assert ben.pose.tolist() == [[7, 7, 7]] * 3
    assert ben.mode == "mine"


def test_units_of_a_program_reach_the_corpus_and_its_failure_names_the_setting(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    labelled(folders, backend="external", external=program(tmp_path, LANDMARKS_BODY, options={"add": 0}).plain())
    body = "np.savez(folder / 'result.npz', actions=np.full((n, 17), 2.0), valid=np.arange(n) != 1, about='mine 2')"
    corpus, _ = with_actions(folders, backend="external", external=program(tmp_path, body).plain())
    ana, ben = corpus.clips
    # The landmarks' program missed the fourth picture, this one the second.
    assert corpus.found(ana).tolist() == [True, False, True, False, True, True]
    assert (corpus.actions(ben) == 2.0).all()
    assert read_stage(folders["out"].parent / "actions", kind="actions")["modes"] == ["mine 2"]
    failing = program(tmp_path, "sys.exit('no models')", version="2").plain()
    with pytest.raises(ReenactError, match=r"label_actions\.external: .* code 1: no models"):
        with_actions(folders, backend="external", external=failing)
    with pytest.raises(SettingsError, match=r"label_actions\.external\.command: missing.*py_feat_adapter"):
        with_actions(folders, backend="py_feat")


@pytest.mark.parametrize(
    ("body", "said"),
    [("sys.exit('no weights: download them first')", "code 1: no weights: download them first"),
     ("", "left no result.npz"),
     ("np.savez(folder / 'result.npz', landmarks=np.zeros((n, 68, 2)))", "left no found"),
     ("np.savez(folder / 'result.npz', landmarks=np.zeros((n, 5, 2)), found=np.ones(n))", "expected .* 9 x 68 x 2"),
     ("(folder / 'result.npz').write_bytes(b'PK')", "can't be read")],
)  # fmt: skip
def test_what_is_wrong_with_a_program_is_said(folders: dict[str, Path], tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(ReenactError, match=said):
        external.ask("landmarks", clips_of(folders), program(tmp_path, body), where="label_landmarks.external")


def test_a_program_that_hangs_is_ended_and_its_last_words_are_said(folders: dict[str, Path], tmp_path: Path) -> None:
    asked = ("sh", "-c", f"echo $$ > {tmp_path / 'pid'}; echo still loading; exec sleep 600", "{folder}")
    settings = ExternalSettings(command=asked, timeout_seconds=2.0)
    with pytest.raises(ReenactError, match=r"not done after 2 s.*still loading"):
        external.ask("landmarks", clips_of(folders), settings, where="label_landmarks.external")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_is_missing_or_not_named_is_a_setting(folders: dict[str, Path]) -> None:
    nowhere = ExternalSettings(command=("/nowhere/python",))
    with pytest.raises(SettingsError, match="/nowhere/python can't be started"):
        external.ask("landmarks", clips_of(folders), nowhere, where="label_landmarks.external")
    with pytest.raises(SettingsError, match=r"face_alignment_adapter\.py"):
        labelled(folders, backend="face_alignment")
    with pytest.raises(SettingsError, match='did you mean "openface_csv"'):
        labelled(folders, backend="openface-csv")


FEATURE_EXTRACTION = """
import csv, sys
from pathlib import Path
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
pictures = sorted(Path(arguments["-fdir"]).glob("*.png"))
units = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45".split()
names = ["frame", " face_id", " timestamp", " confidence", " success", " pose_Rx", " pose_Ry", " pose_Rz"]
with (Path(arguments["-out_dir"]) / (arguments["-of"] + ".csv")).open("w", newline="") as stream:
    table = csv.writer(stream)
    table.writerow(names + [f" AU{unit}_r" for unit in units])
    for n, _ in enumerate(pictures, 1):
        table.writerow([n, 0, 0.0, 0.9 if n != 2 else 0.3, 1, 0.1, 0.2, 0.3] + [n / 10] * 17)
"""


def test_openfaces_adapter_runs_feature_extraction_on_each_clip(folders: dict[str, Path], tmp_path: Path) -> None:
    fake = tmp_path / "FeatureExtraction.py"
    fake.write_text(FEATURE_EXTRACTION)
    asked = ExternalSettings(options={"program": [sys.executable, str(fake)]})
    settings = external.with_command(asked, "openface", where="label_actions.external")
    ana, ben = action_labels.by_program(clips_of(folders), settings)
    assert ana.valid.tolist() == [True, False, True, True, True, True]
    np.testing.assert_allclose(ana.actions[:, 5], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    np.testing.assert_allclose(ben.actions[:, 0], [0.1, 0.2, 0.3])
    assert ben.pose is not None
    np.testing.assert_allclose(ben.pose[0], np.degrees([0.1, 0.2, 0.3]))


STANDINS = {
    "face_alignment": """
import numpy as np
class LandmarksType: TWO_D, THREE_D = 2, 3
class FaceAlignment:
    def __init__(self, kind, device, flip_input): self.kind = kind
    def get_landmarks_from_image(self, image, detected_faces):
        assert image.shape == (64, 64, 3) and image.dtype == np.uint8
        points = np.full((68, self.kind), detected_faces[0][0] - 0.5)
        points[:, 2:] = 16.0 * (np.arange(68) == 30)[:, None]  # the nose's tip ahead, as positive depth
        return [points] if image[0, 0, 0] % 2 else None
""",
    "feat": """
import pandas as pd
class Detector:
    def __init__(self, au_model): assert au_model == "xgb"
    def detect_image(self, paths):
        units = "01 02 04 05 06 07 09 10 11 12 14 15 17 20 23 24 25 26 28 43".split()
        rows = [{"input": path, "FaceScore": score, **{f"AU{u}": value for u in units}}
                for path in paths[1:] for score, value in ((0.9, 0.5), (0.2, 1.0))]
        return pd.DataFrame(rows)
""",
}


def stand_in(tmp_path: Path, name: str, adapter: str, **options: Any) -> ExternalSettings:
    """The adapter started with a module of the tool's name in reach, as in the tool's own environment."""
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / f"{name}.py").write_text(STANDINS[name])
    start = "import runpy, sys; sys.path[:0] = [sys.argv.pop(1), sys.argv[1].rpartition('/')[0]]; del sys.argv[0]; "
    command = (sys.executable, "-c", start + "runpy.run_path(sys.argv[0], run_name='__main__')", str(tmp_path / "tool"))
    return ExternalSettings(command=(*command, f"{{adapters}}/{adapter}", "{folder}"), options=options)


def test_face_alignments_adapter_reads_every_picture_in_its_box(folders: dict[str, Path], tmp_path: Path) -> None:
    settings = stand_in(tmp_path, "face_alignment", "face_alignment_adapter.py", landmarks="3D")
    corpus, _ = labelled(folders, backend="face_alignment", external=settings.plain())
    ana = corpus.clips[0]
    odd = [bool(corpus.image(ana, n)[0, 0, 0] % 2) for n in range(ana.count)]
    assert 0 < sum(odd) < len(odd)
    assert corpus.found(ana).tolist() == odd
    np.testing.assert_allclose(corpus.landmarks(ana)[odd.index(True)], 0.25, atol=1e-4)
    solid = read_array(folders["out"], "s0", "landmarks3d")[ana.start + odd.index(True)]
    np.testing.assert_allclose(solid[:, :2], 0.25, atol=1e-4)
    np.testing.assert_allclose(solid[:, 2], np.where(np.arange(68) == 30, -0.25, 0.0), atol=1e-4)


def test_py_feats_adapter_takes_the_surest_face(folders: dict[str, Path], tmp_path: Path) -> None:
    settings = stand_in(tmp_path, "feat", "py_feat_adapter.py", au_model="xgb")
    ana, ben = action_labels.by_program(clips_of(folders), settings)
    assert ana.valid.tolist() == [False, True, True, True, True, True]
    assert (ben.actions == 2.5).all()
    assert ben.pose is None
