"""Lists of pairs: true pictures of cross pairs, facts beside pairs, further source frames, files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation_corpus import write_corpus
from reenact.corpus.corpus import Corpus
from reenact.corpus.splits import read_parts
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput
from reenact.evaluation.pair_files import check_pairs, draw_pairs, read_pairs, write_pairs
from reenact.evaluation.pairs.facts import add_facts
from reenact.evaluation.pairs.shots import AROUND, MOST, fewer_than, shots_of
from reenact.evaluation.protocols import Counts, pair_list, pairs_hash
from reenact.params import parse, read_raw
from reenact.steps import arguments
from test_stills import as_stills

ROOT = Path(__file__).parent.parent

PINNED = "f58bfa22f14955041d8ed745c0d2801aeb26f6bb77a861835231090c5ac23cc9"
COUNTS = Counts(sources=2, self_pairs=3, cross_pairs=3, lsim=2, cross_truth=2, sequences=1, sequence_frames=4)


def opened(root, **options):
    folders = write_corpus(root, **options)
    shapes = read_table(folders["actions"] / "shapes.parquet", kind="shapes")
    shapes["shape_00"] = np.arange(len(shapes)) * 0.5
    write_table(folders["actions"] / "shapes.parquet", shapes, kind="shapes")
    return folders, reopened(folders)


def reopened(folders):
    return Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])


def listed(folders, corpus, counts=COUNTS, seed=0, **more):
    training, parts = (read_parts(folders["validated"], split) for split in ("train", "test"))
    return pair_list(corpus, parts, split="test", training=training, counts=counts, seed=seed, **more)


def test_a_list_drawn_today_is_drawn_again_by_every_later_version(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus, scenes={clip.clip for clip in corpus.clips})
    facts = write_pairs(tmp_path / "pairs.parquet", pairs, seed=0)
    assert facts["pairs_sha256"] == {"test": pairs_hash(pairs)}
    assert facts["sha256"] == PINNED


def test_clips_that_can_be_drawn_again_have_a_truth_that_no_frame_is(tmp_path):
    folders, corpus = opened(tmp_path)
    scenes = {clip.clip for clip in corpus.clips} - {"clip-6"}
    pairs = listed(folders, corpus, scenes=scenes)
    known, cross = (pairs[pairs["protocol"] == name] for name in ("cross_truth", "cross"))
    same = ["source_clip", "source_frame", "driving_clip", "driving_frame"]
    assert set(map(tuple, known[same].to_numpy())) < set(map(tuple, cross[same].to_numpy()))
    assert (known["truth_frame"] == -1).all()
    assert known["source_identity"].value_counts().max() == 2
    assert "clip-6" not in {*known["source_clip"], *known["driving_clip"]}
    assert "cross_truth" not in set(listed(folders, corpus)["protocol"])


def test_the_truth_of_a_photographed_pair_is_the_sources_person_with_the_drivers_expression_and_camera(tmp_path):
    folders = write_corpus(tmp_path, frames=8)
    as_stills(folders, 99)
    clips = read_table(folders["frames"] / "clips.parquet", kind="clips")
    number = clips["clip"].str.rpartition("-")[2].astype(int)
    clips["emotion"] = np.where(number % 2, "happy", "sad")
    clips["camera"] = (number // 2 % 2).map({0: "090", 1: "045"})
    clips["light"] = (number // 4).astype(str)
    write_table(folders["frames"] / "clips.parquet", clips, kind="clips")
    known = listed(folders, reopened(folders)).query("protocol == 'cross_truth'")
    assert len(known) == 4 * 2
    facts = clips.set_index("clip")
    for pair in known.itertuples():
        truth, driving, source = (facts.loc[name] for name in (pair.truth_clip, pair.driving_clip, pair.source_clip))
        assert (truth["emotion"], truth["camera"]) == (driving["emotion"], driving["camera"])
        assert truth["identity"] == source["identity"] != driving["identity"]
        assert pair.truth_clip != pair.source_clip
        if (source["emotion"], source["camera"]) != (driving["emotion"], driving["camera"]):
            assert truth["light"] == source["light"]  # the surroundings of the source, where there is such a picture


def test_published_pairs_are_kept_and_the_others_drawn(tmp_path):
    folders, _ = opened(tmp_path)
    clips = read_table(folders["frames"] / "clips.parquet", kind="clips")
    clips["partner"] = clips["identity"].map({"person-6": "person-9", "person-9": "person-6"}).fillna("")
    write_table(folders["frames"] / "clips.parquet", clips, kind="clips")
    cross = listed(folders, reopened(folders)).query("protocol == 'cross'")
    drivers = cross.groupby("source_identity")["driving_identity"].agg(set)
    assert (drivers["person-6"], drivers["person-9"]) == ({"person-9"}, {"person-6"})
    assert len(drivers["person-7"]) > 1


def test_yaw_shape_bands_and_the_kind_of_split_stand_beside_a_pair(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus, split_by={f"clip-{i}": "official" if i < 8 else "identity" for i in range(10)})
    row = pairs[pairs["protocol"] == "cross"].iloc[0]
    assert row["driving_yaw"] == pytest.approx(
        corpus.pose(corpus.by_name[row["driving_clip"]])[row["driving_frame"]][1]
    )
    number = {name: int(str(name).rpartition("-")[2]) for name in {*pairs["source_clip"], *pairs["driving_clip"]}}
    apart = (pairs["source_clip"].map(number) - pairs["driving_clip"].map(number)).abs() * 0.5
    own = pairs["source_identity"] == pairs["driving_identity"]
    assert pairs["shape_distance"][own].isna().all()
    assert pairs["shape_distance"][~own].to_numpy() == pytest.approx(apart[~own].to_numpy())
    assert (pairs["shape_band"][own] == "").all()
    by_band = pairs[~own].groupby("shape_band")["shape_distance"].agg(["min", "max"]).sort_values("min")
    assert (by_band["min"].to_numpy()[1:] > by_band["max"].to_numpy()[:-1]).all()
    assert set(pairs["split_by"]) == {"official", "identity", "identity and official"}


def test_bands_are_terciles_of_the_cross_pairs(tmp_path):
    _, corpus = opened(tmp_path, splits=("test",) * 10)
    pairs = pd.DataFrame({
        "protocol": "cross", "source_clip": "clip-0", "driving_clip": [f"clip-{i}" for i in range(1, 10)],
        "source_identity": "a", "driving_identity": "b", "driving_frame": 0,
    })  # fmt: skip
    assert add_facts(pairs, corpus, {})["shape_band"].value_counts().tolist() == [3, 3, 3]


def test_more_shots_are_the_fewer_and_others_of_the_clip_but_never_near_the_truth(tmp_path):
    folders, corpus = opened(tmp_path, frames=60)
    pairs = listed(folders, corpus)
    sixteen = shots_of(pairs, MOST)
    for few in (1, 2, 4):
        assert [shots[:few] for shots in sixteen] == shots_of(pairs, few)
    reach = round(AROUND * 25)
    for pair, shots in zip(pairs.itertuples(), sixteen, strict=True):
        assert shots[0] == (pair.source_clip, pair.source_frame)
        assert {clip for clip, _ in shots} == {pair.source_clip}
        assert len(set(shots)) == MOST
        if pair.protocol == "self":
            assert min(abs(frame - pair.truth_frame) for _, frame in shots[1:]) > reach
    for _, group in pairs[pairs["protocol"] == "selfvideo"].groupby("sequence"):
        assert len(set(map(str, group["more_source_frames"]))) == 1
        near = [abs(a - b) for a in group["more_source_frames"].iloc[0] for b in group["truth_frame"]]
        assert min(near) > reach
    assert fewer_than(pairs, MOST) == 0


def test_where_a_clip_is_short_its_frames_are_taken_in_turns(tmp_path):
    folders, corpus = opened(tmp_path, frames=6)
    pairs = listed(folders, corpus, counts=replace(COUNTS, sequences=0))
    cross = pairs[pairs["protocol"] == "cross"]
    shots = shots_of(cross, 8)[0]
    assert len(set(shots)) == 6
    assert shots[6:] == shots[:2]
    assert fewer_than(cross, 8) == len(cross)
    assert fewer_than(cross, 6) == 0


def test_a_file_gives_the_list_back_and_an_edited_one_is_refused(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = draw_pairs(corpus, folders["validated"], {"val": COUNTS, "test": COUNTS}, seed=3)
    path = tmp_path / "pairs.parquet"
    written = write_pairs(path, pairs, seed=3)
    again, facts = read_pairs(path)
    assert facts == written
    assert facts["seed"] == 3
    assert shots_of(again, 4) == shots_of(pairs, 4)
    pd.testing.assert_frame_equal(again[["pair", "driving_frame"]], pairs[["pair", "driving_frame"]])
    again.loc[0, "source_frame"] += 1
    write_table(path, again, kind="pairs", facts=facts)
    with pytest.raises(BadInput, match="changed since the list was drawn"):
        read_pairs(path)
    write_table(path, again.drop(columns="shape_band"), kind="pairs", facts=facts)
    with pytest.raises(BadInput, match="no column shape_band"):
        read_pairs(path)


def test_what_a_corpus_does_not_have_is_named_and_counted(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus)
    training = read_parts(folders["validated"], "train")
    path = tmp_path / "pairs.parquet"
    check_pairs(path, pairs, corpus, training)
    first = pairs.index[0]
    for column, value, said in (
        ("driving_clip", "clip-99", r"1 places in \d+ pairs name clips that .* driving clip-99 #"),
        ("source_frame", 10, r"beyond their clip's last: source clip-\d #10"),
        ("driving_clip", "clip-0", "are driven by frames that this corpus trains on: driving clip-0 #"),
    ):
        wrong = pairs.copy()
        wrong.loc[first, column] = value
        with pytest.raises(BadInput, match=said):
            check_pairs(path, wrong, corpus, training)
    undrawn = listed(folders, corpus, scenes={clip.clip for clip in corpus.clips})
    with pytest.raises(BadInput, match="need a scene to be drawn again"):
        check_pairs(path, undrawn, corpus, training)


def test_an_edited_list_and_another_methods_new_figures_are_new_arguments(tmp_path):
    def told(stage, setting):
        return arguments(parse(read_raw(ROOT / "params.yaml", overrides=[setting])), stage)

    for stage, setting, file in (
        ("evaluate", f"evaluate.pairs={tmp_path / 'pairs.parquet'}", tmp_path / "pairs.parquet"),
        ("compare", f"compare.predictions=[{tmp_path}]", tmp_path / "metrics.json"),
    ):
        file.write_text("one")
        before = told(stage, setting)
        file.write_text("two")
        assert told(stage, setting) != before
