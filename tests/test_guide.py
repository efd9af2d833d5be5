"""The guide learns to read faces it can see, draws samples by number, and its stage writes what others load."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from reenact.backbones.features import load_features, load_reader
from reenact.backbones.guide import Labelled, LabelledFrames, augment, reading_errors, train_reader
from reenact.backbones.settings import FeatureSettings
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import frame_writer, write_array, write_rows, write_stage
from reenact.corpus.splits import read_parts
from reenact.corpus.tables import write_table
from reenact.corpus.usable import usable_frames
from reenact.errors import BadInput, TrainingFailed
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP
from reenact.faces.pose import ANGLES
from reenact.stages.train_guide import TrainGuideSettings, train_guide

PEOPLE, FRAMES, SIZE = 6, 24, 32


def layout():
    """68 points within a disc of radius 1, left and right mirrored as a face's."""
    u, v = np.random.default_rng(5).uniform(-0.7, 0.7, (2, 68))
    return np.stack([(u - u[FLIP]) / 2, (v + v[FLIP]) / 2], axis=-1)


def disc(centre, radius, colour, yaw):
    """A coloured disc with a bright dot that yaw moves sideways, and 68 points, of which the upper half go along."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    picture = np.where((np.hypot(x - centre[0] * SIZE, y - centre[1] * SIZE) < radius * SIZE)[..., None], colour, 20)
    dot = centre[0] + radius * yaw / 50
    picture[np.hypot(x - dot * SIZE, y - centre[1] * SIZE) < 0.07 * SIZE] = 255
    points = centre + radius * layout()
    points[layout()[:, 1] < 0, 0] += radius * yaw / 50
    return picture.astype(np.uint8), points.astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A corpus of discs: the first action unit is how large it is, the colour who it is."""
    root, random = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    names = ("frames", "landmarks", "actions", "validated")
    for name in names:
        (root / name).mkdir()
    clips, split, points, labels = [], [], [], []
    with frame_writer(root / "frames", "shard-00000", codec="raw") as writer:
        for person in range(PEOPLE):
            colour = random.integers(80, 220, 3)
            for _ in range(FRAMES):
                centre, radius = random.uniform(0.35, 0.65, 2), random.uniform(0.15, 0.3)
                yaw = random.uniform(-30, 30)
                picture, landmarks = disc(centre, radius, colour, yaw)
                writer.append(picture)
                points.append(landmarks)
                actions = dict.fromkeys(ACTION_UNITS, 0.0) | {"AU01": (radius - 0.15) * 30}
                labels.append({**actions, **dict.fromkeys(ANGLES, 0.0), "yaw": yaw})
            name = f"clip{person}"
            clips.append({"clip": name, "identity": f"person{person}", "shard": "shard-00000",
                          "start": person * FRAMES, "count": FRAMES, "fps": 25.0})  # fmt: skip
            which = {PEOPLE - 2: "val", PEOPLE - 1: "test"}.get(person, "train")
            split.append({"clip": name, "identity": f"person{person}", "split": which, "start": 0, "stop": FRAMES,
                          "by": "identity"})  # fmt: skip
    write_table(root / "frames" / "clips.parquet", pd.DataFrame(clips), kind="clips")
    write_array(root / "landmarks", "shard-00000", "landmarks", np.stack(points))
    write_array(root / "landmarks", "shard-00000", "found", np.ones(len(points), dtype=bool))
    write_rows(root / "actions", "shard-00000", pd.DataFrame(labels), kind="actions")
    write_table(root / "validated" / "split.parquet", pd.DataFrame(split), kind="split")
    write_stage(root / "frames", kind="frames", size=SIZE, codec="raw")
    for name in names[1:]:
        write_stage(root / name, kind=name)
    return {name: root / name for name in names}


def corpus_of(folders):
    return Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])


def frames_of(folders, parts):
    usable, _ = usable_frames(corpus_of(folders), parts)
    return LabelledFrames(corpus_of(folders), [picture for part in usable for picture in part], size=SIZE)


def reader_of(folders, *, samples, seed=0):
    return train_reader(
        frames_of(folders, read_parts(folders["validated"], "train")),
        width=4, embedding=8, samples=samples, batch=16, learning_rate=3e-3, seed=seed, device=torch.device("cpu"),
    )  # fmt: skip


def test_it_learns_to_read_people_it_never_saw(folders):
    unseen = frames_of(folders, read_parts(folders["validated"], "val"))
    early, late = (
        reading_errors(reader_of(folders, samples=samples), unseen, most=100, device=torch.device("cpu"))
        for samples in (16, 6400)
    )
    assert late["landmarks"] < 0.35 * early["landmarks"]
    assert late["yaw"] < 0.4 * early["yaw"]
    assert late["actions"] > 0.8


def test_what_is_drawn_is_a_function_of_the_seed(folders):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = reader_of(folders, samples=64).state_dict()
        torch.manual_seed(2)
        again = reader_of(folders, samples=64).state_dict()
        other = reader_of(folders, samples=64, seed=1).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["pose.weight"], other["pose.weight"])


