"""The judge reader: its file, what it reads on people never seen, its training, and the judge `reader`."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.backbones.judge_reader import models
from reenact.backbones.judge_reader.drawing import FIRST_IDENTITY, Drawn, draw_clip, draw_people, together
from reenact.backbones.judge_reader.making import make_reader, on_drawn
from reenact.backbones.judge_reader.measuring import area, correlations, errors, same_other_auc
from reenact.backbones.judge_reader.reading import FaceReading, JudgeFaceReader, judge_face_reader
from reenact.backbones.judge_reader.views import Square, cut_view, face_square
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import People
from reenact.evaluation.judges import Making, make_judges
from reenact.evaluation.reader_judge import ReaderJudge
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import flip_landmarks
from reenact.faces.pose import flip_pose
from reenact.hashing import hash_file
from reenact.labelling.synthetic.drawing import FIRST_IDENTITY as OTHERS

pytestmark = pytest.mark.xdist_group("judge_reader")
NOBODY = People(np.zeros((0, 1)), np.zeros((0, 17)))


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Five people that nothing was trained on, nor measured on for the card."""
    first = FIRST_IDENTITY["test"] + 900_000
    return together(draw_clip(who, clip, yaw=60.0) for who in range(first, first + 5) for clip in range(2))


@pytest.fixture(scope="module")
def crops(drawn: Drawn) -> np.ndarray:
    return np.ascontiguousarray(drawn.picture[:12, 14:130, 14:130, :3])


def test_the_released_reader_is_the_one_that_the_code_names() -> None:
    file = models.released_file()
    card = models.read_card(file)
    assert hash_file(file) == card["sha256"] == models.SHA256
    assert file.stat().st_size == card["bytes"] <= 3_000_000
    assert card["trained_on"] == "drawn faces only"
    assert {"all", "0-30", "30-60", "60-90"} == set(card["errors"]["by_yaw"])


def test_nobody_has_trained_the_reader_who_is_in_a_corpus_or_in_another_network() -> None:
    ends = sorted({*FIRST_IDENTITY.values(), *OTHERS.values()})
    assert len(ends) == len(FIRST_IDENTITY) + len(OTHERS)
    trained = models.read_card(models.released_file())["identities"]
    assert trained["first"] == FIRST_IDENTITY["train"] > max(OTHERS.values())
    assert trained["last"] < FIRST_IDENTITY["test"]


def test_a_changed_or_missing_file_is_an_error(tmp_path: Path) -> None:
    copy = tmp_path / models.released_file().name
    with pytest.raises(ReenactError, match="is missing"):
        models.checked(copy, models.SHA256)
    shutil.copy(models.released_file(), copy)
    assert models.checked(copy, models.SHA256) == copy
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    other = copy.with_name("changed.safetensors")
    other.write_bytes(data)
    with pytest.raises(ReenactError, match="damaged or changed"):
        models.checked(other, models.SHA256)
    other.write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not a judge reader"):
        models.load_network(other)


def test_it_reads_people_never_seen(drawn: Drawn) -> None:
    found = on_drawn(judge_face_reader(), drawn, side=128)["all"]
    assert found["landmarks"] < 0.12
    assert found["yaw"] < 6.0
    assert found["actions"] > 0.5
    assert found["same_other"] > 0.85
    assert found["face"] > 0.95


def test_many_at_once_are_read_as_one_by_one_in_any_order_and_size(crops: np.ndarray) -> None:
    reader = judge_face_reader()
    together_ = reader.read(crops)
    alone = [reader.read(crops[i : i + 1]) for i in range(len(crops))]
    back = reader.read(crops[::-1])
    for name in ("landmarks", "pose", "actions", "embedding", "face"):
        values = getattr(together_, name)
        scale = np.abs(values).max()
        assert np.concatenate([getattr(one, name) for one in alone]) == pytest.approx(values, abs=1e-3 * scale)
        assert getattr(back, name)[::-1] == pytest.approx(values, abs=1e-3 * scale)
    large = reader.read(np.repeat(np.repeat(crops, 3, axis=1), 3, axis=2))
    assert np.abs(large.landmarks - together_.landmarks).max() < 0.03


