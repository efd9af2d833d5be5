"""Faces before given backgrounds: where the picture has to survive, and how far it does."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from editable_systems import Mixer, discs, write_segments
from evaluation_corpus import fake_judges, write_corpus
from reenact.corpus.corpus import Corpus
from reenact.errors import BadInput
from reenact.evaluation.background_figures import ANOTHER, OWN, background_figures, sentence
from reenact.evaluation.backgrounds import another, far_from, overlap, painted_over, swap_backgrounds, swapped_pairs
from reenact.evaluation.collect import Entry
from reenact.evaluation.editing import figures_of_run, measure, write_edited
from reenact.evaluation.editing_settings import BackgroundSettings, SweepSettings
from reenact.evaluation.metrics.ssim import ssim
from reenact.evaluation.pictures import Pictures
from reenact.reports.given_backgrounds import backgrounds_html
from reenact.systems.offers import can_edit, can_swap_background
from test_protocols import Mover, listed


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    root = tmp_path_factory.mktemp("backgrounds")
    folders = write_corpus(root)
    bare = Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"],
                    segments=write_segments(root, bare))  # fmt: skip
    return Pictures(corpus, size=32), listed(folders, corpus), Pictures(bare, size=32)


def swapped(given, system, count=5):
    pictures, pairs, _ = given
    return swap_backgrounds(system, pictures, pairs, count=count, shots=1, batch=3, device="cpu")


def figures(table):
    return background_figures(table, repeats=50, seed=0)


def test_an_exact_mixer_leaves_the_given_picture_alone(given):
    found = figures(swapped(given, Mixer()))
    for kind in (ANOTHER, OWN):
        assert found["given"][kind]["pairs"] == 5
        assert found["given"][kind]["largest"] == 0
        assert found["given"][kind]["within"]["value"] == 1
    assert found["given"][ANOTHER]["iou"]["value"] > 0.93  # discs at 32 px against segments of 128 px
    assert found["ssim_unmixed"] is found["ssim_gain"] is None


def test_a_mixer_that_is_off_by_five_levels_is_off_by_five_levels(given):
    found = figures(swapped(given, Mixer(off=5.0)))
    record = found["given"][ANOTHER]
    assert [record[name]["value"] for name in ("mean", "p95", "within")] == pytest.approx([5, 5, 0])
    assert record["largest"] == 5
    assert figures(swapped(given, Mixer(off=2.0)))["given"][OWN]["within"]["value"] == 1
    assert "5.00 grey levels off on average, 0.0 % of it within 2 (5 pairs)" in sentence("ours", found)


def test_a_mask_that_is_too_large_or_too_small_overlaps_less(given):
    for radius in (0.12, 0.3):
        found = figures(swapped(given, Mixer(radius=radius)))
        ratio = min(radius, 0.2) ** 2 / max(radius, 0.2) ** 2
        assert found["given"][ANOTHER]["iou"]["value"] == pytest.approx(ratio, abs=0.08)
    # A face that is 0.1 of the side (3 px) too large stays within 4 px of the edge; one of 0.2 does not.
    assert figures(swapped(given, Mixer(radius=0.3)))["given"][ANOTHER]["largest"] == 0
    assert figures(swapped(given, Mixer(radius=0.4)))["given"][ANOTHER]["largest"] > 50


def test_the_given_pictures_are_a_strangers_and_the_own_one_without_the_face(given):
    pictures, pairs, _ = given
    system = Mixer()
    table = swapped(given, system, count=3)
    own, strangers = system.given  # the first is its own reenactment
    chosen = swapped_pairs(pairs, len(pairs))
    for place in range(3):
        clip, frame = another(chosen, place)
        assert clip != chosen["source_clip"][place]
        assert table[table["given"] == ANOTHER]["background"].iloc[place] == f"{clip} #{frame}"
        shown = ((strangers[place].permute(1, 2, 0).numpy() + 1) * 127.5).round()
        changed = np.abs(shown - pictures.one(clip, frame)).max(axis=-1) > 0
        assert 0 < changed.mean() < 1.6 * np.pi * 0.2**2, "painted over: face, and a little around it"
        source = pictures.one(chosen["source_clip"][place], chosen["source_frame"][place])
        assert (((own[place].permute(1, 2, 0).numpy() + 1) * 127.5).round() == source).all()


def test_a_person_is_painted_over_by_what_is_around():
    image = np.full((1, 21, 21, 3), 40, np.uint8)
    foreground = np.zeros((1, 21, 21), dtype=bool)
    foreground[0, 6:14, 6:14] = True
    image[foreground] = 250
    assert np.abs(painted_over(image, foreground).astype(int) - 40).max() <= 3


def test_the_own_background_counts_where_neither_frame_has_a_face(given):
    table = swapped(given, Mixer())
    places = table.pivot(index="pair", columns="given", values="places")
    assert (places[OWN] < places[ANOTHER]).all()  # source and driver never stand in one place


def test_likeness_with_and_without_the_mixer(given):
    pictures, pairs, _ = given
    table = swapped(given, Mixer(without=Mixer(off=40.0)))
    found = figures(table)
    assert found["ssim"]["value"] > found["ssim_unmixed"]["value"]
    assert found["ssim_gain"]["value"] == pytest.approx(found["ssim"]["value"] - found["ssim_unmixed"]["value"])
    pair = swapped_pairs(pairs, 1).iloc[0]
    source, truth = (pictures.one(pair[f"{role}_clip"], pair[f"{role}_frame"]) for role in ("source", "truth"))
    landmarks = np.asarray(pictures.corpus.landmarks(pictures.corpus.by_name[pair.driving_clip])[pair.driving_frame])
    disc = discs(landmarks[None], side=32)[0] > 0
    drawn = np.where(disc[..., None], round((0.9 + 1) * 127.5), source)
    expected = ssim(drawn[None] / 255.0, truth[None] / 255.0)[0]
    assert table[table["given"] == OWN]["ssim"].iloc[0] == pytest.approx(expected, abs=1e-6)


def test_only_places_four_pixels_off_the_edge_count():
    foreground = np.zeros((2, 21, 21), dtype=bool)
    foreground[0, 10, 10] = True
    y, x = np.mgrid[:21, :21]
    distance = np.hypot(y - 10, x - 10)
    assert (far_from(foreground)[0] == (distance > 4)).all()
    assert far_from(foreground)[1].all()


def test_overlap_of_masks():
    mask, face = np.zeros((3, 4, 4)), np.zeros((3, 4, 4), dtype=bool)
    mask[0, :2], face[0, 1:3] = 0.9, True
    mask[1], face[1] = 0.4, True
    assert overlap(mask, face).tolist()[:2] == pytest.approx([1 / 3, 0])
    assert np.isnan(overlap(mask, face)[2])


def test_pairs_are_of_as_many_people_as_can_be(given):
    chosen = swapped_pairs(given[1], 4)
    assert chosen["source_identity"].is_unique
    assert set(chosen["protocol"]) == {"self"}
    alone = pd.DataFrame({"source_identity": ["a", "a"], "driving_clip": ["c", "c"], "driving_frame": [1, 2]})
    assert another(alone, 0) is None


def test_without_segments_nothing_can_be_said_of_backgrounds(given):
    _, pairs, bare = given
    system = Mixer()
    system.labels = ("landmarks",)
    with pytest.raises(BadInput, match=r"label_segments\.make to always"):
        swap_backgrounds(system, bare, pairs, count=2, shots=1, batch=3, device="cpu")


def measured(given, system, count):
    pictures, pairs, _ = given
    asked = {"sweeps": SweepSettings(people=2), "backgrounds": BackgroundSettings(pairs=count)}
    how = {"shots": 1, "batch": 8, "device": "cpu", "repeats": 20, "seed": 0}
    return measure(system, pictures, pairs, fake_judges(), row="ours", **asked, **how)


def test_what_is_measured_is_written_shown_and_kept_with_the_run(given, tmp_path):
    edited = measured(given, Mixer(off=5.0), 4)
    write_edited(tmp_path, edited)
    record = json.loads((tmp_path / "backgrounds.json").read_text())
    assert record["given"][ANOTHER]["mean"]["value"] == pytest.approx(5)
    assert not (tmp_path / "sweeps.json").exists()  # it doesn't move by action units
    run = figures_of_run(edited)
    assert run["test_background_another_mean"] == pytest.approx(5)
    assert {"test_background_own_within", "test_background_another_iou"} <= set(run)
    assert len(edited.notes) == 1
    page = backgrounds_html([Entry(name="ours", branch=None, status="trained", evaluation=tmp_path)])
    assert page.count("a synthetic face") == 8
    assert "5.00" in page
    write_edited(tmp_path, measured(given, Mover(), 4))
    assert not list(tmp_path.iterdir())
    assert backgrounds_html([Entry(name="ours", branch=None, status="trained", evaluation=tmp_path)]) == ""


def test_pictures_of_the_report_are_those_that_were_measured(given):
    table = swapped(given, Mixer(), count=1)
    data = np.frombuffer(table[table["given"] == ANOTHER]["mask"].iloc[0], np.uint8)
    mask = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert (mask > 127).mean() == pytest.approx(np.pi * 0.2**2, abs=0.02)


def test_what_systems_offer():
    system = Mixer()
    assert can_swap_background(system)
    assert not can_edit(system)
    assert not can_swap_background(Mover())
    system.mixes = False
    assert not can_swap_background(system)
