"""`reenact labels compare`: how far labellers agree, on made-up labels whose differences are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from label_folders import face_in_video, list_videos, make_folders, openface_row, written
from reenact.cli import app
from reenact.corpus.annotations import LANDMARKS, Annotation, write_annotation
from reenact.corpus.shards import write_stage
from reenact.errors import BadInput, ReenactError
from reenact.labelling.agreement import agreement, as_text
from reenact.labelling.label_sets import ClipLabels
from test_extraction import real_clips

PARAMS = Path(__file__).parent.parent / "params.yaml"
COUNT = 60


def made(seed: int = 0, frames: Any = range(COUNT), **changes: np.ndarray) -> ClipLabels:
    """Labels of one clip; yaw goes from -60 to 60 degrees."""
    rng, rows = np.random.default_rng(seed), np.asarray(frames)
    yaw = np.linspace(-60, 60, COUNT)
    labels: dict[str, Any] = {
        "frames": rows, "found": np.ones(len(rows), bool), "eyes": np.full(len(rows), 50.0),
        "landmarks": rng.uniform(0, 200, (COUNT, 68, 2))[rows], "actions": rng.uniform(0, 5, (COUNT, 17))[rows],
        "pose": np.stack([rng.normal(size=COUNT), yaw, rng.normal(size=COUNT)], axis=1)[rows],
        "crops": np.tile([3.0, 4.0, 200.0], (len(rows), 1)),
    }  # fmt: skip
    return ClipLabels(**labels | changes)


class Labels:
    """Labels in memory."""

    def __init__(self, **clips: ClipLabels) -> None:
        self.clips, self.names = clips, tuple(clips)

    def labels(self, name: str) -> ClipLabels:
        return self.clips[name]


def test_equal_labels_agree_and_moved_points_are_as_far_off_as_they_were_moved() -> None:
    same = agreement(Labels(a=made()), Labels(a=made()))
    assert same["landmarks"]["all"]["all"] == 0
    assert same["pose"]["yaw"] == {"correlation": pytest.approx(1), "difference": 0, "offset": 0}
    points = made().landmarks.copy()
    points[:, 48:] += [3.0, 4.0]  # the mouth by 5 px, a tenth of the eyes' distance
    moved = agreement(Labels(a=made(landmarks=points)), Labels(a=made()))["landmarks"]["all"]
    assert moved["mouth"] == pytest.approx(10)
    assert moved["all"] == pytest.approx(10 * 20 / 68)
    assert [moved[name] for name in ("jaw", "brows", "nose", "eyes")] == [0, 0, 0, 0]


def test_bands_of_yaw_hold_the_frames_of_the_reference() -> None:
    points = made().landmarks.copy()
    turned = np.abs(made().pose[:, 1]) >= 45
    points[turned] += [0.0, 5.0]
    bands = agreement(Labels(a=made(landmarks=points)), Labels(a=made()))["landmarks"]["bands"]
    assert bands["45-60"]["all"] == pytest.approx(10)
    assert bands["0-15"]["all"] == bands["30-45"]["all"] == 0
    assert sum(band["frames"] for band in bands.values()) == COUNT


def test_faces_that_one_alone_found_are_counted_and_not_measured() -> None:
    rows = np.arange(COUNT)
    points = made().landmarks.copy()
    points[rows < 10] = 1e6
    record = agreement(
        Labels(a=made(found=rows >= 10, landmarks=points)), Labels(a=made(found=(rows < 50)))
    )  # fmt: skip
    assert record["found"] == {"both": 40, "alone": 10, "reference_alone": 10, "neither": 0, "agreement": 2 / 3}
    assert record["landmarks"]["all"] == {**record["landmarks"]["all"], "frames": 40, "all": 0}


def test_frames_are_matched_by_number_and_clips_by_name() -> None:
    some = np.arange(7, 40, 3)
    record = agreement(Labels(a=made(frames=some), c=made()), Labels(b=made(), a=made()))
    assert (record["clips"], record["frames"]) == (1, len(some))
    assert record["landmarks"]["all"]["all"] == 0
    with pytest.raises(BadInput, match="no frame in common"):
        agreement(Labels(a=made(frames=[1, 2])), Labels(a=made(frames=[3, 4])))


def test_units_agree_within_clips_though_people_differ() -> None:
    """Two people whose level differs: over all frames that alone correlates, within the clips nothing does."""
    rng = np.random.default_rng(5)

    def units(level: float) -> np.ndarray:
        return np.clip(level + 0.1 * rng.normal(size=(COUNT, 17)), 0, 5)

    ours = Labels(a=made(actions=units(1.0)), b=made(actions=units(3.0)))
    theirs = Labels(a=made(actions=units(1.0)), b=made(actions=units(3.0)))
    unit = agreement(ours, theirs)["actions"]["AU12"]
    assert unit["all"] > 0.9
    assert abs(unit["clip"]) < 0.5
    assert unit["clips"] == 2
    missing = np.full((COUNT, 17), np.nan)
    assert agreement(ours, Labels(a=made(actions=missing)))["actions"]["AU12"]["all"] is None


def test_correlation_and_offset_are_those_of_numpy() -> None:
    ours, theirs = made(1), made(2)
    pose = theirs.pose + np.array([3.0, 0.0, 0.0])
    record = agreement(Labels(a=made(1, pose=pose)), Labels(a=theirs))
    assert record["pose"]["pitch"]["offset"] == pytest.approx(3)
    expected = np.corrcoef(ours.actions[:, 4], theirs.actions[:, 4])[0, 1]
    assert record["actions"]["AU06"]["all"] == pytest.approx(expected)
    text = as_text({"label": "one", "reference": "two", **record})
    assert f"AU06  {expected:>9.2f}" in text


def test_segments_overlap_as_their_areas_do() -> None:
    ours, theirs = (np.zeros((COUNT, 128, 128), np.uint8) for _ in range(2))
    ours[:, 10:30, :50], theirs[:, 20:40, :50] = 1, 1  # ten rows of thirty in both
    ours[:, 100:, :], theirs[:, 100:, :] = 2, 2
    crops = made().crops.copy()
    crops[50:, 0] += 1  # other places of the video
    theirs[50:] = 0
    record = agreement(Labels(a=made(segments=ours)), Labels(a=made(segments=theirs, crops=crops)))
    assert record["segments"] == {"face": pytest.approx(1 / 3), "hair": 1.0, "frames": 50}
    assert "face 0.33, hair 1.00" in as_text({"label": "one", "reference": "two", **record})
    assert agreement(Labels(a=made()), Labels(a=made(segments=theirs)))["segments"] is None


def labelled_root(tmp_path: Path) -> Path:
    """ana with an OpenFace file, with points in a file of the data set that lie 2 px beside them, and with a truth."""
    folders = make_folders(tmp_path)
    videos = folders["videos"]
    written(videos / "ana.csv", [openface_row(n, confidence=0.4 if n == 5 else 0.9) for n in range(7)])
    points = np.stack([face_in_video(2.0) - 0.5] * 7).astype(np.float32)
    write_annotation(videos / f"ana{LANDMARKS}", "points", [("", Annotation(frames=np.arange(7), values=points))])
    list_videos(videos, ana=f"ana.csv ana{LANDMARKS}")
    solid = np.concatenate([face_in_video(), np.zeros((68, 1))], axis=1)
    np.savez(
        videos / "ana.truth.npz",
        landmarks3d=np.stack([solid] * 7),
        actions=np.tile(np.arange(7)[:, None], (1, 17)) / 2,
        pose=np.tile(np.degrees([0.1, -0.2, 0.05]), (7, 1)),
    )
    return tmp_path


def compare(*arguments: str | Path) -> Any:
    settings = ["--params", str(PARAMS), "-S", "runtime.workers=1"]
    return CliRunner().invoke(app, ["labels", "compare", *settings, *map(str, arguments)])


def test_backends_label_the_same_frames_and_are_compared(tmp_path: Path) -> None:
    root, figures = labelled_root(tmp_path), tmp_path / "figures.json"
    result = compare("--out", root, "--backends", "truth,openface_csv,files+openface_csv", "--json", figures)
    assert result.exception is None, result.output
    first, second = json.loads(figures.read_text())["pairs"]
    assert [first["label"], second["label"]] == ["openface_csv", "files+openface_csv"]
    assert first["reference"] == "truth"
    # Frames 0, 1, 2, 4, 5, 6 are stored; OpenFace was not sure of 5.
    assert first["found"]["both"] == 5
    assert second["found"]["both"] == 6
    eyes = np.linalg.norm(np.subtract(*face_in_video()[[36, 45]]))
    assert first["landmarks"]["all"]["all"] == pytest.approx(0, abs=0.01)
    assert second["landmarks"]["all"]["all"] == pytest.approx(100 * 2 / eyes, abs=0.01)
    assert first["actions"]["AU01"]["all"] == pytest.approx(1)
    assert first["pose"]["yaw"]["difference"] == pytest.approx(0, abs=0.01)
    assert "files+openface_csv against truth" in result.stdout
    assert sorted(path.name for path in root.iterdir()) == ["figures.json", "frames", "videos"]  # nothing is left


def test_labels_in_two_folders_are_compared(tmp_path: Path) -> None:
    root, kept = labelled_root(tmp_path / "data"), tmp_path / "kept"
    assert compare("--out", root, "--backends", "files,openface_csv", "--work", kept).exception is None
    for name, points in (("one", "files-files"), ("two", "openface_csv-openface_csv")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "frames").symlink_to(root / "frames")
        (tmp_path / name / "landmarks").symlink_to(kept / f"landmarks-{points.split('-')[0]}")
        (tmp_path / name / "actions").symlink_to(kept / f"actions-{points}")
        write_stage(tmp_path / name / "segments", kind="segments", shards={}, made=False)
    figures = tmp_path / "figures.json"
    result = compare("--a", tmp_path / "one", "--b", tmp_path / "two", "--json", figures)
    assert result.exception is None, result.output
    (pair,) = json.loads(figures.read_text())["pairs"]
    assert pair["reference"].endswith("two")
    assert pair["found"] == {"both": 5, "alone": 1, "reference_alone": 0, "neither": 3, "agreement": 8 / 9}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give --backends"),
        (("--a", "x"), "give --backends"),
        (("--a", "x", "--b", "y"), "y: there is no such folder"),
        (("--backends", "dlib"), "two or more"),
        (("--backends", "dlib,dlib"), "each once"),
        (("--backends", "dlib,syntetic"), 'no backend "syntetic"; did you mean "synthetic"'),
        (("--backends", "dlib,py_feat+fit"), 'no landmark backend "py_feat"'),
        (("--backends", "dlib,external"), "label_landmarks.external.command"),
        (("--backends", "truth,files", "--out", "nowhere"), "extract-frames"),
    ],
)
def test_mistakes_are_said(arguments: tuple[str, ...], said: str) -> None:
    error = compare(*arguments).exception
    assert isinstance(error, ReenactError)
    assert said in str(error)


@pytest.mark.real
@pytest.mark.slow
def test_our_labels_agree_with_openface_on_its_own_clip(tmp_path: Path) -> None:
    folder = real_clips().parent / "openface"
    figures = tmp_path / "figures.json"
    result = compare("--videos", folder, "--backends", "openface_csv,dlib", "--json", figures)
    assert result.exception is None, result.output
    (pair,) = json.loads(figures.read_text())["pairs"]
    assert pair["frames"] == pair["found"]["both"] == 498
    assert pair["landmarks"]["all"]["all"] < 4
    least = {"pitch": 0.7, "yaw": 0.9, "roll": 0.7}
    assert {name: pair["pose"][name]["correlation"] > limit for name, limit in least.items()} == dict.fromkeys(
        least, True
    )
    units = [pair["actions"][name]["all"] for name in ("AU01", "AU12", "AU25", "AU26", "AU45")]
    assert np.mean(units) > 0.7


def test_videos_without_a_truth_say_so(tmp_path: Path) -> None:
    make_folders(tmp_path)
    error = compare("--out", tmp_path, "--backends", "truth,files").exception
    assert isinstance(error, BadInput)
    assert "only rendered clips have it" in str(error)
