"""Labels against the truth: a known fault gives the known error, and what can't be known is not made up."""

import json

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.shards import write_array
from reenact.corpus.tables import write_table
from reenact.evaluation.data_facts import quality_records
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import GROUPS
from reenact.labelling.label_quality import label_quality
from reenact.labelling.truth import Labels, compare, found_by_turn
from reenact.stages.validate_data import validate_data
from test_validation import COUNT, Fake

EYES = 50.0  # px between the outer corners
CLIPS = np.repeat(["a", "b"], 20)


def true_labels(frames=40):
    """Faces whose eyes are 50 px apart; yaw from -39 to 39 degrees in steps of 2."""
    random = np.random.default_rng(3)
    landmarks = random.uniform(50, 150, (frames, 68, 2))
    landmarks[:, 36], landmarks[:, 45] = [80.0, 90.0], [80.0 + EYES, 90.0]
    pose = np.stack([np.full(frames, 5.0), np.arange(frames) * 2.0 - 39.0, np.zeros(frames)], axis=1)
    actions = random.uniform(0, 5, (frames, 17))
    return Labels(landmarks=landmarks, actions=actions, pose=pose, visibility=np.ones((frames, 68)))


def changed(labels, **values):
    return Labels(**{**vars(labels), **values})


def test_the_truth_itself_has_no_error():
    truth = true_labels()
    figures = compare(truth, truth, CLIPS)
    assert figures["landmarks"]["error"] == 0
    assert figures["pose"] == {"pitch": 0, "yaw": 0, "roll": 0}
    assert all(unit == {"all": pytest.approx(1), "clip": pytest.approx(1), "clips": 2}
               for unit in figures["actions"].values())  # fmt: skip
    assert figures["visibility"] == {"agreement": 1, "hidden": 0, "hidden_found": None}


def test_a_shift_of_part_of_a_face_is_that_parts_error_in_eye_distances():
    truth = true_labels()
    moved = truth.landmarks.copy()
    moved[:, :17] += [3.0, 4.0]  # 5 px: a tenth of the eye distance
    figures = compare(changed(truth, landmarks=moved), truth, CLIPS)["landmarks"]
    assert figures["groups"] == {name: pytest.approx(0.1 if name == "jaw" else 0.0) for name in GROUPS}
    assert figures["error"] == pytest.approx(0.1 * 17 / 68)


def test_frames_with_a_turned_head_are_told_apart_by_the_true_yaw():
    truth = true_labels()
    turned = np.abs(truth.pose[:, 1]) > 25
    moved = truth.landmarks + np.where(turned, 10.0, 0.0)[:, None, None] * [1.0, 0.0]
    labels = changed(truth, landmarks=moved, pose=np.zeros_like(truth.pose))
    figures = compare(labels, truth, CLIPS)
    assert (figures["landmarks"]["within"], figures["landmarks"]["over"]) == (0, pytest.approx(0.2))
    assert figures["pose"] == {"pitch": 5, "yaw": 20, "roll": 0}
    shares = found_by_turn(truth.pose[:, 1], ~turned)
    assert shares == {"within": {"frames": 26, "found": 1}, "over": {"frames": 14, "found": 0}}
    assert found_by_turn(np.zeros(3), np.ones(3, bool))["over"] == {"frames": 0, "found": None}


def test_an_action_units_correlation_does_not_hide_that_only_persons_differ():
    """AU01 tells persons apart and nothing else; AU02 is upside down; AU04 never moves; AU05 is scaled."""
    truth = true_labels()
    level = np.where(CLIPS == "a", 0.0, 4.0)
    wiggle = np.tile([0.0, 1.0, 0.0, 1.0], 10)
    true, said = truth.actions.copy(), truth.actions.copy()
    true[:, 0], said[:, 0] = level + wiggle, level + wiggle[::-1]
    said[:, 1] = 5.0 - true[:, 1]
    said[:, 2] = 1.0
    said[:, 3] = 0.3 * true[:, 3]
    units = compare(changed(truth, actions=said), changed(truth, actions=true), CLIPS)["actions"]
    expected = np.corrcoef(true[:, 0], said[:, 0])[0, 1]
    assert expected > 0.8
    assert units["AU01"] == {"all": pytest.approx(expected), "clip": pytest.approx(-1), "clips": 2}
    assert units["AU02"]["all"] == pytest.approx(-1)
    assert units["AU04"] == {"all": None, "clip": None, "clips": 0}
    assert units["AU05"]["all"] == pytest.approx(1)


def test_hidden_points_are_counted_apart():
    truth = true_labels()
    hidden = truth.visibility.copy()
    hidden[:, :4] = 0.0
    said = hidden.copy()
    said[:, 2:6] = [0.9, 0.9, 0.1, 0.1]  # two hidden points called seen, two seen ones called hidden
    figures = compare(changed(truth, visibility=said), changed(truth, visibility=hidden), CLIPS)["visibility"]
    assert figures == {"agreement": pytest.approx(64 / 68), "hidden": pytest.approx(4 / 68), "hidden_found": 0.5}


def test_labels_that_were_not_made_have_no_figures():
    truth = true_labels()
    nothing = changed(truth, actions=truth.actions * np.nan, visibility=truth.visibility * np.nan)
    figures = compare(nothing, truth, CLIPS)
    assert figures["actions"]["AU12"] == {"all": None, "clip": None, "clips": 0}
    assert figures["visibility"] == {"agreement": None, "hidden": None, "hidden_found": None}
    assert figures["landmarks"]["error"] == 0


