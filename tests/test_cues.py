"""Cues to action units and pose: what changes them, the table learned from them, and when it is used."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.errors import BadInput
from reenact.faces.landmarks import FLIP
from reenact.faces.pose import rotation
from reenact.faces.shape_model import shape_model
from reenact.labelling import action_reader
from reenact.labelling.action_reader import CueTable, cue_table, read_clip, read_table_file, steadied
from reenact.labelling.cue_learning import Lesson, learn
from reenact.labelling.cues import (
    ACTION_BLOCKS,
    PITCH_BLOCKS,
    TURN_BLOCKS,
    ClipCues,
    clip_cues,
    picture_cues,
    upright_face,
)
from reenact.labelling.shape_fit import fit_clip
from test_labels import photographed

SIZE = 160


def blurred_noise(seed: int = 0) -> np.ndarray:
    """A gray picture with structure at the scale of a face's features."""
    noise = np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def face_points(seed: int = 3) -> np.ndarray:
    """(68, 2) of a face in the middle of the crop."""
    return photographed(1, seed)[0][0]


def shown(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Even and odd cues in one row."""
    return np.concatenate(picture_cues(picture, points))


def alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def test_a_mirrored_face_has_the_same_even_cues_and_negative_odd_ones() -> None:
    points, picture = face_points(), blurred_noise()
    mirrored = points[FLIP] * [-1, 1] + [1, 0]
    even, odd = picture_cues(picture, points)
    other_even, other_odd = picture_cues(np.ascontiguousarray(picture[:, ::-1]), mirrored)
    assert even.shape == odd.shape == (ACTION_BLOCKS["picture"],)
    assert alike(even, other_even) > 0.99
    assert alike(odd, -other_odd) > 0.99


def test_cues_move_and_turn_with_the_face_and_not_with_the_light() -> None:
    points, picture = face_points(), blurred_noise()
    cues = shown(picture, points)
    turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 12.0, 0.9)
    turned = cv2.warpAffine(picture, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    centres = points * SIZE - 0.5  # OpenCV's coordinates are those of pixel centres
    moved = (centres @ turn[:, :2].T + turn[:, 2] + 0.5) / SIZE
    assert alike(cues, shown(np.asarray(turned), moved)) > 0.97
    assert alike(cues, shown((picture * 0.6 + 10).astype(np.uint8), points)) > 0.98
    assert alike(cues, shown(picture, points + np.array([0.06, 0.0]))) < 0.8
    assert alike(cues, shown(blurred_noise(1), points)) < 0.8


@pytest.mark.parametrize("roll", [-25.0, 0.0, 40.0])
def test_the_upright_face_shows_each_landmark_in_its_place(roll: float) -> None:
    """A dot drawn at the right eye's outer corner lands where the shape model has it, however the head is rolled."""
    head = shape_model().mean @ rotation(np.array([0.0, 0.0, roll])).T
    points = 0.5 + head[:, :2] / 260
    picture = np.zeros((SIZE, SIZE), np.uint8)
    x, y = (points[36] * SIZE - 0.5).round().astype(int)
    cv2.circle(picture, (int(x), int(y)), 3, 255, -1)
    rows, columns = np.nonzero(upright_face(picture, points) > 127)
    corner = shape_model().mean[36]
    assert (columns.mean() + 0.5) * 1.3 - 62.4 == pytest.approx(corner[0], abs=1.5)
    assert (rows.mean() + 0.5) * 1.3 - 64.0 == pytest.approx(corner[1], abs=1.5)


def test_a_clip_counts_from_its_own_median_and_ignores_frames_without_landmarks() -> None:
    points, _, _, _ = photographed(20)
    pictures = [blurred_noise(row % 3) for row in range(20)]
    usable = np.arange(20) != 5
    points[5] = 0.5
    cues = clip_cues(fit_clip(points, found=usable), points, pictures, np.flatnonzero(usable)).actions
    start = ACTION_BLOCKS["fitted"] + ACTION_BLOCKS["points"]
    counted = cues[:, : start + ACTION_BLOCKS["picture"]]
    np.testing.assert_allclose(np.median(counted[usable], axis=0), 0, atol=1e-6)
    assert not counted[5, start:].any()
    assert np.isfinite(cues).all()


def invented_lessons(rng: np.random.Generator, count: int, secret: ClipCues) -> list[Lesson]:
    """Clips in which 17 things move that all cues show mixed, and none by itself; what is true is how far each is from
    its rest, to either side, which no linear reading can say. The pose's error is linear in its cues."""
    lessons = []
    for _ in range(count):
        moved = rng.normal(0, 1, (40, 17))
        actions = moved @ secret.actions + rng.normal(0, 0.3, (40, secret.actions.shape[1]))
        pitch, turn = (rng.normal(0, 1, (40, len(part))) for part in (secret.pitch, secret.turn))
        error = np.concatenate([pitch @ secret.pitch + 5.0, turn @ secret.turn], axis=1)
        cues = ClipCues(actions=actions, pitch=pitch, turn=turn)
        lessons.append(Lesson(cues=cues, actions=np.abs(moved), error=error + rng.normal(0, 0.3, (40, 3))))
    return lessons


def secret_relation(rng: np.random.Generator) -> ClipCues:
    """How cues mix what moves; errors of the pose depend on three cues each."""
    parts = []
    for blocks, answers in ((PITCH_BLOCKS, 1), (TURN_BLOCKS, 2)):
        weights = np.zeros((sum(blocks.values()), answers))
        for answer in range(answers):
            weights[rng.choice(len(weights) - 5, 3, replace=False), answer] = 1.0
        parts.append(weights)
    return ClipCues(rng.normal(0, 1, (17, sum(ACTION_BLOCKS.values()))) / np.sqrt(17), *parts)


def test_what_is_learned_reads_other_clips(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    secret = secret_relation(rng)
    lessons = invented_lessons(rng, 60, secret)
    learn(lessons, steps=300).save(tmp_path / "table.npz")
    table, others = read_table_file(tmp_path / "table.npz"), invented_lessons(rng, 5, secret)
    readings = [table.read(lesson.cues) for lesson in others]
    read, true = np.concatenate([read for read, _ in readings]), np.concatenate([one.actions for one in others])
    assert min(np.corrcoef(read[:, i], true[:, i])[0, 1] for i in range(17)) > 0.7
    turned, error = np.concatenate([turn for _, turn in readings]), np.concatenate([one.error for one in others])
    assert np.abs(error - turned).mean(axis=0).max() < 0.6 * np.abs(error).mean(axis=0).min()


def test_learning_twice_gives_the_same_table() -> None:
    rng = np.random.default_rng(1)
    lessons = invented_lessons(rng, 8, secret_relation(rng))
    once, again = learn(lessons, steps=5), learn(lessons, steps=5)
    np.testing.assert_array_equal(once.hidden.weights, again.hidden.weights)
    np.testing.assert_array_equal(once.actions.weights, again.actions.weights)


def test_steadying_weighs_neighbours_by_their_time() -> None:
    blink = np.array([0.0, 0, 4, 0, 0])[:, None]
    even = steadied(blink, np.arange(5) * 0.04)[:, 0]
    np.testing.assert_allclose(even, [0, 1, 2, 1, 0])
    np.testing.assert_allclose(steadied(blink, np.arange(5) * 1.0), blink, atol=1e-6)
    np.testing.assert_allclose(steadied(np.full((7, 2), 3.0), np.arange(7) / 30), 3.0)
    assert steadied(blink[:1], np.zeros(1)).shape == (1, 1)


def test_few_frames_and_foreign_landmarks_are_read_by_the_fit_alone() -> None:
    points, _, _, _ = photographed(30)
    times, found = np.arange(30) / 25, np.ones(30, dtype=bool)
    fit = fit_clip(points)
    unseen = (blurred_noise() for _ in range(30))
    other = read_clip(points, found=found, pictures=unseen, times=times, backend="files")
    np.testing.assert_array_equal(other.actions, fit.actions)
    few = np.arange(30) < 8
    assert len(list(unseen)) == 30, "no picture was looked at"
    pictures = [blurred_noise()] * 30
    short = read_clip(points, found=few, pictures=pictures, times=times, backend="dlib")
    np.testing.assert_array_equal(short.actions, fit_clip(points, found=few).actions)


def test_pictures_change_what_is_read_but_not_the_fit_of_single_pictures() -> None:
    points, _, _, _ = photographed(30)
    pictures = (blurred_noise(row % 5) for row in range(30))
    read = read_clip(points, found=np.ones(30, bool), pictures=pictures, times=np.arange(30) / 25, backend="dlib")
    fit = fit_clip(points)
    assert np.abs(read.actions - fit.actions).max() > 0.05
    assert read.actions.min() >= 0
    assert read.actions.max() <= 5
    assert 0.01 < np.abs(read.pose - fit.pose).max() <= action_reader.LARGEST_TURN
    np.testing.assert_array_equal(read.neutral, fit.neutral)
    np.testing.assert_array_equal(read.shape, fit.shape)


def test_a_mirrored_clip_has_the_mirrored_pose_and_the_same_units() -> None:
    points, _, _, _ = photographed(30)
    pictures = [blurred_noise(row % 5) for row in range(30)]
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    settings = {"found": np.ones(30, bool), "times": np.arange(30) / 25, "backend": "dlib"}
    one = read_clip(points, pictures=pictures, **settings)
    other = read_clip(points[:, FLIP] * [-1, 1] + [1, 0], pictures=mirrored, **settings)
    np.testing.assert_allclose(other.pose, one.pose * [1, -1, -1], atol=0.7)
    np.testing.assert_allclose(other.actions, one.actions, atol=0.3)


def test_a_changed_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(cue_table("dlib"), CueTable)
    assert cue_table("somebody's") is None
    monkeypatch.setitem(action_reader.TABLES, "other", ("cues_dlib.npz", "0" * 64))
    with pytest.raises(BadInput, match=r"cues_dlib\.npz.*Install"):
        cue_table("other")
