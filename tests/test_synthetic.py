"""The label backend `synthetic`: views, networks, files, and what the released networks read on people never seen."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.errors import BadInput, SettingsError
from reenact.faces.landmarks import flip_landmarks
from reenact.faces.pose import flip_pose, rotation
from reenact.hashing import hash_file
from reenact.labelling.backend import Box, Detection
from reenact.labelling.geometry import detector_like_box, plausible
from reenact.labelling.synthetic import models
from reenact.labelling.synthetic.augment import Views, augmented, plain_views
from reenact.labelling.synthetic.drawing import FIRST_IDENTITY, Drawn, draw_faces, draw_person, together
from reenact.labelling.synthetic.geometry import cut_view, view_of
from reenact.labelling.synthetic.models import SyntheticModel, load_network, model_file, save_network
from reenact.labelling.synthetic.networks import ShapeCodes, build, rotations

POSES = np.array([[0.0, yaw, 0.0] for yaw in (-65, -50, -35, -20, 0, 20, 35, 50, 65)])


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """Twelve people nobody trained on, in nine turns each."""
    return together(draw_person(5, FIRST_IDENTITY["test"] + 900_000 + number, pose=POSES) for number in range(12))


def spread(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(axis=-2, keepdims=True)
    return np.sqrt(np.square(centred).sum(axis=-1).mean(axis=-1))


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_a_view_is_cut_where_its_box_says(scale: float) -> None:
    """A bright spot drawn at a known place is found at the place that the box implies, at every size."""
    side = round(400 * scale)
    picture = np.zeros((side, side), np.uint8)
    y, x = np.mgrid[:side, :side] + 0.5
    spot = np.array([230.0, 170.0]) * scale
    picture[np.hypot(x - spot[0], y - spot[1]) < 12 * scale] = 255
    view = view_of(Box(150 * scale, 100 * scale, 290 * scale, 240 * scale))
    cut = cut_view(picture, view, 80).astype(float)
    y, x = np.mgrid[:80, :80] + 0.5
    centre = np.array([(cut * x).sum(), (cut * y).sum()]) / cut.sum()
    expected = (spot - [view.x0, view.y0]) / view.side * 80
    assert np.abs(centre - expected).max() < 0.25


def test_answers_follow_the_picture_when_it_is_mirrored_and_turned() -> None:
    """Marks painted at the points of a face are found at the points that the augmented view claims."""
    points = np.random.default_rng(0).uniform(0.35, 0.65, (68, 3))
    gray = np.zeros((1, 128, 128), np.uint8)
    marked = 30
    x, y = (points[marked, :2] * 128).astype(int)
    points[marked, :2] = (np.array([x, y]) + 0.5) / 128
    gray[0, y, x] = 255
    face = Drawn(gray, np.zeros_like(gray), points[None].astype(np.float32), np.ones((1, 68), bool), np.zeros((1, 3)))
    from reenact.labelling.synthetic.augment import _Face, _sampled

    for mirrored in (False, True):
        moved = _Face.of(face, 0, mirrored=mirrored, degrees=31.0)
        view = view_of(moved.box)
        picture = _sampled(gray[0], moved, view, 256).astype(float)
        yy, xx = np.mgrid[:256, :256] + 0.5
        seen = np.array([(picture * xx).sum(), (picture * yy).sum()]) / picture.sum() / 256
        claimed = moved.answers(view)[0][marked, :2]
        assert np.abs(seen - claimed).max() < 0.01
        assert moved.turn == pytest.approx(rotation(np.array([0.0, 0.0, 31.0])))


def test_drawn_faces_of_all_roles_are_other_people() -> None:
    first = sorted(FIRST_IDENTITY.values())
    assert len(set(first)) == 3
    assert min(np.diff(first)) >= 1_000_000
    assert first[0] >= 1_000_000  # render_clips counts from nought


def test_drawn_parts_are_kept_and_read_again(tmp_path: Path) -> None:
    once = together(draw_faces(role="test", seed=3, persons=2, cache=tmp_path))
    (file,) = tmp_path.glob("*.npz")
    stamp = file.stat().st_mtime_ns
    again = together(draw_faces(role="test", seed=3, persons=2, cache=tmp_path))
    assert file.stat().st_mtime_ns == stamp
    assert np.array_equal(once.gray, again.gray)
    assert np.array_equal(once.points, again.points)


def test_augmented_views_are_what_their_seed_says_and_differ(drawn: Drawn) -> None:
    rows = np.arange(24)
    first, same, other = (augmented(drawn, rows, np.random.default_rng(seed), size=48) for seed in (1, 1, 2))
    assert np.array_equal(first.gray, same.gray)
    assert np.array_equal(first.points, same.points)
    assert not np.array_equal(first.gray, other.gray)
    faces = first.face > 0
    assert 0.5 < faces.mean() <= 1.0
    inside = (first.points[faces, :, :2] > -0.2) & (first.points[faces, :, :2] < 1.2)
    assert inside.mean() > 0.98


def test_rotations_are_rotations_and_the_fewest_numbers_give_no_turn() -> None:
    made = rotations(torch.randn(50, 6))
    assert torch.allclose(made @ made.transpose(1, 2), torch.eye(3).expand(50, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(made), torch.ones(50), atol=1e-5)
    assert torch.allclose(rotations(torch.zeros(1, 6))[0], torch.eye(3))


def test_shape_codes_span_the_faces_they_were_given(drawn: Drawn) -> None:
    points = torch.from_numpy(plain_views(drawn, np.arange(len(drawn)), size=32).points)
    network = ShapeCodes(width=4)
    network.learn_basis(points)
    basis = network.basis.flatten(1)
    inside = (points - network.mean).flatten(1)
    codes = torch.linalg.lstsq(basis.T, inside.T).solution
    assert float((basis.T @ codes - inside.T).abs().mean()) < 0.01


@pytest.mark.parametrize("architecture", ["point_maps", "shape_codes"])
def test_a_saved_network_answers_as_before(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build(architecture, {"width": 4})
    views = torch.rand(16, 1, 48, 48) * 255
    with torch.no_grad():
        for _ in range(3):
            network(views)  # running means of the normalisation
        expected = network.eval()(views)
    save_network(tmp_path / "n.safetensors", network, architecture=architecture, width=4, size=48)
    loaded, size = load_network(tmp_path / "n.safetensors")
    answer = loaded(views)
    assert size == 48
    assert float((answer.points - expected.points).abs().max()) < 0.01
    assert float((answer.turn - expected.turn).abs().max()) < 0.01


def test_a_users_file_is_checked_by_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    with pytest.raises(BadInput, match="no such file"):
        model_file(SyntheticModel(file=str(file)))
    file.write_bytes(b"not a network")
    with pytest.raises(BadInput, match=hash_file(file)):
        model_file(SyntheticModel(file=str(file)))
    with pytest.raises(BadInput, match="not the file that"):
        model_file(SyntheticModel(file=str(file), sha256="0" * 64))
    with pytest.raises(BadInput, match="not a network"):
        load_network(model_file(SyntheticModel(file=str(file), sha256=hash_file(file))))


@pytest.mark.parametrize("role", ["labels", "judge"])
def test_released_networks_are_what_their_cards_say(role: models.Role) -> None:
    file = models.released_file(role)
    card = json.loads(file.with_suffix(".json").read_text())
    assert card["sha256"] == hash_file(file)
    assert file.stat().st_size == card["bytes"] < 2_500_000
    assert card["role"] == role
    assert card["trained_on"] == "drawn faces only"
    assert card["identities"]["first"] == FIRST_IDENTITY[role]
    assert card["identities"]["last"] < FIRST_IDENTITY[role] + 1_000_000
    assert {"all", "0-15", "45-60"} <= set(card["errors"]["by_yaw"])


@pytest.mark.parametrize("role", ["labels", "judge"])
def test_released_networks_read_turned_faces_of_people_never_seen(role: models.Role, drawn: Drawn) -> None:
    from reenact.labelling.synthetic.reading import face_reader

    reader = face_reader(role=role)
    images = np.repeat(drawn.gray[..., None], 3, axis=-1)
    centre = drawn.points[..., :2].mean(axis=1).astype(float)
    half = 1.44 * spread(drawn.points[..., :2].astype(float))[:, None] * 1.08
    boxes = np.concatenate([centre - half + 0.01, centre + half - 0.02], axis=1)
    read = reader.read(images, boxes)
    off = np.linalg.norm(read.landmarks3d[..., :2] - drawn.points[..., :2], axis=-1).mean(axis=-1)
    assert (off / spread(drawn.points[..., :2].astype(float))).mean() < 0.10
    assert np.abs(read.pose - drawn.pose).mean() < 4.0
    assert ((read.visibility > 0.5) == drawn.visibility).mean() > 0.85
    assert (read.confidence > 0.5).mean() > 0.95
    assert plausible(read.landmarks3d[..., :2]).mean() > 0.95


def test_labels_and_judge_are_different_networks() -> None:
    cards = [models.read_card(models.released_file(role)) for role in ("labels", "judge")]
    assert cards[0]["settings"]["architecture"] != cards[1]["settings"]["architecture"]
    assert cards[0]["settings"]["seed"] != cards[1]["settings"]["seed"]


def test_the_mirrored_picture_has_the_mirrored_reading(drawn: Drawn) -> None:
    from reenact.labelling.synthetic.reading import face_reader

    reader = face_reader()
    images = np.repeat(drawn.gray[:9, ..., None], 3, axis=-1)
    boxes = np.tile([0.27, 0.27, 0.73, 0.73], (9, 1))
    plain, mirrored = reader.read(images, boxes), reader.read(images[:, :, ::-1], boxes)
    assert mirrored.landmarks3d == pytest.approx(flip_landmarks(plain.landmarks3d), abs=1e-3)
    assert mirrored.pose == pytest.approx(flip_pose(plain.pose), abs=0.05)


def test_what_is_no_face_has_no_confidence() -> None:
    from reenact.labelling.synthetic.reading import face_reader

    random = np.random.default_rng(0)
    walls = np.full((8, 120, 120), 128, np.uint8) + random.integers(-20, 20, (8, 120, 120)).astype(np.uint8)
    seen = face_reader().read_gray(list(walls), [Box(20, 20, 100, 100)] * 8)
    assert (seen.confidence < 0.5).all()


def test_the_backend_is_a_landmark_predictor(drawn: Drawn) -> None:
    from reenact.labelling.backends import backend_facts, landmark_predictor

    predictor = landmark_predictor("synthetic")
    true = drawn.points[4, :, :2].astype(float) * 128
    points = predictor(drawn.gray[4], detector_like_box(true))
    assert points.shape == (68, 2)
    assert np.linalg.norm(points - true, axis=1).mean() < 0.10 * spread(true)
    facts = backend_facts("synthetic")
    assert facts["sha256"] == hash_file(models.released_file("labels"))
    assert facts["model"] == models.released_file("labels").stem


def test_training_twice_gives_the_same_and_learns(drawn: Drawn) -> None:
    from reenact.labelling.synthetic.training import SyntheticTraining, Target, answer_loss, train

    settings = SyntheticTraining(
        architecture="shape_codes", width=4, size=32, samples=640, batch=32, learning_rate=3e-3, half=False
    )
    once, again = train(drawn, settings), train(drawn, settings)
    for name, weight in once.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    views: Views = plain_views(drawn, np.arange(len(drawn)), size=32)
    torch.manual_seed(0)
    new = ShapeCodes(width=4)
    new.learn_basis(torch.from_numpy(views.points))
    with torch.no_grad():
        trained, untrained = (answer_loss(one.eval()(Target.of(views).gray), Target.of(views)) for one in (once, new))
    assert trained < 0.9 * untrained


def test_train_synthetic_refuses_in_words(tmp_path: Path) -> None:
    from reenact.labelling.synthetic.making import make_network

    with pytest.raises(SettingsError, match=r"train-synthetic\.widht"):
        make_network(role="labels", out=tmp_path / "a.safetensors", settings={"widht": 8})
    with pytest.raises(BadInput, match=r"ends with \.safetensors"):
        make_network(role="labels", out=tmp_path / "a.pt", settings={})


@pytest.fixture(scope="module")
def turning() -> tuple[list[np.ndarray], np.ndarray]:
    """A video that begins and ends with a turned head: 48 pictures, true yaw from 65 over 0 to -65 degrees."""
    from dataclasses import replace

    from reenact.rendering.clips import invent_scene
    from reenact.rendering.scene import Stage

    identity = FIRST_IDENTITY["test"] + 900_100
    scene = invent_scene(seed=5, identity=identity, clip=0, frames=48, fps=25.0, size=256, yaw=20, honest=True)
    pose = scene.motion.pose * 0.5
    pose[:, 1] = np.linspace(65, -65, 48)
    motion = replace(scene.motion, pose=pose)
    stage = Stage(scene.person, scene.surroundings, motion, scene.size)
    return [stage.draw(motion, frame)[0] for frame in range(48)], pose


class LateDetector:
    """dlib's, but blind at its first looks, as it is for turned heads."""

    def __init__(self, looks: int) -> None:
        from reenact.labelling import backends

        self.inner, self.looks = backends.detector(), looks
        self.name, self.smallest = self.inner.name, self.inner.smallest

    def __call__(self, gray: np.ndarray) -> list[Detection]:
        self.looks -= 1
        return [] if self.looks >= 0 else self.inner(gray)