class Drawn(Fake):
    """The made-up corpus with the truth beside some of its videos; crops of 200 px at (10, 30) of the video."""

    def __init__(self):
        super().__init__()
        self.frames["crop_y"] = 30.0
        base = np.random.default_rng(0).uniform(0.3, 0.7, (68, 2))
        base[36], base[45] = [0.4, 0.4], [0.6, 0.4]  # 40 px of the video
        self.landmarks = np.tile(base, (len(self.frames), 1, 1)).astype(np.float32)
        self.truth = np.tile(base * 200 + [10.0, 30.0], (COUNT, 1, 1)).astype(np.float32)

    def write(self, root, **truths):
        """`truths`: by clip, what differs from the true labels of a head that turns from 0 to 27 degrees."""
        folders = super().write(root)
        rows = len(self.frames)
        write_array(folders["actions"], "shard-00000", "visibility", np.ones((rows, 68), np.float32))
        pose = np.stack([np.ones(COUNT), np.arange(COUNT) * 3.0, np.ones(COUNT)], axis=1)
        for clip, different in truths.items():
            truth = {"landmarks": self.truth, "actions": np.ones((COUNT, 17)), "pose": pose,
                     "visibility": np.ones((COUNT, 68), bool), **different}  # fmt: skip
            np.savez(folders["videos"] / f"{clip}.truth.npz", **truth)
        return folders


def quality(folders):
    return label_quality(**{name: folders[name] for name in ("videos", "frames", "landmarks", "actions")})


def test_crop_labels_are_mapped_to_the_video(tmp_path):
    drawn = Drawn()
    record = quality(drawn.write(tmp_path, p00={}, p01={"landmarks": drawn.truth + np.float32([0.0, 8.0])}))
    assert record["truth"]
    assert (record["videos"], record["compared_frames"]) == (2, 2 * COUNT)
    assert record["landmarks"]["error"] == pytest.approx(0.1, abs=1e-5)  # none, and 8 of 40 px
    assert record["pose"] == {"pitch": 0, "yaw": pytest.approx(12.7), "roll": 0}  # said 1, is 0, 3, ... 27


def test_every_second_frame_of_a_video_is_compared_with_its_own_truth(tmp_path):
    drawn = Drawn()
    drawn.frames["frame"] *= 2
    drawn.actions["yaw"] = np.tile(np.arange(COUNT) * 2.0, 16).astype(np.float32)
    twice = {"landmarks": np.repeat(drawn.truth, 2, axis=0), "actions": np.ones((2 * COUNT, 17)),
             "pose": np.stack([np.ones(2 * COUNT), np.arange(2 * COUNT), np.ones(2 * COUNT)], axis=1),
             "visibility": np.ones((2 * COUNT, 68), bool)}  # fmt: skip
    record = quality(drawn.write(tmp_path, p00=twice))
    assert record["pose"]["yaw"] == 0
    assert (record["video_frames"], record["face"]) == (COUNT, 1)  # frames that were skipped are not lost


def test_lost_frames_lost_videos_and_frames_without_landmarks_are_not_forgotten(tmp_path):
    drawn = Drawn()
    drawn.found[9] = False  # p00's most turned frame
    keep = ~((drawn.frames["clip"] == "p01") & (drawn.frames["frame"] >= 6)).to_numpy()
    drawn.frames, drawn.landmarks, drawn.found = drawn.frames[keep], drawn.landmarks[keep], drawn.found[keep]
    drawn.actions = drawn.actions[keep]
    folders = drawn.write(tmp_path, p00={}, p01={}, p02={})
    clips = drawn.clips[drawn.clips["clip"] != "p02"]  # set aside: no face was found
    write_table(folders["frames"] / "clips.parquet", clips, kind="clips")
    record = quality(folders)
    assert (record["videos"], record["video_frames"]) == (3, 3 * COUNT)
    assert record["face"] == pytest.approx(16 / 30)
    assert record["turn"] == {"within": {"frames": 27, "found": pytest.approx(15 / 27)},
                              "over": {"frames": 3, "found": 0}}  # fmt: skip
    assert record["compared_frames"] == 15


def test_without_truth_there_is_fit_and_found_of_found_frames_only(tmp_path):
    fake = Fake()
    fake.found[:40] = False
    fake.actions.loc[:39, "fit_error"] = 9.0
    record = quality(fake.write(tmp_path))
    assert record == {"format": 1, "truth": False, "stored_frames": 160, "found": 0.75,
                      "fit_error": {"median": pytest.approx(0.05), "high": pytest.approx(0.05)}}  # fmt: skip


def test_a_truth_that_can_not_be_used_is_named_and_stops_nothing(tmp_path):
    folders = Drawn().write(tmp_path, p00={}, p01={"pose": np.zeros((3, 3))})
    (folders["videos"] / "p02.truth.npz").write_bytes(b"PK\x03\x04 cut off")
    record = quality(folders)
    assert record["unreadable"] == ["p01.truth.npz", "p02.truth.npz"]
    assert record["videos"] == 1
    assert "p02.truth.npz" in quality_records(record)[-1]["meaning"]


def test_validation_writes_the_figures_and_says_them_in_words(tmp_path):
    arguments = Drawn().write(tmp_path, p00={}, p01={})
    arguments["out"].mkdir()
    validate_data(**arguments)
    written = json.loads((arguments["out"] / "label_quality.json").read_text())
    assert written == quality(arguments)
    words = {record["label"]: record for record in quality_records(written)}
    assert (words["pose"]["value"], words["pose"]["meaning"]) == ("0.0", "degrees: mean absolute error of roll")
    assert words["visibility"]["value"] == "100.0%"
    assert not set(ACTION_UNITS) & set(words)  # nothing moved: there is no correlation to speak of
    page = (arguments["out"] / "validation.html").read_text()
    assert "degrees: mean absolute error of yaw" in page
    assert pd.read_parquet(arguments["out"] / "checks.parquet")["passed"].all()
