"""The contact sheets: the worst clips first, everything drawn where it belongs, one page that stands alone."""

import base64
import re

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from reenact.cli import app
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import write_array, write_stage
from reenact.errors import BadInput
from reenact.faces.landmarks import POINTS
from reenact.reports import label_review
from reenact.reports.label_review import named_clips, worst_clips, write_review
from reenact.reports.overlay import with_landmarks, with_pose, with_segments
from reenact.reports.sparklines import sparkline
from test_validation import COUNT, Fake

SHARD = "shard-00000"
GREY = np.full((128, 128, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Sixteen clips of which p05 lost frames, p09 has no landmarks in some, and p02 fits badly in one frame."""
    folder = tmp_path_factory.mktemp("review")
    fake = Fake()
    fake.clips.loc[5, "frames_lost"] = 30
    fake.found[9 * COUNT : 9 * COUNT + 5] = False
    fake.actions.loc[2 * COUNT + 7, "fit_error"] = 0.4
    fake.frames["blur"] = 0.25
    fake.landmarks += np.random.default_rng(0).uniform(-0.2, 0.2, fake.landmarks.shape).astype(np.float32)
    fake.write(folder)
    write_array(folder / "segments", SHARD, "segments", np.ones((16 * COUNT, 64, 64), np.uint8))
    write_stage(folder / "segments", kind="segments")
    return folder


@pytest.fixture(scope="module")
def corpus(root):
    return Corpus(root / "frames", landmarks=root / "landmarks", actions=root / "actions")


def titles(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def pictures(page):
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for data in re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    ]


def test_lost_frames_come_before_missing_landmarks_before_a_bad_fit(corpus):
    assert [clip.clip for clip in worst_clips(corpus, 4)] == ["p05", "p09", "p02", "p00"]


def test_the_page_stands_alone_and_shows_the_frame_that_fits_worst(root, corpus, tmp_path):
    path = tmp_path / "labels.html"
    assert write_review(path, corpus, named_clips(corpus, ["p02", "p09"])) == 2
    page = path.read_text()
    assert titles(page) == ["p02", "p09"]
    assert "http" not in page
    strip = pictures(page)[0]
    assert strip.shape == (144, 8 * 144, 3)
    assert "Frames 0, 1, 3, 4, 5, 7, 8, 9." in page  # evenly, but for the seventh
    for name in ("pitch", "AU12", "AU45", "fit error", "blur"):
        assert page.count(f"<span>{name}") == 2
    assert "landmarks in 50%" in page


def test_segments_tint_the_frames_where_there_are_some(root, corpus, tmp_path):
    clip = named_clips(corpus, ["p09"])  # without landmarks in its first frames: nothing else is drawn there
    drawn = []
    for name, segments in (("plain", None), ("tinted", root / "segments")):
        write_review(tmp_path / name, corpus, clip, segments=segments)
        drawn.append(pictures((tmp_path / name).read_text())[0][:, :144].astype(float).mean(axis=(0, 1)))
    plain, tinted = drawn
    np.testing.assert_allclose(tinted, 0.6 * plain + 0.4 * np.array([255, 170, 60]), atol=4)


def test_a_page_that_would_be_too_large_ends_and_says_so(corpus, tmp_path, monkeypatch):
    write_review(tmp_path / "one", corpus, corpus.clips[:1])
    monkeypatch.setattr(label_review, "LARGEST", 3.5 * len((tmp_path / "one").read_text()))
    assert 2 <= write_review(tmp_path / "all", corpus, corpus.clips) < 6
    assert "don't fit" in (tmp_path / "all").read_text()


def test_the_command_takes_a_number_or_names(root):
    def run(*arguments):
        return CliRunner().invoke(app, ["labels", "review", "--out", str(root), *arguments])

    assert run("--clips", "3").output.strip().endswith("labels.html: 3 of 16 clips")
    assert titles((root / "labels.html").read_text()) == ["p05", "p09", "p02"]
    assert run("--clips", "p11,p01", "--page", str(root / "two.html")).exit_code == 0
    assert titles((root / "two.html").read_text()) == ["p11", "p01"]
    assert run("--clips", "0").exit_code != 0
    wrong = run("--clips", "p11,nobody")
    assert isinstance(wrong.exception, BadInput)
    assert "nobody" in str(wrong.exception)


def test_landmarks_are_drawn_where_they_are_and_only_there():
    points = np.full((POINTS, 2), 0.25)
    points[48:60] = [[0.5 + 0.1 * np.cos(t), 0.7 + 0.05 * np.sin(t)] for t in np.linspace(0, 2 * np.pi, 12)]
    changed = (with_landmarks(GREY, points) != GREY).any(axis=-1)
    assert changed[88:92, 75:79].any()  # the mouth's left corner at (0.6, 0.7) of 128
    assert not changed[:20].any()
    points[3] = np.nan
    assert (with_landmarks(GREY, points) == GREY).all()


def test_the_axes_of_a_turned_head_shorten_and_turn():
    def reach(pose, colour):
        picture = with_pose(cv2.resize(GREY, (256, 256)), np.array(pose)).astype(int)
        others = [channel for channel in range(3) if channel != colour]
        ys, xs = np.nonzero(picture[..., colour] - picture[..., others].max(axis=-1) > 90)
        return np.ptp(xs), np.ptp(ys)

    assert reach([0.0, 0.0, 0.0], 0)[0] > 25  # the side axis lies level
    assert reach([0.0, 0.0, 0.0], 0)[1] <= 6
    assert reach([0.0, 70.0, 0.0], 0)[0] < 18
    assert reach([0.0, 70.0, 0.0], 2)[0] > 25  # the one ahead points to the side
    assert reach([0.0, 0.0, 45.0], 0)[1] > 18
    assert (with_pose(GREY, np.array([0.0, np.nan, 0.0])) == GREY).all()


def test_segments_of_another_size_lie_over_the_same_places():
    segments = np.zeros((64, 64), np.uint8)
    segments[:, 32:] = 2
    tinted = with_segments(GREY, segments)
    assert (tinted[:, :64] == GREY[:, :64]).all()
    assert (tinted[:, 64:, 2] > tinted[:, 64:, 0]).all()


def path_of(drawn):
    return re.findall(r'class="line" d="(.*?)"', drawn)[0]


def test_curves_break_at_gaps_and_keep_their_peaks():
    values = np.zeros(1000)
    values[633] = 4.0
    values[200:300] = np.nan
    drawn = sparkline("AU12", values, low=0.0, high=4.0, marks=(0, 999))
    assert path_of(drawn).count("M") == 2
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path_of(drawn))]
    assert min(heights) == 0.0  # the top
    assert len(heights) < 130
    assert "0.0 to 4.0" in drawn
    assert "no values" in sparkline("AU01", np.full(5, np.nan), low=0, high=1)
    assert path_of(sparkline("still", np.array([0.5]), low=0, high=1)).startswith("M75 18.0")