def test_the_mirrored_picture_has_the_mirrored_reading(crops: np.ndarray) -> None:
    plain, mirrored = (judge_face_reader().read(pictures) for pictures in (crops, crops[:, :, ::-1]))
    assert mirrored.landmarks == pytest.approx(flip_landmarks(plain.landmarks), abs=0.01)
    assert mirrored.pose == pytest.approx(flip_pose(plain.pose), abs=1.0)
    assert mirrored.actions == pytest.approx(plain.actions, abs=0.25)


def test_the_judge_finds_faces_and_nothing_where_there_is_none(crops: np.ndarray) -> None:
    random = np.random.default_rng(0)
    walls = np.full((3, 64, 64, 3), 128, np.uint8) + random.integers(-20, 20, (3, 64, 64, 3)).astype(np.uint8)
    cache = FeatureCache()
    judge = ReaderJudge(cache=cache)
    pictures = [*crops, *walls]
    landmarks, descriptors = judge.landmarks(pictures), judge.descriptors(pictures)
    pose, actions = judge.pose_and_actions(pictures, NOBODY)
    for values in (landmarks.reshape(len(pictures), -1), descriptors, pose, actions):
        assert np.isfinite(values[: len(crops)]).all()
        assert np.isnan(values[len(crops) :]).all()
    assert landmarks.shape == (15, 68, 2)
    assert (pose.shape, actions.shape) == ((15, 3), (15, 17))
    assert ((actions[:12] >= 0) & (actions[:12] <= 5)).all()
    assert judge.landmarks([]).shape == (0, 68, 2)
    assert judge.descriptors([]).shape == (0, descriptors.shape[1])
    read = judge.reader.read(crops)
    assert landmarks[:12] == pytest.approx(read.landmarks, abs=1e-3)
    assert descriptors[:12] == pytest.approx(read.embedding, abs=1e-2)


def test_settings_choose_the_reader_for_all_or_some_metrics() -> None:
    chosen = make_judges("reader", {}, Making())
    assert chosen.card("ed")["name"] == "reader"
    assert chosen.card("ed")["sha256"] == {"network": models.SHA256}


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    random = np.random.default_rng(0)
    positive, negative = random.integers(0, 9, 40) / 9, random.integers(0, 7, 50) / 9
    each = [float(a > b) + 0.5 * float(a == b) for a in positive for b in negative]
    assert area(positive, negative) == pytest.approx(np.mean(each))


def test_same_person_pairs_lie_in_two_clips() -> None:
    # Alike within a clip only: across clips the embeddings of a person point apart.
    embedding = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0.1], [1, 0.1], [0.1, 1], [0.1, 1]], dtype=float)
    identity, clip = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 0, 0, 1, 1])
    assert same_other_auc(embedding, identity, clip) < 0.5
    assert same_other_auc(np.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]], identity, clip) == 1.0
    assert same_other_auc(embedding[:4], identity[:4], clip[:4]) is None


def test_errors_are_those_that_were_put_in(drawn: Drawn) -> None:
    true = drawn[np.arange(len(drawn))]
    eyes = np.linalg.norm(true.landmarks[:, 36] - true.landmarks[:, 45], axis=-1)
    read = FaceReading(
        landmarks=true.landmarks + np.array([0.1, 0.0]) * eyes[:, None, None],
        pose=true.pose + np.array([0.0, 3.0, 0.0]),
        actions=2 * true.actions + 1,
        embedding=np.eye(5)[true.identity - true.identity.min()],
        face=np.ones(len(true)),
    )
    found = errors(
        read, landmarks=true.landmarks, pose=true.pose, actions=true.actions, identity=true.identity, clip=true.clip
    )["all"]
    assert found["landmarks"] == pytest.approx(0.1, abs=1e-4)
    assert (found["pitch"], found["yaw"]) == (pytest.approx(0.0, abs=1e-4), pytest.approx(3.0, abs=1e-4))
    assert found["actions"] == pytest.approx(1.0)
    assert found["same_other"] == 1.0


def test_a_unit_that_is_read_as_constant_is_not_read_and_counts() -> None:
    true = np.random.default_rng(0).uniform(0, 5, (20, 17))
    true[:, 3] = 1.0  # never moves: nothing can be said
    read = true.copy()
    read[:, 0] = 2.0
    found = correlations(read, true)
    assert len(found) == 16
    assert found[ACTION_UNITS[0]] == 0.0
    assert found[ACTION_UNITS[1]] == pytest.approx(1.0)


