"""OpenFace as a judge: files in the layout of its FaceLandmarkImg, made by hand or by a program that we run."""

import sys

import cv2
import numpy as np
import pytest

from evaluation_corpus import fake_judge, head
from label_folders import openface_row, openface_text
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.evaluation.feature_cache import content_key
from reenact.evaluation.judge import People, enlarged
from reenact.evaluation.judge_settings import OpenFaceSettings
from reenact.evaluation.judges import Judges, Making, make_judges
from reenact.evaluation.openface_judge import OpenFaceJudge

SIZE = 128
PICTURES = [head(i, 0.02 * i, 32) for i in range(3)]
NOBODY = People(np.zeros((3, 1)), np.zeros((3, 17)))
KEYS = [content_key(enlarged(picture, SIZE)) for picture in PICTURES]


def still(face=0.0, **changes):
    """A row of FaceLandmarkImg: no frame, no time, no success; 714 columns begin with face, confidence, gaze."""
    row = openface_row(0, **changes)
    left = {name: value for name, value in row.items() if name not in ("frame", "face_id", "timestamp", "success")}
    eyes = {f"eye_lmk_{axis}_{n}": 1.0 for axis in "xyXYZ" for n in range(56)}
    space = {f"{axis}_{n}": 3.0 for axis in "XYZ" for n in range(68)}
    return {"face": face, **eyes, **left, **space, **{f"p_{n}": 0.0 for n in range(34)}}


def judge_of(folder, **settings):
    return OpenFaceJudge(OpenFaceSettings(folder=str(folder), **settings), size=SIZE)


def put(folder, key, *rows):
    folder.mkdir(exist_ok=True)
    (folder / f"{key}.csv").write_text(openface_text(list(rows)))


def test_landmarks_pose_and_intensities_are_openfaces_own(tmp_path):
    for number, key in enumerate(KEYS):
        put(tmp_path, key, still(shift=float(number), pose_Ry=0.1 * number, AU12_r=float(number)))
    judge = judge_of(tmp_path)
    judge.prepare(PICTURES)
    row = still(shift=2.0)
    expected = np.array([[row[f"x_{n}"] + 0.5, row[f"y_{n}"] + 0.5] for n in range(68)]) / SIZE
    np.testing.assert_allclose(judge.landmarks(PICTURES)[2], expected, atol=1e-5)
    pose, actions = judge.pose_and_actions(PICTURES, NOBODY)
    np.testing.assert_allclose(pose[:, 1], np.degrees([0.0, 0.1, 0.2]), atol=0.01)
    assert actions[:, 8].tolist() == [0.0, 1.0, 2.0]  # AU12
    assert np.isfinite(judge.descriptors(PICTURES)).all()


def test_the_surest_of_several_faces_is_read_and_one_that_is_not_sure_is_none(tmp_path):
    put(tmp_path, KEYS[0], still(0.0, confidence=0.85, AU12_r=1.0), still(1.0, confidence=0.95, AU12_r=4.0))
    put(tmp_path, KEYS[1], still(confidence=0.5))
    (tmp_path / f"{KEYS[2]}.csv").write_text("face, confidence\n")  # FaceLandmarkImg found nobody
    judge = judge_of(tmp_path)
    judge.prepare(PICTURES)
    assert judge.pose_and_actions(PICTURES, NOBODY)[1][0, 8] == 4.0
    assert np.isfinite(judge.landmarks(PICTURES)).all(axis=(1, 2)).tolist() == [True, False, False]
    assert np.isnan(judge.descriptors(PICTURES)[1:]).all()


def test_pictures_without_a_file_are_counted_named_and_laid_out_to_be_read(tmp_path):
    folder = tmp_path / "openface"
    put(folder, KEYS[0], still())
    judge = judge_of(folder)
    with pytest.raises(BadInput, match=r"2 of 3 pictures have no CSV .* run `FaceLandmarkImg -fdir .*openface"):
        judge.prepare([*PICTURES, PICTURES[0]])
    laid = {path.stem: cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in folder.glob("*.png")}
    assert set(laid) == set(KEYS[1:])
    np.testing.assert_array_equal(laid[KEYS[1]], enlarged(PICTURES[1], SIZE))


PROGRAM = """
import sys
from pathlib import Path
told = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert set(sys.argv[6:]) == {"-2Dfp", "-pose", "-aus"}, sys.argv
pictures = sorted(Path(told["-fdir"]).glob("*.png"))
text = Path(sys.argv[1]).read_text()
for picture in pictures[:LEFT]:
    (Path(told["-out_dir"]) / (picture.stem + ".csv")).write_text(text)
"""


@pytest.mark.parametrize(("left", "said"), [("99", None), ("1", "2 of 3 pictures have no CSV"), ("1/0", "ended with")])
def test_the_program_is_run_on_what_has_no_file(tmp_path, left, said):
    program, answer = tmp_path / "FaceLandmarkImg.py", tmp_path / "answer.csv"
    program.write_text(PROGRAM.replace("LEFT", left))
    answer.write_text(openface_text([still()]))
    judge = judge_of(tmp_path / "made", command=(sys.executable, str(program), str(answer)))
    if said:
        with pytest.raises(ReenactError, match=said):
            judge.prepare(PICTURES)
        return
    judge.prepare(PICTURES)
    assert np.isfinite(judge.landmarks(PICTURES)).all()
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(f"{key}.csv" for key in KEYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [(openface_text([openface_row(0)]), "for a video"),
     (openface_text([{n: v for n, v in still().items() if not n.startswith("x_")}]), "with -2Dfp -pose -aus"),
     ("a,b\n1,2\n", "no columns between commas")],
)  # fmt: skip
def test_a_file_of_another_kind_is_an_error_and_not_a_lost_face(tmp_path, text, message):
    (tmp_path / f"{KEYS[0]}.csv").write_text(text)
    with pytest.raises(BadInput, match=message):
        judge_of(tmp_path).landmarks(PICTURES[:1])


def test_the_judge_is_named_with_its_version_and_needs_a_folder(tmp_path):
    making = Making(size=SIZE, openface=OpenFaceSettings(folder=str(tmp_path), version="2.2.0"))
    chosen = make_judges("openface", {}, making)
    assert chosen.default.card["name"].startswith("openface 2.2.0")
    with pytest.raises(SettingsError, match=r"evaluate\.openface\.folder: empty"):
        make_judges("openface", {}, Making())


def test_only_judges_that_ask_are_shown_all_pictures(tmp_path):
    Judges(default=fake_judge()).prepare(PICTURES)  # nobody asks
    with pytest.raises(BadInput, match="3 of 3"):
        Judges(default=fake_judge(), others={"ed": judge_of(tmp_path)}).prepare(PICTURES)
