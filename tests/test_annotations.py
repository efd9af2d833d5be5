"""Labels of data sets: read from their own formats, refused with a sentence where they are broken."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reenact.corpus.annotations import (
    OPENFACE,
    Annotation,
    actions_of,
    annotation_file,
    landmarks_of,
    read_actions_pickle,
    read_landmark_pickle,
    read_pts,
    write_annotation,
)
from reenact.errors import BadInput

REAL = os.environ.get("REENACT_REAL_DATA", "")
POINTS = np.random.default_rng(0).uniform(1, 400, (68, 2)).round(3)


def pts(points: np.ndarray = POINTS, head: str = "version: 1\nn_points: {}\n", foot: str = "}\n") -> str:
    lines = "\n".join(f"{x} {y}" for x, y in points)
    return f"{head.format(len(points))}{{\n{lines}\n{foot}"


@pytest.mark.parametrize(
    "text",
    [
        pts(),
        pts(head="version: 1\r\nnpoints:  {}  \r\n"),
        pts(head="version:1\nn_points:{}\n", foot=""),
        pts().replace(" ", "   ").replace("{", "{  "),
        "\n".join(f"{x}, {y}" for x, y in POINTS),
    ],
)
def test_pts_files_of_several_hands_give_the_same_points(tmp_path: Path, text: str) -> None:
    (tmp_path / "1.pts").write_text(text)
    np.testing.assert_array_equal(read_pts(tmp_path / "1.pts"), POINTS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (pts(POINTS[:60]), "expected 68 points, found 60"),
        (pts()[:500], "68 points announced"),
        (pts().replace("{\n", "{\nnan 1\n", 1).replace("n_points: 68", "n_points: 69"), "expected 68 points"),
        (pts(np.where(np.arange(136).reshape(68, 2) == 5, np.nan, POINTS)), "nowhere in a picture"),
        (pts().replace("{\n", "{\nhello "), "something else than numbers"),
        ("", "expected 68 points"),
        ("1 " * 70_000, "too large"),
    ],
)
def test_broken_pts_files_are_refused_with_their_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "1.pts").write_text(text)
    with pytest.raises(BadInput, match=rf"1\.pts: .*{says}"):
        read_pts(tmp_path / "1.pts")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_landmark_pickles_keep_the_gaps_between_frames(tmp_path: Path, protocol: int) -> None:
    contents = [(7, POINTS), (2, POINTS.astype(np.float32)), (np.int64(3), POINTS.tolist())]
    (tmp_path / "points.pickle").write_bytes(pickle.dumps(contents, protocol))
    read = read_landmark_pickle(tmp_path / "points.pickle")
    assert read.frames.tolist() == [2, 3, 7]
    np.testing.assert_allclose(read.values, [POINTS] * 3, rtol=1e-6)


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def nested(depth: int) -> list[Any]:
    value: list[Any] = [0.0] * 17
    for _ in range(depth):
        value = [value] * 17
    return value


def test_a_pickle_that_calls_something_is_refused_and_nothing_is_called(tmp_path: Path) -> None:
    (tmp_path / "aus.pkl").write_bytes(pickle.dumps({"a": _Attack(tmp_path / "made")}))
    with pytest.raises(BadInput, match=r"aus\.pkl: .*only plain data"):
        read_actions_pickle(tmp_path / "aus.pkl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (OrderedDict(a=np.zeros(17)), "only plain data"),
        ([1, 2], "expected names"),
        ({"a": np.zeros(16)}, "17 intensities"),
        ({"a": np.full(17, np.nan)}, "17 intensities"),
        ({"a": nested(30)}, "17 intensities"),
        ({"a": np.array(["x"] * 17)}, "17 intensities"),
        ({1: np.zeros(17)}, "17 intensities"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, contents: Any, says: str) -> None:
    (tmp_path / "aus.pkl").write_bytes(pickle.dumps(contents))
    with pytest.raises(BadInput, match=says):
        read_actions_pickle(tmp_path / "aus.pkl")


def test_cut_off_pickles_are_refused_at_every_length(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": np.arange(17.0)}, 2)
    for length in range(0, len(whole), 7):
        (tmp_path / "aus.pkl").write_bytes(whole[:length])
        with pytest.raises(BadInput, match=r"aus\.pkl"):
            read_actions_pickle(tmp_path / "aus.pkl")


def test_what_is_written_beside_a_pack_is_found_by_member(tmp_path: Path) -> None:
    first = Annotation(frames=np.array([0, 4]), values=np.stack([POINTS, POINTS + 1]).astype(np.float32))
    second = Annotation(frames=np.array([0]), values=POINTS[None].astype(np.float32) + 2)
    write_annotation(tmp_path / "pack.landmarks.npz", "points", [("a.jpg", first), ("b.jpg", second)])
    row = {"annotation": "pack.csv pack.landmarks.npz", "member": "a.jpg"}
    read = landmarks_of(tmp_path, row)
    assert read is not None
    assert read.frames.tolist() == [0, 4]
    np.testing.assert_array_equal(read.values, first.values)
    other = landmarks_of(tmp_path, {**row, "member": "b.jpg"})
    assert other is not None
    np.testing.assert_array_equal(other.values, second.values)
    assert annotation_file(tmp_path, row, OPENFACE) == tmp_path / "pack.csv"
    assert actions_of(tmp_path, row) is None
    assert landmarks_of(tmp_path, {"clip": "no annotation"}) is None


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="REENACT_REAL_DATA names no folder of real data")
def test_the_real_sample_gives_intensities_for_its_four_pictures() -> None:
    folder = Path(REAL) / "ganimation"
    read = read_actions_pickle(folder / "aus_openface.pkl")
    assert sorted(read) == sorted(path.stem for path in (folder / "imgs").iterdir())
    assert all(value.shape == (17,) and 0 <= value.min() <= value.max() <= 5 for value in read.values())
