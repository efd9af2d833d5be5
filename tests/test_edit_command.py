"""`reenact edit`: from a trained folder and a frame or a picture to a grid that says what it is."""

import struct
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from editable_systems import Mixer, Painter, write_segments
from evaluation_corpus import write_corpus
from reenact.cli import app, edit_sources
from reenact.cli.edit import parsed
from reenact.corpus.corpus import Corpus
from reenact.corpus.tables import write_table
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.evaluation.edit_drawing import draw_edits
from reenact.evaluation.pictures import Pictures
from reenact.reports.edit_grid import LEAST, Cell, edit_grid
from reenact.systems import store
from test_protocols import Mover

PARAMS = Path(__file__).parent.parent / "params.yaml"


class Both(Painter):
    """Paints labels, before any picture."""

    def on_background(self, sources, driving, background):
        image = self.reenact(sources, driving)
        image[:, :, 20:] = background[:, :, 20:]
        return image


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A corpus with a trained branch in `out`, whose system the test chooses."""
    root = tmp_path / "out"
    folders = write_corpus(root)
    write_segments(root, Corpus(folders["frames"], landmarks=folders["landmarks"]))
    model = root / "branches" / "facegan-full-0" / "train"
    model.mkdir(parents=True)
    (model / "model.json").write_text("{}")
    chosen = SimpleNamespace(system=Both(), root=root, folder=tmp_path, loaded=[])

    def load_system(folder, device):
        chosen.loaded.append(folder)
        return chosen.system, {"size": 32}

    monkeypatch.setattr(store, "load_system", load_system)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.chdir(tmp_path)
    return chosen


def edit(*arguments):
    """What the command writes; a sentence for people is raised, as `main` prints it."""
    done = CliRunner().invoke(app, ["edit", *arguments, "--params", str(PARAMS)], catch_exceptions=True)
    if isinstance(done.exception, ReenactError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_frame_is_drawn_with_the_labels_that_were_set(project):
    said = edit("facegan-full-0", "clip-7:3", "--edit", "AU12=3", "--edit", "yaw=20")
    assert said.startswith("edited.png: 1 synthetic faces of 1 people")
    sources, driving = project.system.given[0]
    corpus = Corpus(project.root / "frames", landmarks=project.root / "landmarks", actions=project.root / "actions")
    clip = corpus.by_name["clip-7"]
    own = corpus.actions(clip)[3].copy()
    own[8] = 3.0
    assert driving.actions[0].tolist() == pytest.approx(own.tolist())
    assert driving.pose[0].tolist() == pytest.approx([corpus.pose(clip)[3, 0], 20.0, corpus.pose(clip)[3, 2]])
    assert sources.image.shape == (1, 1, 3, 32, 32)
    picture = cv2.imread("edited.png")
    assert picture.shape[1] > 2 * LEAST


def test_a_sweep_has_a_picture_per_level_and_people_a_row_each(project):
    said = edit("facegan-full-0", "clip-7:3", "clip-8", "--sweep", "AU12", "--sweep", "yaw", "--levels", "3",
                "--picture", "some/sweep.png")  # fmt: skip
    assert "12 synthetic faces of 2 people" in said
    asked = [driving.actions[:, 8].tolist() for _, driving in project.system.given]
    turned = [driving.pose[:, 1].tolist() for _, driving in project.system.given]
    assert asked[0] == asked[2] == [0, 2.5, 5]
    assert turned[1] == turned[3] == [-30, 0, 30]
    assert cv2.imread("some/sweep.png").shape[0] > 4 * LEAST


def test_the_file_says_that_its_faces_are_synthetic(project):
    edit("facegan-full-0", "clip-7:3", "--edit", "AU12=3")
    data = Path("edited.png").read_bytes()
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.setdefault(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    assert list(found)[-1] == b"IEND"
    assert b"synthetic: drawn by a network" in found[b"iTXt"]


def test_a_picture_stands_behind_the_face(project):
    behind = np.zeros((40, 60, 3), np.uint8)
    behind[:, 10:50] = (0, 0, 200)  # its middle square is red
    cv2.imwrite("red.png", behind)
    edit("facegan-full-0", "clip-7:3", "--background", "red.png")
    red = cv2.imread("edited.png")[..., 2] == 200
    assert red.sum() > 1.2 * LEAST**2  # the background by itself, and below the painted bars


def test_a_frame_of_the_corpus_stands_behind_the_face(project):
    given = []
    project.system.on_background = lambda sources, driving, background: given.append(background) or background
    edit("facegan-full-0", "clip-7:3", "--background", "clip-8:1")
    shown = ((given[0][0].permute(1, 2, 0).numpy() + 1) * 127.5).round()
    assert (shown == Pictures(Corpus(project.root / "frames"), size=32).one("clip-8", 1)).all()


def test_a_picture_is_labelled_by_the_stages_of_the_pipeline(project, monkeypatch):
    cv2.imwrite("ana.png", np.full((90, 80, 3), 77, np.uint8))
    told = []

    def run(root, params, *, segments):
        told.append((sorted(path.name for path in (root / "given").iterdir()), params.plain(), segments))
        folders = write_corpus(root / "made", splits=("test",), frames=1)
        for name in ("frames", "landmarks", "actions"):
            folders[name].rename(root / name)
        corpus = Corpus(root / "frames").table.assign(clip="clip-0", video="picture000")
        write_table(root / "frames" / "clips.parquet", corpus, kind="clips")
        quarantine = {"clip": ["picture001"], "file": [""], "stage": [""], "reason": ["picture001.png: no face found"]}
        write_table(root / "frames" / "quarantine.parquet", pd.DataFrame(quarantine),
                    kind="quarantine")  # fmt: skip

    monkeypatch.setattr(edit_sources, "_run_stages", run)
    edit("facegan-full-0", "ana.png", "--edit", "AU12=1")
    ((files, plain, segments),) = told
    assert files == ["picture000.png"]
    assert plain["fetch_data"]["layout"] == "pictures"
    assert plain["fetch_data"]["videos"].endswith("/given")
    assert segments is False
    cv2.imwrite("wall.png", np.zeros((90, 80, 3), np.uint8))
    with pytest.raises(BadInput, match=r"^wall\.png: no face found"):
        edit("facegan-full-0", "ana.png", "wall.png", "--edit", "AU12=1")


def test_a_folder_can_be_named_in_place_of_a_branch(project):
    model = project.root / "branches" / "facegan-full-0"
    for place in (model, model / "train"):
        edit(str(place), "clip-7:3", "--edit", "AU12=3")
    assert len({folder.resolve() for folder in project.loaded}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clip-7:3"], "nothing to change"),
        (["clip-7:3", "--edit", "AU12"], "NAME=VALUE"),
        (["clip-7:3", "--edit", "AU12=1", "--edit", "AU12=2"], "set twice"),
        (["clip-7:3", "--edit", "AU13=1"], "did you mean"),
        (["clip-7:3", "--edit", "AU12=1", "--sweep", "AU12"], "Choose one"),
        (["clip-7:3", "--edit", "AU12=1", "--picture", "a.jpg"], r"name a \.png file"),
        (["clip-7:99", "--edit", "AU12=1"], "clip-7 has frames 0 to 9"),
        (["clip-77:1", "--edit", "AU12=1"], "neither a picture file nor a frame"),
        (["clip-7:3", "--background", "params.yaml"], "can't be read as a picture"),
    ],
)
def test_mistakes_are_said(project, arguments, said):
    (project.folder / "params.yaml").write_text("no picture")
    with pytest.raises((SettingsError, BadInput), match=said):
        edit("facegan-full-0", *arguments)


def test_what_a_system_can_not_do_is_said(project):
    for system, arguments, said in (
        (Mover(), ("--edit", "AU12=3"), "follows landmarks"),
        (Painter(), ("--background", "clip-8:1"), "no background mixer"),
        (Mixer(), ("--sweep", "yaw"), "mixer follows landmarks"),
    ):
        project.system = system
        with pytest.raises(BadInput, match=said):
            edit("facegan-full-0", "clip-7:3", *arguments)
    with pytest.raises(SettingsError, match=r'no trained branch .* did you mean "facegan-full-0"'):
        edit("facegan-ful-0", "clip-7:3", "--edit", "AU12=3")


def test_a_system_that_draws_no_numbers_is_said():
    class Sick(Painter):
        def reenact(self, sources, driving):
            return super().reenact(sources, driving) * float("nan")

    from reenact.faces.batch import Faces

    face = Faces(image=torch.zeros(1, 3, 32, 32), landmarks=torch.rand(1, 68, 2), actions=torch.zeros(1, 17),
                 pose=torch.zeros(1, 3))  # fmt: skip
    with pytest.raises(BadInput, match="no numbers"):
        draw_edits(Sick(), face, [{"AU12": 3.0}])
    assert draw_edits(Painter(), face, [{}, {"AU12": 3.0}]).shape == (2, 32, 32, 3)


def test_drawn_pictures_wear_a_mark_and_real_ones_do_not():
    grey = np.full((LEAST, LEAST, 3), 100, np.uint8)
    real, fake = (edit_grid([[Cell(picture=grey, caption="", fake=fake)]]) for fake in (False, True))
    changed = (real != fake).any(axis=-1)
    assert 300 < changed.sum() < 0.06 * LEAST**2
    assert changed[: LEAST // 2].sum() == 0


def test_edits_are_read():
    assert parsed(["AU12=3", "yaw=-20.5"]) == {"AU12": 3.0, "yaw": -20.5}
