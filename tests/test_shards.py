import json
import os
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import frame_writer, open_frames, read_stage, write_array, write_stage
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput, NewerFormat
from reenact.labelling.shard_work import missing_shards, new_shard, shard_facts


def smooth_images(count, side=32):
    """Gradients with a different tint each: JPEG keeps them almost exactly."""
    y, x = np.mgrid[0:side, 0:side] * (255 / side)
    return [np.stack([x, y, np.full_like(x, 40 * i)], -1).astype(np.uint8) for i in range(count)]


def test_raw_frames_come_back_bit_for_bit_and_are_plain_npy(tmp_path):
    images = smooth_images(5)
    with frame_writer(tmp_path, "shard-00000", codec="raw") as writer:
        writer.extend(images)
    assert np.array_equal(np.load(tmp_path / "shard-00000" / "frames.npy"), np.stack(images))
    assert np.array_equal(open_frames(tmp_path, "shard-00000")[3], images[3])


def test_jpeg_frames_come_back_close_and_in_rgb(tmp_path):
    images = smooth_images(5)
    with frame_writer(tmp_path, "shard-00000", codec="jpeg", quality=95) as writer:
        writer.extend(images)
    frames = open_frames(tmp_path, "shard-00000")
    assert len(frames) == 5
    for row, image in enumerate(images):
        assert np.abs(frames[row].astype(int) - image).mean() < 2.0


def test_a_writer_that_is_interrupted_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), frame_writer(tmp_path, "shard-00000", codec="raw") as writer:
        writer.append(smooth_images(1)[0])
        raise KeyboardInterrupt
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_who_make_the_same_shard_are_as_good_as_one(tmp_path):
    store = tmp_path / "store"
    (tmp_path / "out").mkdir()
    with new_shard(tmp_path / "out", "a", store=store) as late:
        write_array(late.folder, late.name, "found", np.ones(3))
        with new_shard(tmp_path / "out", "a", store=store) as early:
            write_array(early.folder, early.name, "found", np.ones(3))
    for folder in (tmp_path / "out", store):
        assert [path.name for path in folder.iterdir()] == ["a"]
        assert shard_facts(folder, "a") is not None


def test_what_killed_runs_left_in_the_store_goes_after_a_day(tmp_path):
    store = tmp_path / "store"
    for name, age in (("old", 2 * 86400), ("young", 60)):
        (store / f".making-{name}").mkdir(parents=True)
        os.utime(store / f".making-{name}", times=(time.time() - age,) * 2)
    assert missing_shards(tmp_path / "out", ["a"], store=store) == ["a"]
    assert [path.name for path in store.iterdir()] == [".making-young"]


def test_a_table_of_another_kind_or_a_newer_format_or_damaged_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(path, pd.DataFrame({"a": [1]}), kind="clips")
    assert read_table(path, kind="clips")["a"].tolist() == [1]
    with pytest.raises(BadInput, match='expected a table of kind "frames", found "clips"'):
        read_table(path, kind="frames")
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({b"reenact.kind": b"clips", b"reenact.format": b"99"}), path)
    with pytest.raises(NewerFormat, match="format 99"):
        read_table(path, kind="clips")
    path.write_bytes(b"not parquet")
    with pytest.raises(BadInput, match="no readable table"):
        read_table(path, kind="clips")


def test_an_unfinished_or_foreign_or_newer_stage_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no finished frames.*Run extract-frames first"):
        read_stage(tmp_path, kind="frames")
    write_stage(tmp_path, kind="landmarks", size=3)
    with pytest.raises(BadInput, match='expected "frames"'):
        read_stage(tmp_path, kind="frames")
    facts = json.loads((tmp_path / "stage.json").read_text())
    (tmp_path / "stage.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(NewerFormat):
        read_stage(tmp_path, kind="landmarks")
    (tmp_path / "stage.json").write_text("")
    with pytest.raises(BadInput, match=r"damaged\. Run label-landmarks again"):
        read_stage(tmp_path, kind="landmarks")


def test_a_corpus_gives_each_clip_its_own_rows(tmp_path):
    images = smooth_images(6)
    frames, landmarks = tmp_path / "frames", tmp_path / "landmarks"
    with frame_writer(frames, "shard-00000", codec="raw") as writer:
        writer.extend(images)
    columns = {"shard": "shard-00000", "fps": 25.0}
    clips = [
        {"clip": "a", "identity": "p", "start": 0, "count": 4},
        {"clip": "b", "identity": "q", "start": 4, "count": 2},
    ]
    write_table(frames / "clips.parquet", pd.DataFrame([{**clip, **columns} for clip in clips]), kind="clips")
    write_stage(frames, kind="frames", size=32, codec="raw")
    points = np.random.default_rng(0).random((6, 68, 2), dtype=np.float32)
    write_array(landmarks, "shard-00000", "landmarks", points)
    write_stage(landmarks, kind="landmarks")
    corpus = Corpus(frames, landmarks=landmarks)
    b = corpus.by_name["b"]
    assert corpus.size == 32
    assert np.array_equal(corpus.image(b, 1), images[5])
    assert np.array_equal(corpus.landmarks(b), points[4:])
    with pytest.raises(ValueError, match="without actions"):
        corpus.actions(b)


def test_a_damaged_jpeg_names_file_and_frame(tmp_path):
    with frame_writer(tmp_path, "shard-00000", codec="jpeg") as writer:
        writer.extend(smooth_images(2))
    path = tmp_path / "shard-00000" / "frames.jpg"
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(BadInput, match=r"shard-00000/frames\.jpg: frame 1 is damaged"):
        open_frames(tmp_path, "shard-00000")[1]
