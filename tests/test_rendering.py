"""The renderer: repeatable, true to its labels, readable by the tools that label real video."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.config import Runtime
from reenact.corpus.shards import read_stage
from reenact.corpus.tables import read_table
from reenact.errors import BadInput, NewerFormat, SettingsError
from reenact.faces.actions import ACTION_UNITS
from reenact.faces.landmarks import FLIP, GROUPS, outer_eye_distance
from reenact.faces.pose import flip_pose, pose_of, rotation
from reenact.faces.shape_model import canonical, shape_model
from reenact.rendering.canvas import BACKGROUND, FACE, HAIR, Canvas, smooth
from reenact.rendering.clips import invent_scene, read_scene, redraw, write_scene
from reenact.rendering.head import Camera, pose_head
from reenact.rendering.motion import Motion, invent_motion
from reenact.rendering.person import STYLES, Person, invent_person
from reenact.rendering.raster import Mesh, grid_faces, grid_normals, rasterise
from reenact.rendering.scene import Stage
from reenact.rendering.sheet_of_people import sheet_of_people
from reenact.rendering.surface import controls, face_points, places, sheet
from reenact.stages.render_clips import RenderClipsSettings, render_clips

CAMERA = Camera(scale=0.8, centre=(128.0, 150.0), distance=800.0)


def person(seed: int = 0, *, honest: bool = True) -> Person:
    return invent_person(np.random.default_rng(seed), honest=honest)


def still(actions: np.ndarray | None = None, pose: tuple = (0.0, 0.0, 0.0)) -> Motion:
    actions = np.zeros(17) if actions is None else actions
    return Motion(actions=actions[None], pose=np.array([pose]), gaze=np.zeros((1, 2)), drift=np.zeros((1, 3)))


def single(action: str, intensity: float = 5.0) -> np.ndarray:
    actions = np.zeros(17)
    actions[ACTION_UNITS.index(action)] = intensity
    return actions


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered") / "videos"
    settings = RenderClipsSettings(identities=2, frames=6)
    render_clips(out=out, settings=settings, runtime=Runtime(workers=1))
    return out


# --- mirror laws ---


def test_mirrored_person_and_pose_give_mirrored_landmarks() -> None:
    some = person(3)
    mirrored = replace(
        some, residual=some.residual[FLIP] * np.array([-1, 1, 1]), strength=some.strength[:, ::-1].copy()
    )
    actions, pose = np.random.default_rng(1).uniform(0, 4, 17), np.array([7.0, 21.0, -9.0])
    camera = replace(CAMERA, centre=(0.0, 0.0))
    head = pose_head(some, actions, pose, camera)
    other = pose_head(mirrored, actions, flip_pose(pose), camera)
    seen, seen_mirrored = head.place(head.points), other.place(other.points)
    np.testing.assert_allclose(seen_mirrored, seen[FLIP] * np.array([-1, 1, 1]), atol=1e-9)
    assert not np.allclose(seen_mirrored, seen, atol=1.0)


# --- surface and depth ---


@pytest.mark.parametrize("seed", range(3))
def test_the_surface_passes_through_the_landmarks_and_faces_outwards(seed: int) -> None:
    rng = np.random.default_rng(seed)
    head = pose_head(person(seed), rng.uniform(0, 3, 17), np.zeros(3), CAMERA)
    points, normals = face_points(head)
    one = sheet()
    for landmark, (u, v) in enumerate(places()[:68]):
        row, column = np.searchsorted(one.v, v) - 1, np.searchsorted(one.u, u) - 1
        y, x = (v - one.v[row]) / np.diff(one.v)[row], (u - one.u[column]) / np.diff(one.u)[column]
        square = points[row : row + 2, column : column + 2]
        between = np.einsum("r,c,rci->i", (1 - y, y), (1 - x, x), square)
        assert np.linalg.norm(between - head.points[landmark]) < 2.0, "mm: the grid is finer than the face's forms"
    assert normals[np.abs(one.v - 10).argmin(), np.abs(one.u).argmin(), 2] < -0.5, "the nose's tip faces the camera"
    assert normals[np.abs(one.v + 10).argmin(), np.abs(one.u + 105).argmin(), 0] < -0.5, "the right cheek faces right"


def test_control_points_are_mirror_symmetric_for_a_symmetric_head() -> None:
    points = controls(pose_head(person(honest=False), single("AU12"), np.zeros(3), CAMERA))
    mirrored = points * np.array([-1, 1, 1])
    nearest = np.linalg.norm(points[:, None] - mirrored[None], axis=-1).min(axis=1)
    assert nearest.max() < 1e-6


def test_depth_agrees_with_trying_every_triangle_at_every_pixel() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform((-5, -5, 0), (45, 45, 9), (30, 3))
    faces = rng.integers(0, 30, (25, 3))
    seen = rasterise([Mesh(points, faces, points[:, 2:].astype(np.float32), 7, both=True)], 40)
    expected = np.full((40, 40), np.inf)
    for a, b, c in points[faces]:
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]])
        if abs(np.linalg.det(matrix)) < 1e-3:
            continue
        y, x = np.mgrid[0:40, 0:40] + 0.5
        weights = np.linalg.inv(matrix) @ np.stack([x.ravel(), y.ravel(), np.ones(1600)])
        depth = (weights * np.array([[a[2]], [b[2]], [c[2]]])).sum(axis=0)
        inside = (weights >= 0).all(axis=0)
        expected = np.where(inside.reshape(40, 40), np.minimum(expected, depth.reshape(40, 40)), expected)
    both = np.isfinite(seen.depth) & np.isfinite(expected)
    assert (np.isfinite(seen.depth) == np.isfinite(expected)).mean() > 0.995
    assert (np.abs(seen.depth[both] - expected[both]) < 1e-3).mean() > 0.995
    np.testing.assert_allclose(seen.values[0][both], seen.depth[both], atol=1e-4)
    assert set(np.unique(seen.part)) == {-1, 7}


def test_triangles_seen_from_behind_are_not_drawn_unless_asked_for() -> None:
    grid = np.stack([*np.meshgrid([2.0, 8.0], [2.0, 8.0]), np.zeros((2, 2))], -1)
    np.testing.assert_allclose(grid_normals(grid)[..., 2], -1.0)
    values = np.ones((4, 1), np.float32)
    for flip, both, count in ((1, False, 36), (-1, False, 0), (-1, True, 36)):
        mesh = Mesh(grid[:, ::flip].reshape(-1, 3), grid_faces(2, 2), values, 0, both)
        assert (rasterise([mesh], 10).part == 0).sum() == count


# --- geometry ---


def test_plain_person_is_the_shape_model_and_an_honest_one_is_not() -> None:
    model, actions = shape_model(), np.random.default_rng(0).uniform(0, 1.5, 17)
    actions[ACTION_UNITS.index("AU45")] = 0.0
    plain = pose_head(person(5, honest=False), actions, np.zeros(3), CAMERA)
    by_model = canonical(model, plain.person.identity, actions)
    np.testing.assert_allclose(plain.points, by_model, atol=0.2)  # but for lips and lids that may not cross
    honest = pose_head(person(5), actions, np.zeros(3), CAMERA)
    apart = np.linalg.norm(honest.points - by_model, axis=1).mean()
    assert 0.5 < apart < 4.0


def test_pose_in_the_picture_has_the_signs_of_openface() -> None:
    head = pose_head(person(), np.zeros(17), np.array([0.0, 25.0, 0.0]), CAMERA)
    front = pose_head(person(), np.zeros(17), np.zeros(3), CAMERA)
    seen, ahead = head.place(head.points), front.place(front.points)
    np.testing.assert_allclose(pose_of(rotation(np.array([10.0, 25.0, -5.0]))), [10.0, 25.0, -5.0])
    # The rotated nose, relative to the eyes, follows R: x' = cos(yaw) x + sin(yaw) z with z < 0 in front.
    assert (seen[30] - seen[[36, 45]].mean(axis=0))[0] < (ahead[30] - ahead[[36, 45]].mean(axis=0))[0] - 5.0
    down = pose_head(person(), np.zeros(17), np.array([12.0, 0.0, 0.0]), CAMERA)
    assert down.matrix @ np.array([0, 0, -1]) == pytest.approx([0, np.sin(np.radians(12)), -np.cos(np.radians(12))])


def test_a_near_camera_enlarges_what_is_near_and_a_far_one_does_not() -> None:
    points = np.array([(10.0, 0.0, -100.0), (10.0, 0.0, 100.0)])
    head = pose_head(person(), np.zeros(17), np.zeros(3), CAMERA)
    near, far = head.flat(points)[:, 0] - 128.0
    assert near > 8.0 > far
    parallel = pose_head(person(), np.zeros(17), np.zeros(3), replace(CAMERA, distance=1e9))
    np.testing.assert_allclose(parallel.flat(points)[:, 0] - 128.0, 8.0, rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_lids_and_lips_never_cross(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for actions in (single("AU45"), np.full(17, 5.0), rng.uniform(0, 5, 17), single("AU45") + single("AU07")):
        points = pose_head(person(seed), actions, np.zeros(3), CAMERA).points
        for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
            assert points[upper, 1] <= points[lower, 1]


def test_persons_differ_in_structure_and_keep_their_own_asymmetry() -> None:
    heads = [pose_head(person(seed), np.zeros(17), np.zeros(3), CAMERA).points for seed in range(8)]
    for first in range(8):
        for second in range(first):
            assert np.linalg.norm(heads[first] - heads[second], axis=1).mean() > 1.5
    smile = pose_head(person(1), single("AU12"), np.zeros(3), CAMERA)
    right, left = (smile.points - smile.rest)[[48, 54], 0]
    assert abs(abs(right) - abs(left)) > 0.05


# --- motion ---


def test_motion_stays_in_bounds_is_smooth_and_uses_every_action_unit() -> None:
    seen = np.zeros(17)
    for seed in range(12):
        motion = invent_motion(np.random.default_rng(seed), frames=48, fps=25.0, yaw=30.0)
        assert motion.actions.shape == (48, 17)
        assert motion.actions.min() >= 0.0
        assert motion.actions.max() <= 5.0
        assert (np.abs(motion.pose) <= (15, 30, 12)).all()
        assert np.abs(np.diff(motion.pose, axis=0)).max() < 12.0
        assert motion.actions[:, ACTION_UNITS.index("AU45")].max() > 2.0, "a blink in every clip of two seconds"
        seen = np.maximum(seen, motion.actions.max(axis=0))
    assert (seen > 3.5).all()


def test_two_frames_of_a_clip_usually_differ() -> None:
    rng, apart = np.random.default_rng(0), []
    for seed in range(10):
        motion = invent_motion(np.random.default_rng(seed), frames=48, fps=25.0, yaw=30.0)
        for _ in range(20):
            first, second = rng.integers(48, size=2)
            apart.append(
                np.abs(motion.pose[first] - motion.pose[second]).max() > 5.0
                or np.abs(motion.actions[first] - motion.actions[second]).max() > 1.5
            )
    assert np.mean(apart) > 0.85


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_clips_move_too(frames: int) -> None:
    assert len(invent_motion(np.random.default_rng(0), frames=frames, fps=25.0, yaw=30.0)) == frames


# --- pictures and their truth ---


def test_classes_lie_where_the_landmarks_say() -> None:
    for seed in range(6):
        scene = invent_scene(seed=1, identity=seed, clip=0, frames=3, fps=25.0, size=256, yaw=25.0, honest=True)
        picture, truth = Stage(scene.person, scene.surroundings, scene.motion, 256).draw(scene.motion, 1)
        assert picture.shape == (256, 256, 3)
        assert picture.dtype == np.uint8
        assert set(np.unique(truth.segments)) <= {BACKGROUND, FACE, HAIR}
        assert truth.landmarks.min() > 2
        assert truth.landmarks.max() < 254
        inner = np.floor(truth.landmarks[[30, 33, 51, 57, 40, 47]]).astype(int)
        assert (truth.segments[inner[:, 1], inner[:, 0]] == FACE).all()
        assert truth.segments[2, 2] == BACKGROUND
        hull = cv2.convexHull(truth.landmarks)
        assert 0.9 < (truth.segments == FACE).sum() / cv2.contourArea(hull) < 2.6
        assert ((truth.segments == HAIR).mean() > 0.01) == (scene.person.style != "bald")
        np.testing.assert_array_equal(truth.landmarks, truth.landmarks3d[:, :2])
        assert truth.visibility[[27, 28, 29, 30, 51, 57]].all()


def posed(someone: Person, pose: tuple, actions: np.ndarray | None = None, size: int = 256) -> tuple:
    scene = invent_scene(seed=2, identity=1, clip=0, frames=1, fps=25.0, size=size, yaw=0.0, honest=True)
    plain = replace(scene.surroundings, noise=0.0, quality=100, blur=0.0, exposure=0.9)
    return Stage(someone, plain, still(), size).draw(still(actions, pose), 0)


@pytest.fixture(scope="module")
def bare() -> Person:
    return replace(person(12), glasses=0.0, style="bald", beard=0.0, moustache=0.0, stubble=0.0)


def test_a_turned_head_hides_its_far_side_by_depth(bare: Person) -> None:
    ahead = posed(bare, (0.0, 0.0, 0.0))[1].visibility
    assert ahead[1:16].sum() >= 13, "all but perhaps what lies on the outline"
    assert ahead[17:].all()
    for yaw, far_jaw, far_eye, near in (
        (70.0, slice(0, 6), [36, 41], 45),
        (-70.0, slice(11, 17), [45, 46], 36),
    ):
        seen = posed(bare, (0.0, yaw, 0.0))[1].visibility
        assert not seen[far_jaw].any()
        assert not seen[far_eye].any(), "behind the nose"
        assert seen[[near, 30, 51]].all()
    hidden = [int((~posed(bare, (0.0, yaw, 0.0))[1].visibility).sum()) for yaw in (0.0, 30.0, 50.0, 75.0)]
    assert hidden == sorted(hidden)
    assert hidden[-1] > 20


@pytest.mark.parametrize("style", STYLES)
def test_every_hair_style_is_drawn_at_every_turn(style: str, bare: Person) -> None:
    someone = replace(bare, style=style)
    for yaw in (0.0, 75.0):
        truth = posed(someone, (0.0, yaw, 0.0), size=128)[1]
        assert ((truth.segments == HAIR).mean() > 0.02) == (style != "bald")
        assert (truth.segments == FACE).mean() > 0.08


# Anchor landmarks, and left and right, top and bottom around their middle, in outer eye distances.
_REGIONS = {
    "AU01": (range(17, 27), 0.50, -0.42, 0.14), "AU02": (range(17, 27), 0.68, -0.42, 0.16),
    "AU04": (range(17, 27), 0.55, -0.32, 0.24), "AU05": (range(36, 48), 0.56, -0.24, 0.14),
    "AU06": (range(36, 48), 0.85, -0.20, 0.60), "AU07": (range(36, 48), 0.62, -0.18, 0.22),
    "AU09": (range(27, 36), 0.46, -0.70, 0.46), "AU10": ((33, 51), 0.46, -0.20, 0.36),
    "AU12": (range(48, 68), 0.66, -0.50, 0.34), "AU14": (range(48, 68), 0.50, -0.32, 0.34),
    "AU15": (range(48, 68), 0.52, -0.24, 0.40), "AU17": ((8, 57), 0.46, -0.42, 0.28),
    "AU20": (range(48, 68), 0.70, -0.34, 0.36), "AU23": (range(48, 68), 0.42, -0.30, 0.34),
    "AU25": (range(48, 68), 0.42, -0.24, 0.36), "AU26": ((8, 57), 0.75, -0.50, 0.50),
    "AU45": (range(36, 48), 0.58, -0.22, 0.16),
}  # fmt: skip


@pytest.mark.parametrize("action", ACTION_UNITS)
def test_every_action_unit_shows_mostly_in_its_own_region(action: str, bare: Person) -> None:
    before, truth = posed(bare, (0.0, 0.0, 0.0))
    after, _ = posed(bare, (0.0, 0.0, 0.0), single(action))
    change = np.abs(after.astype(float) - before).mean(axis=2)
    change[change < 4.0] = 0.0
    anchor, half, top, bottom = _REGIONS[action]
    x, y = truth.landmarks[list(anchor)].mean(axis=0)
    half, top, bottom = np.array([half, top, bottom]) * outer_eye_distance(truth.landmarks)
    region = np.zeros(change.shape, bool)
    region[round(y + top) : round(y + bottom), round(x - half) : round(x + half)] = True
    assert change[region].sum() > 0.75 * change.sum()
    assert (change > 20).sum() > 40


def test_supersampled_shapes_have_the_area_and_place_they_should() -> None:
    canvas = Canvas(np.zeros((128, 128, 3), dtype=np.uint8), 2.0)
    canvas.fill(np.array([(10.0, 20.0), (40.0, 20.0), (40.0, 50.0), (10.0, 50.0)]), (200, 100, 50))
    picture = cv2.resize(canvas.pixels, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
    assert picture[..., 0].sum() / 200 == pytest.approx(900, rel=0.08)
    weight = picture[..., 0]
    assert (weight * (np.arange(64) + 0.5)).sum() / weight.sum() == pytest.approx(25, abs=0.3)


def test_painting_inside_a_shape_leaves_the_rest_alone() -> None:
    canvas = Canvas(np.full((64, 64, 3), 90, dtype=np.uint8), 1.0)
    box = np.array([(20.0, 20.0), (30.0, 20.0), (30.0, 30.0), (20.0, 30.0)])
    canvas.inside(box, lambda: canvas.disc(np.array([25.0, 25.0]), 20.0, (255, 0, 0)))
    changed = (canvas.pixels != 90).any(axis=2)
    assert changed[22:28, 22:28].all()
    assert (canvas.pixels[24:26, 24:26] == (255, 0, 0)).all()
    assert changed.sum() <= 13 * 13


def test_shade_darkens_along_a_line_only() -> None:
    canvas = Canvas(np.full((64, 64, 3), 200, dtype=np.uint8), 1.0)
    canvas.shade(np.array([(10.0, 32.0), (54.0, 32.0)]), 0.5, 4.0)
    assert 95 <= canvas.pixels[32, 32, 0] <= 130
    assert (canvas.pixels[:20] == 200).all()
    assert (canvas.pixels[44:] == 200).all()


def test_smooth_curves_pass_through_their_points() -> None:
    points = np.random.default_rng(0).uniform(0, 10, (7, 2))
    np.testing.assert_allclose(smooth(points, steps=4)[::4], points)
    np.testing.assert_allclose(smooth(points, closed=True, steps=5)[::5], points)


# --- clips as files ---


def test_stage_writes_what_the_contract_says(rendered: Path) -> None:
    assert read_stage(rendered, kind="videos")["clips"] == 2
    table = read_table(rendered / "clips.parquet", kind="videos")
    assert list(table["identity"]) == ["person-0000", "person-0001"]
    assert read_table(rendered / "quarantine.parquet", kind="quarantine").empty
    for row in table.itertuples():
        capture = cv2.VideoCapture(str(rendered / row.file))
        frames = []
        while (read := capture.read())[0]:
            frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
        assert capture.get(cv2.CAP_PROP_FPS) == 25
        assert len(frames) == 6
        truth = np.load(rendered / f"{row.clip}.truth.npz")
        shapes = {name: truth[name].shape for name in truth.files}
        assert shapes == {
            "landmarks": (6, 68, 2), "landmarks3d": (6, 68, 3), "visibility": (6, 68), "actions": (6, 17),
            "pose": (6, 3), "segments": (6, 256, 256),
        }  # fmt: skip
        scene = rendered / f"{row.clip}.scene.json"
        drawn = redraw(scene, scene, range(6))
        for one, other in zip(drawn, frames, strict=True):
            assert cv2.PSNR(one, other) > 32, "the video shows what was drawn, but for its compression"


def test_redraw_with_own_motion_is_exact_and_with_another_keeps_the_person(rendered: Path) -> None:
    own, other = (rendered / f"person-000{i}-0.scene.json" for i in (0, 1))
    scene = read_scene(own)
    stage = Stage(scene.person, scene.surroundings, scene.motion, scene.size)
    np.testing.assert_array_equal(redraw(own, own, [2])[0], stage.draw(scene.motion, 2)[0])
    crossed = redraw(own, other, [5])[0]
    assert np.abs(crossed[:40, :40].astype(int) - stage.draw(scene.motion, 5)[0][:40, :40]).max() < 40, "own background"
    driving = read_scene(other)
    truth = stage.draw(driving.motion, 5)[1]
    head = pose_head(
        scene.person, driving.motion.actions[5], driving.motion.pose[5], stage.head(scene.motion, 5, 5).camera
    )
    np.testing.assert_allclose(truth.landmarks, head.flat(head.points), atol=1e-3)
    with pytest.raises(BadInput, match="no frame 6"):
        redraw(own, other, [6])


def test_files_are_the_same_bit_for_bit_for_any_number_of_workers(rendered: Path, tmp_path: Path) -> None:
    render_clips(out=tmp_path / "b", settings=RenderClipsSettings(identities=2, frames=6), runtime=Runtime(workers=2))
    names = sorted(file.name for file in rendered.iterdir())
    assert names == sorted(file.name for file in (tmp_path / "b").iterdir())
    for name in names:
        assert (rendered / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_scene_survives_its_file_to_the_last_bit(tmp_path: Path) -> None:
    scene = invent_scene(seed=4, identity=2, clip=1, frames=5, fps=25.0, size=128, yaw=20.0, honest=True)
    write_scene(tmp_path / "a.scene.json", scene)
    again = read_scene(tmp_path / "a.scene.json")
    first = Stage(scene.person, scene.surroundings, scene.motion, 128).draw(scene.motion, 3)[0]
    second = Stage(again.person, again.surroundings, again.motion, 128).draw(again.motion, 3)[0]
    np.testing.assert_array_equal(first, second)
    assert again.person.plain() == scene.person.plain()


def test_clips_of_one_identity_show_one_person_in_other_surroundings() -> None:
    facts = {"seed": 0, "identity": 3, "frames": 2, "fps": 25.0, "size": 64, "yaw": 30.0, "honest": True}
    first, second = (invent_scene(clip=clip, **facts) for clip in (0, 1))
    assert first.person.plain() == second.person.plain()
    assert first.surroundings.background_seed != second.surroundings.background_seed


def test_a_finished_clip_is_kept_and_a_changed_or_damaged_one_is_drawn_again(tmp_path: Path) -> None:
    settings = RenderClipsSettings(identities=2, frames=2, size=64)
    runtime, out = Runtime(workers=1), tmp_path / "r"
    assert render_clips(out=out, settings=settings, runtime=runtime).counts["drawn"] == 2
    assert render_clips(out=out, settings=settings, runtime=runtime).counts["drawn"] == 0
    (out / "person-0001-0.scene.json").write_text("{ half a fi")
    assert render_clips(out=out, settings=settings, runtime=runtime).counts["drawn"] == 1
    more = settings.model_copy(update={"identities": 3})
    assert render_clips(out=out, settings=more, runtime=runtime).counts["drawn"] == 1
    other = settings.model_copy(update={"yaw": 10.0})
    assert render_clips(out=out, settings=other, runtime=runtime).counts["drawn"] == 2
    assert not list(out.glob("person-0002*")), "clips that were not asked for are gone"


def test_an_interrupted_run_leaves_nothing_that_looks_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RenderClipsSettings(identities=1, frames=3, size=64)
    out, runtime = tmp_path / "r", Runtime(workers=1)
    original, calls = Stage.draw, []

    def dies(self: Stage, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Stage, "draw", dies)
    with pytest.raises(KeyboardInterrupt):
        render_clips(out=out, settings=settings, runtime=runtime)
    assert not list(out.iterdir())
    monkeypatch.setattr(Stage, "draw", original)
    assert render_clips(out=out, settings=settings, runtime=runtime).counts["drawn"] == 1


def test_bad_scenes_and_settings_are_refused_with_a_sentence(rendered: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nobody\.scene\.json"):
        read_scene(tmp_path / "nobody.scene.json")
    values = json.loads((rendered / "person-0000-0.scene.json").read_text())
    (tmp_path / "new.scene.json").write_text(json.dumps({**values, "format": 99}))
    with pytest.raises(NewerFormat):
        read_scene(tmp_path / "new.scene.json")
    (tmp_path / "old.scene.json").write_text(json.dumps({**values, "format": 1}))
    with pytest.raises(BadInput, match="earlier version"):
        read_scene(tmp_path / "old.scene.json")
    with pytest.raises(SettingsError, match='did you mean "identities"'):
        RenderClipsSettings.parse({"identites": 3}, where="render_clips")


def test_no_identities_means_nothing_to_draw(tmp_path: Path) -> None:
    result = render_clips(out=tmp_path / "r", settings=RenderClipsSettings(identities=0), runtime=Runtime())
    assert result.notes == ("nothing to draw",)
    assert read_table(tmp_path / "r" / "clips.parquet", kind="videos").empty


# --- the real tools on it ---


def test_dlib_finds_and_reads_the_faces() -> None:
    """Within 25 degrees of yaw: nearly all found, landmarks near the truth in every part of the face."""
    dlib = pytest.importorskip("dlib")
    folders = importlib.util.find_spec("face_recognition_models")
    assert folders is not None
    assert folders.submodule_search_locations
    models = Path(next(iter(folders.submodule_search_locations))) / "models"
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))
    found, total, errors = 0, 0, []
    for identity in range(16):
        scene = invent_scene(seed=7, identity=identity, clip=0, frames=30, fps=25.0, size=256, yaw=25.0, honest=True)
        stage = Stage(scene.person, scene.surroundings, scene.motion, 256)
        for frame in (3, 13, 23):
            picture, truth = stage.draw(scene.motion, frame)
            boxes = detector(picture, 0)
            total += 1
            if len(boxes) == 0:
                continue
            found += 1
            seen = np.array([(p.x + 0.5, p.y + 0.5) for p in predictor(picture, boxes[0]).parts()])
            distance = np.linalg.norm(seen - truth.landmarks, axis=1)
            errors.append(distance / outer_eye_distance(truth.landmarks))
    assert found / total >= 0.95
    per_point = np.mean(errors, axis=0)
    assert per_point.mean() < 0.065
    for group in GROUPS.values():
        assert per_point[list(group)].mean() < 0.11


def test_the_contact_sheet_shows_different_people() -> None:
    sheet_ = sheet_of_people(identities=3, columns=2, size=64, seed=0, yaw=20.0)
    assert sheet_.shape == (128, 128, 3)
    assert not sheet_[64:, 64:].any(), "no fourth person"
    assert np.abs(sheet_[:64, :64].astype(int) - sheet_[:64, 64:]).mean() > 10
