"""The true picture of a cross pair of rendered clips."""

import cv2
import numpy as np
import pandas as pd
import pytest

from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import frame_writer, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.evaluation.pairs.redrawable import scene_files, scenes_of
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.redrawn import Redrawn
from reenact.evaluation.rows import real
from reenact.faces.landmarks import CROP_CENTRE
from reenact.labelling.backend import Box
from reenact.labelling.crops import cut_out, steady_crops
from reenact.labelling.tracks import TrackedFrame
from reenact.rendering.clips import invent_scene, redraw, write_clip

SIDE, FRAMES = 128, 14


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two filmed clips and one without a scene, cut out by landmarks that lie a little beside the true ones."""
    root = tmp_path_factory.mktemp("redrawn")
    videos, frames = root / "videos", root / "frames"
    videos.mkdir()
    rows, pictures = [], []
    for number in range(2):
        scene = invent_scene(seed=3, identity=number, clip=0, frames=FRAMES, fps=25.0, size=SIDE, yaw=30.0, honest=True)
        write_clip(scene, videos, f"p{number}")
        with np.load(videos / f"p{number}.truth.npz") as truth:
            points = truth["landmarks"].astype(np.float64) + np.array([1.0, -0.5])
        track = [
            TrackedFrame(k, tuple(p[CROP_CENTRE]), 1.05 * np.ptp(p, axis=0).max(), Box(0, 0, 1, 1), 0.0)
            for k, p in enumerate(points)
        ]
        capture = cv2.VideoCapture(str(videos / f"p{number}.mp4"))
        for k, crop in enumerate(steady_crops(track, fps=25.0, scale=1.7)):
            pictures.append(cut_out(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB), crop, 64))
            rows.append({"clip": f"p{number}", "frame": k, "time": k / 25, "crop_x": crop.x, "crop_y": crop.y,
                         "crop_side": crop.side})  # fmt: skip
    frames.mkdir()
    with frame_writer(frames, "shard", codec="raw") as writer:
        writer.extend(pictures)
    write_rows(frames, "shard", pd.DataFrame(rows), kind="frames")
    names = ["p0", "p1", "filmed"]
    clips = pd.DataFrame({
        "clip": names, "identity": names, "video": names, "shard": "shard", "start": [0, FRAMES, 0], "count": FRAMES,
        "fps": 25.0,
    })  # fmt: skip
    write_table(frames / "clips.parquet", clips, kind="clips")
    write_stage(frames, kind="frames", size=64, codec="raw")
    corpus = Corpus(frames)
    return corpus, videos, Redrawn(corpus, scene_files(corpus, videos))


def test_clips_with_a_scene_beside_their_video_can_be_drawn_again(rendered):
    corpus, videos, _ = rendered
    assert scenes_of(corpus, videos) == {"p0", "p1"}
    assert scenes_of(corpus, None) == frozenset()


def test_a_clips_own_motion_gives_the_frame_that_was_filmed(rendered):
    """The picture up to the video's compression, the crop up to a few hundredths of its side."""
    corpus, videos, redrawn = rendered
    for clip in ("p0", "p1"):
        capture = cv2.VideoCapture(str(videos / f"{clip}.mp4"))
        filmed = [cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB) for _ in range(FRAMES)]
        rows = corpus.frame_table(corpus.by_name[clip])
        for frame in (2, 7, 12):
            own = (clip, frame)
            crop, stored = redrawn.crop(own, own), rows.iloc[frame]
            (drawn,) = redrawn.many([own], [own], size=64).astype(float)
            apart = [np.abs(drawn - cut_out(picture, crop, 64)).mean() for picture in filmed]
            assert apart[frame] < 4.0
            assert apart[frame] < 0.7 * min(apart[other] for other in (2, 7, 12) if other != frame)
            middle = (crop.x + crop.side / 2, crop.y + crop.side / 2)
            expected = stored[["crop_x", "crop_y"]].astype(float) + stored["crop_side"] / 2
            assert middle == pytest.approx(tuple(expected), abs=0.03 * SIDE)
            assert crop.side == pytest.approx(stored["crop_side"], rel=0.06)


def test_it_is_the_sources_person_with_the_drivers_motion_cut_out_by_the_same_rule(rendered):
    corpus, videos, redrawn = rendered
    source, driving = ("p0", 5), ("p1", 5)
    (whole,) = redraw(videos / "p0.scene.json", videos / "p1.scene.json", [5])
    crop = redrawn.crop(source, driving)
    (drawn,) = redrawn.many([source], [driving], size=64)
    assert np.array_equal(drawn, cut_out(whole, crop, 64))
    rows = corpus.frame_table(corpus.by_name["p0"])
    assert crop.side == pytest.approx(rows["crop_side"].median(), rel=0.15)  # the person's own size in his crops


def test_the_table_is_given_truths_that_no_frame_is_for_their_protocol_only(rendered):
    corpus, _, redrawn = rendered
    pairs = pd.DataFrame({
        "protocol": ["cross", "cross_truth", "cross_truth"], "source_clip": "p0", "source_frame": 5,
        "driving_clip": "p1", "driving_frame": 5, "truth_clip": ["", "", "p1"], "truth_frame": [-1, -1, 3],
    })  # fmt: skip
    shown = real(Pictures(corpus, size=64, redrawn=redrawn), pairs, "truth")
    assert shown.usable.tolist() == [False, True, True]
    assert np.array_equal(shown.pictures[1], redrawn.many([("p0", 5)], [("p1", 5)], size=64)[0])
    assert np.array_equal(shown.pictures[2], corpus.image(corpus.by_name["p1"], 3))
    assert real(Pictures(corpus, size=64), pairs, "truth").usable.tolist() == [False, False, True]