def test_a_view_shows_its_square() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[50:150, 100:200] = 255
    inside = cut_view(picture, Square(0.75, 0.5, 0.5), 80)
    assert inside.min() > 250
    half = cut_view(picture, Square(0.5, 0.5, 0.5), 80)
    assert half[:, :38].max() < 5
    assert half[:, 42:].min() > 250
    points = np.array([[0.2, 0.3], [0.4, 0.3], [0.3, 0.8]])
    square = face_square(points)
    assert square.centre == pytest.approx([0.3, 0.55])
    assert square.side == pytest.approx(0.75)


def test_training_twice_gives_the_same(drawn: Drawn) -> None:
    from reenact.backbones.judge_reader.training import JudgeReaderTraining, train

    settings = JudgeReaderTraining(samples=48, batch=16, half=False)
    once, again = train(drawn, settings), train(drawn, settings)
    for name, weight in once.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    kept = train(drawn, settings.model_copy(update={"learning_rate": 1e-9}), start=once.state_dict())
    for name, weight in once.named_parameters():
        assert torch.allclose(weight, kept.get_parameter(name), atol=1e-6), name


def test_the_loss_asks_for_each_answer_and_only_of_faces(drawn: Drawn) -> None:
    from reenact.backbones.judge_reader.augment import augmented
    from reenact.backbones.judge_reader.network import Answer
    from reenact.backbones.judge_reader.training import People, answer_loss

    truth = augmented(drawn, np.arange(40), np.random.default_rng(3), size=80)
    face = torch.from_numpy(truth.face)
    assert 0 < face.sum() < 40
    points = torch.from_numpy(truth.landmarks)
    right = Answer(
        landmarks=points, rough=points, pose=torch.from_numpy(truth.pose), actions=torch.from_numpy(truth.actions),
        embedding=torch.zeros(40, 96), face=40 * face - 20,
    )  # fmt: skip

    def loss(**other: torch.Tensor) -> float:
        return float(answer_loss(replace(right, **other), truth, torch.zeros(40), torch.ones(17)))

    assert loss() < 1e-6
    for name in ("landmarks", "rough", "pose", "actions"):
        true = getattr(right, name)
        mask = face.reshape(-1, *[1] * (true.dim() - 1))
        assert loss(**{name: true + 0.1 * mask}) > 1e-3
        assert loss(**{name: true + 0.1 * (1 - mask)}) < 1e-6
    assert loss(face=-right.face) > 1.0
    people = People(3)
    toward = people.directions.detach()
    assert (people.loss(toward, torch.arange(3)) < people.loss(toward, torch.tensor([1, 2, 0]))).all()


def test_drawn_people_come_from_the_cache(tmp_path: Path) -> None:
    first = draw_people("test", 1, cache=tmp_path)
    (file,) = tmp_path.glob("*.npz")
    written = file.stat().st_mtime_ns
    again = draw_people("test", 1, cache=tmp_path)
    assert file.stat().st_mtime_ns == written
    assert (first.picture == again.picture).all()
    assert set(first.clip) == {0, 1}
    assert (first.landmarks.min(axis=(0, 1)) > 0).all()


def test_train_reader_refuses_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"train-reader\.sampels"):
        make_reader(out=tmp_path / "a.safetensors", settings={"sampels": 8})
    with pytest.raises(BadInput, match=r"ends with \.safetensors"):
        make_reader(out=tmp_path / "a.pt", settings={})


def test_train_reader_writes_a_file_that_reads_and_a_card_of_how_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crops: np.ndarray
) -> None:
    monkeypatch.setattr("reenact.backbones.judge_reader.making.TEST_PERSONS", 1)
    out = tmp_path / "mine.safetensors"
    card = make_reader(out=out, settings={"persons": 2, "samples": 32, "batch": 16, "half": False}, cache=tmp_path)
    assert models.read_card(out) == card
    assert card["sha256"] == hash_file(out)
    assert (card["identities"]["first"], card["identities"]["last"]) == (4_000_000, 4_000_001)
    assert card["errors"]["by_yaw"]["all"]["pictures"] == 10
    assert JudgeFaceReader(out).read(crops[:2]).landmarks.shape == (2, 68, 2)
    further = make_reader(
        out=tmp_path / "more.safetensors", settings={"persons": 2, "samples": 16, "batch": 16, "half": False},
        cache=tmp_path, start=out,
    )  # fmt: skip
    assert further["started_from"]["sha256"] == card["sha256"]