def test_labels_follow_what_augmentation_does_to_the_picture():
    """A bright dot at a landmark is still at it afterwards, mirrored or not."""
    count = 40
    random = np.random.default_rng(3)
    image, landmarks = torch.full((count, 3, 64, 64), -0.5), torch.full((count, 68, 2), 0.5)
    for number in range(count):
        x, y = random.integers(20, 44, 2)
        image[number, :, y - 1 : y + 2, x - 1 : x + 2] = 1.0
        landmarks[number, 30] = torch.tensor([(x + 0.5) / 64, (y + 0.5) / 64])
    pose = torch.tensor([1.0, 2.0, 3.0]).repeat(count, 1)
    batch = Labelled(image=image, landmarks=landmarks, actions=torch.ones(count, 17), pose=pose,
                     identity=torch.arange(count))  # fmt: skip
    made = augment(batch, random)
    light = (made.image.mean(dim=1) - made.image.mean(dim=1).amin(dim=(1, 2), keepdim=True)).square()
    mass = light / light.sum(dim=(1, 2), keepdim=True)
    at = (torch.arange(64) + 0.5) / 64
    found = torch.stack([(mass.sum(dim=1) * at).sum(dim=1), (mass.sum(dim=2) * at).sum(dim=1)], dim=1)
    torch.testing.assert_close(found, made.landmarks[:, 30], atol=0.01, rtol=0)
    mirrored = made.pose[:, 1] < 0
    assert 5 < mirrored.sum() < 35
    assert torch.equal(made.pose[mirrored][0], torch.tensor([1.0, -2.0, -3.0]))
    assert torch.equal(made.pose[~mirrored][0], pose[0])
    assert torch.equal(made.actions, batch.actions)


def test_mirroring_exchanges_left_and_right_points():
    landmarks = torch.rand(64, 68, 2)
    batch = Labelled(image=torch.zeros(64, 3, 8, 8), landmarks=landmarks, actions=torch.zeros(64, 17),
                     pose=torch.ones(64, 3), identity=torch.zeros(64, dtype=torch.int64))  # fmt: skip
    made = augment(batch, np.random.default_rng(0))
    mirrored = torch.nonzero(made.pose[:, 1] < 0)[:, 0]
    # moving and scaling keep the order of y: the eye corner 36 has taken the place of 45
    before = (landmarks[mirrored, 45, 1] - landmarks[mirrored, 8, 1]).sign()
    assert torch.equal((made.landmarks[mirrored, 36, 1] - made.landmarks[mirrored, 8, 1]).sign(), before)


def test_the_stage_writes_a_guide_that_losses_load(folders, tmp_path):
    settings = TrainGuideSettings(size=SIZE, width=3, embedding=8, samples=96, batch=8)
    result = train_guide(**folders, out=tmp_path, settings=settings, runtime=Runtime(threads=1))
    facts = json.loads((tmp_path / "stage.json").read_text())
    assert facts["kind"] == "guide"
    assert facts["identities"] == PEOPLE - 2
    assert facts["validation"]["frames"] == FRAMES
    assert len(facts["scales"]) == 7
    assert min(facts["scales"]) > 0
    assert result.counts["val_landmarks"] == facts["validation"]["landmarks"]
    features = load_features(tmp_path, FeatureSettings())
    training = frames_of(folders, read_parts(folders["validated"], "train"))
    everything = training.batch(np.arange(len(training))).image
    assert features.stages(everything)[3].mean().item() == pytest.approx(1, rel=1e-3)
    weights = (tmp_path / "reader.safetensors").read_bytes()
    train_guide(**folders, out=tmp_path, settings=settings, runtime=Runtime(threads=1))
    assert (tmp_path / "reader.safetensors").read_bytes() == weights
    assert load_reader(tmp_path)[0].embedding.out_features == 8


def test_only_training_parts_are_learned_from(folders, tmp_path, monkeypatch):
    """Every picture that is read while weights change belongs to a training identity."""
    seen, real = set(), Corpus.image
    monkeypatch.setattr(Corpus, "image", lambda self, clip, frame: seen.add(clip.identity) or real(self, clip, frame))
    reader_of(folders, samples=320)
    assert seen == {f"person{number}" for number in range(PEOPLE - 2)}


@pytest.mark.parametrize("sick", [float("nan"), 0.0])
def test_a_guide_gone_wrong_stops_the_run_and_leaves_nothing_finished(folders, tmp_path, monkeypatch, sick):
    monkeypatch.setattr("reenact.backbones.features.mean_activations", lambda *_: (1.0, sick, *[1.0] * 5))
    settings = TrainGuideSettings(size=32, width=2, embedding=4, samples=8, batch=4, validate_frames=4)
    with pytest.raises(TrainingFailed, match=r"train_guide\.learning_rate"):
        train_guide(**folders, out=tmp_path / "guide", settings=settings, runtime=Runtime(threads=1, device="cpu"))
    assert not (tmp_path / "guide" / "stage.json").exists()


def test_no_training_frame_is_one_sentence(folders, tmp_path):
    validated = tmp_path / "validated"
    row = {"clip": "clip0", "identity": "person0", "split": "val", "start": 0, "stop": 4, "by": "identity"}
    table = pd.DataFrame([row])
    write_table(validated / "split.parquet", table, kind="split")
    with pytest.raises(BadInput, match="no training frame"):
        train_guide(**{**folders, "validated": validated}, out=tmp_path / "guide",
                    settings=TrainGuideSettings(), runtime=Runtime(threads=1))  # fmt: skip
    assert not (tmp_path / "guide" / "stage.json").exists()