def followed(pictures: list[np.ndarray], *, blind: int = 0, **settings: float) -> tuple[list[int], int]:
    """Frames of the longest track, and how many tracks there are."""
    from reenact.labelling import backends
    from reenact.labelling.finding import DetectSettings
    from reenact.labelling.tracking import follow

    found = follow(
        enumerate(pictures), fps=25.0, detector=LateDetector(blind), settings=DetectSettings(**settings),
        predictor=backends.landmark_predictor("synthetic"), confirmer=backends.confirmer("synthetic"),
    )  # fmt: skip
    tracks = [[one.frame for one in track.frames] for track in found.tracks]
    return max(tracks, key=len, default=[]), len(tracks)


def test_a_face_is_followed_to_both_sides_from_where_it_is_frontal(
    turning: tuple[list[np.ndarray], np.ndarray],
) -> None:
    frames, tracks = followed(turning[0], blind=11)
    assert tracks == 1
    assert frames == sorted(set(frames))
    assert len(frames) >= 46


def test_it_is_followed_back_no_further_than_asked(turning: tuple[list[np.ndarray], np.ndarray]) -> None:
    whole, short = followed(turning[0], blind=11)[0], followed(turning[0], blind=11, back=0.0)[0]
    half = followed(turning[0], blind=11, back=0.4)[0]
    assert whole[0] <= 1
    assert short == whole[whole.index(20) :]  # the first frame that the detector sees
    assert half == whole[whole.index(10) :]


def test_a_track_ends_where_the_face_does(turning: tuple[list[np.ndarray], np.ndarray]) -> None:
    """The head is painted over: the network must say that it's gone, not follow the wall."""
    wall = np.full_like(turning[0][0], 120)
    frames, _ = followed([*turning[0][:30], *[wall] * 18])
    assert frames
    assert max(frames) == 29


def test_nothing_is_followed_back_over_a_cut(turning: tuple[list[np.ndarray], np.ndarray]) -> None:
    random = np.random.default_rng(0)
    other = [np.asarray(random.integers(0, 255, (256, 256, 3)) // 4 * 3, dtype=np.uint8)] * 6
    frames, _ = followed([*other, *turning[0]])
    assert min(frames) >= 6
