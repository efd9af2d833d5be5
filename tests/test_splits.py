"""Splits: nobody moves, nothing overlaps, nothing is silently empty."""

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.corpus.shards import write_stage
from reenact.corpus.splits import Part, assign_splits, cut_by_time, read_parts, share_of, split_kind, split_of
from reenact.corpus.tables import write_table
from reenact.errors import ValidationFailed


def clips(identities, *, per=1, count=100, fps=25.0, official=""):
    return pd.DataFrame(
        [
            {"clip": f"{name}-{i}", "identity": name, "count": count, "fps": fps, "official_split": official}
            for name in identities
            for i in range(per)
        ]
    )


PEOPLE = [f"person{i:03d}" for i in range(60)]


def test_every_clip_of_an_identity_is_in_one_split_and_shares_are_kept():
    table = assign_splits(clips([f"p{i}" for i in range(2000)], per=2), val=0.15, test=0.25, salt="s")
    assert (table.groupby("identity")["split"].nunique() == 1).all()
    share = table["split"].value_counts(normalize=True)
    assert share["val"] == pytest.approx(0.15, abs=0.03)
    assert share["test"] == pytest.approx(0.25, abs=0.03)
    assert set(table["by"]) == {"identity"}
    assert (table["start"] == 0).all()
    assert (table["stop"] == 100).all()


@settings(max_examples=30, deadline=None)
@given(st.sets(st.text("abcdefgh", min_size=1, max_size=6), max_size=40))
def test_new_data_never_moves_anybody(newcomers):
    before = assign_splits(clips(PEOPLE), val=0.2, test=0.2, salt="x").set_index("identity")["split"]
    after = assign_splits(clips(sorted({*PEOPLE, *newcomers})), val=0.2, test=0.2, salt="x")
    after = after.set_index("identity")["split"]
    assert after[before.index].equals(before)


def test_shares_of_the_people_lie_within_each_other_with_all_their_clips():
    parts = [Part(clip=f"{name}-{i}", identity=name, start=0, stop=9) for i in range(2) for name in PEOPLE]
    kept = [{part.identity for part in share_of(parts, share)} for share in (0.001, 0.25, 0.5, 1.0)]
    assert [len(people) for people in kept] == [1, 15, 30, 60]
    assert all(few < more for few, more in itertools.pairwise(kept))
    assert [part for part in parts if part.identity in kept[2]] == share_of(parts, 0.5)
    assert {part.identity for part in share_of(parts[::-1], 0.5)} == kept[2]


def test_splits_known_beforehand_stay():
    """Positions are sha256(salt + identity): fixed for ever, whatever this code becomes."""
    import hashlib

    for name in PEOPLE:
        whole = int(hashlib.sha256(f"salt{name}".encode()).hexdigest(), 16) / 2**256
        expected = "test" if whole < 0.3 else "val" if whole < 0.5 else "train"
        assert split_of(name, val=0.2, test=0.3, salt="salt") == expected


def test_another_salt_gives_another_split():
    tables = [assign_splits(clips(PEOPLE), val=0.3, test=0.3, salt=salt)["split"] for salt in "ab"]
    assert (tables[0] != tables[1]).any()


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(0, 2000), val=st.floats(0, 0.4), test=st.floats(0, 0.4), gap=st.integers(0, 200)
)  # fmt: skip
def test_parts_of_a_clip_lie_in_order_with_the_gap_between(count, val, test, gap):
    cuts = list(cut_by_time(count, val=val, test=test, gap=gap).values())
    assert cuts[0][0] == 0
    assert cuts[-1][1] == count
    for (_, stop), (start, _) in itertools.pairwise(cuts):
        assert start - stop == gap
    assert all(stop - start >= 2 for start, stop in cuts) or len(cuts) == 1


def test_few_identities_are_split_by_time_and_short_clips_are_train_only():
    table = pd.concat([clips(["ana", "ben"], count=500), clips(["cleo"], count=100)])
    split = assign_splits(table, val=0.1, test=0.2, salt="s")
    assert set(split["by"]) == {"time"}
    assert split[split["identity"] == "cleo"]["split"].tolist() == ["train"]
    ana = split[split["identity"] == "ana"].set_index("split")
    assert ana.loc["train", "stop"] + 50 == ana.loc["val", "start"]  # two seconds at 25 frames/s
    assert ana.loc["val", "stop"] + 50 == ana.loc["test", "start"]
    assert ana.loc["test", "stop"] == 500


def test_clips_too_short_for_any_split_by_time_are_refused():
    with pytest.raises(ValidationFailed, match="too short"):
        assign_splits(clips(["ana"], count=60), val=0.1, test=0.1, salt="s")


def test_an_empty_split_is_refused_and_the_advised_salt_works():
    people = [name for name in PEOPLE if split_of(name, val=0.2, test=0.2, salt="s") == "train"][:12]
    with pytest.raises(ValidationFailed, match="val and test split is empty") as error:
        assign_splits(clips(people), val=0.2, test=0.2, salt="s")
    salt = str(error.value).split('salt: "')[1].split('"')[0]
    assert set(assign_splits(clips(people), val=0.2, test=0.2, salt=salt)["split"]) == {"train", "val", "test"}


def test_official_lists_win_over_the_hash_and_val_is_taken_from_train():
    table = pd.concat([clips(PEOPLE[:40], official="train"), clips(PEOPLE[40:], official="test")])
    split = assign_splits(table, val=0.2, test=0.5, salt="s").set_index("identity")["split"]
    assert (split[PEOPLE[40:]] == "test").all()
    assert set(split[PEOPLE[:40]]) == {"train", "val"}


def test_an_official_list_with_val_is_taken_as_it_is():
    table = pd.concat([clips(["a"], official="train"), clips(["b"], official="val"), clips(["c"], official="test")])
    split = assign_splits(table, val=0.9, test=0.05, salt="s")
    assert split["split"].tolist() == ["train", "val", "test"]
    assert set(split["by"]) == {"official"}


def test_an_official_list_of_train_alone_is_divided_by_the_hash():
    split = assign_splits(clips(PEOPLE, official="train"), val=0.15, test=0.15, salt="s")
    own = {row.identity: row.split for row in split.itertuples()}
    assert own == {name: split_of(name, val=0.15, test=0.15, salt="s") for name in PEOPLE}


def test_the_official_list_can_be_insisted_on_and_left_aside():
    table = pd.concat([clips(PEOPLE[:40], official="train"), clips(PEOPLE[40:], official="test")])
    split = assign_splits(table, val=0.15, test=0.15, salt="s", official=False)
    assert set(split["by"]) == {"identity"}
    with pytest.raises(ValidationFailed, match="come with no official split"):
        assign_splits(clips(PEOPLE), val=0.15, test=0.15, salt="s", official=True)


def test_an_unknown_official_split_names_its_clip():
    with pytest.raises(ValidationFailed, match=r"ana-0.*dev"):
        assign_splits(clips(["ana"], official="dev"), val=0.1, test=0.1, salt="s")


def test_parts_are_read_back(tmp_path):
    table = assign_splits(clips(["ana", "ben"], count=500), val=0.1, test=0.2, salt="s")
    write_table(tmp_path / "split.parquet", table, kind="split")
    write_stage(tmp_path, kind="validated")
    parts = {split: read_parts(tmp_path, split) for split in ("train", "val", "test")}
    assert [part.clip for part in parts["val"]] == ["ana-0", "ben-0"]
    assert all(0 <= part.start < part.stop <= 500 for group in parts.values() for part in group)
    assert split_kind(tmp_path) == "seen identities"


def test_all_tracks_of_a_video_lie_in_one_split_whoever_they_show():
    videos = clips(PEOPLE).assign(person=PEOPLE)
    tracks = videos.assign(clip=videos["clip"] + "~2", identity=videos["clip"] + "~2")
    table = assign_splits(pd.concat([videos, tracks]), val=0.3, test=0.3, salt="x")
    assert len(table) == 120
    assert (table.groupby("person")["split"].nunique() == 1).all()
    alone = assign_splits(videos, val=0.3, test=0.3, salt="x").set_index("person")["split"]
    assert table.set_index("person")["split"].loc[list(alone.index)].groupby(level=0).first().equals(alone)


def test_a_listed_clips_other_tracks_follow_it():
    table = clips(["a", "b", "c"], official="train").assign(person=["a", "a", "c"])
    table.loc[1, "official_split"] = ""
    table.loc[2, "official_split"] = "test"
    split = assign_splits(table, val=0.0, test=0.3, salt="x").set_index("identity")["split"]
    assert dict(split) == {"a": "train", "b": "train", "c": "test"}


def tracks(*spans, fps=10.0):
    """Tracks of one video, from second to second."""
    return pd.DataFrame([
        {"clip": f"v~{n}", "identity": f"v~{n}", "person": "ana", "video": "v", "count": round((last - first) * fps),
         "fps": fps, "first": first, "last": last, "official_split": ""} for n, (first, last) in enumerate(spans)
    ])  # fmt: skip


def seconds(table, split):
    """(split, from, to) of each part in the video."""
    begins = table.set_index("clip")["first"]
    return [
        (row["split"], begins[row["clip"]] + row["start"] / 10, begins[row["clip"]] + row["stop"] / 10)
        for row in split.to_dict("records")
    ]


def test_the_gap_also_lies_between_two_tracks_of_one_video():
    table = tracks((0, 30), (30.5, 60), (100, 130))
    parts = seconds(table, assign_splits(table, val=0.2, test=0.2, salt="s", gap_seconds=2))
    assert [name for name, _, _ in parts] == ["train", "val", "test"] * 3
    for (one, _, end), (other, start, _) in itertools.pairwise(sorted(parts, key=lambda part: part[1])):
        assert one == other or start - end >= 2 - 1e-9
    assert parts[3][1] == pytest.approx(32)  # the second track begins two seconds after the first one's test part
    assert parts[6][1] == 100  # the third is far away
    alone = assign_splits(table.drop(columns=["first", "last"]), val=0.2, test=0.2, salt="s", gap_seconds=2)
    assert (alone["start"] == 0).sum() == 3


def test_people_side_by_side_and_tracks_after_a_train_part_lose_nothing_and_what_lies_in_a_gap_is_nobodys():
    table = tracks((0, 30), (1, 31), (30.2, 31), (31.5, 60))
    split = assign_splits(table, val=0.2, test=0.2, salt="s", gap_seconds=2)
    first = split.groupby("clip")["start"].min()
    assert first["v~0"] == first["v~1"] == 0
    assert "v~2" not in first  # 0.8 s long, 0.2 s after a test part
    assert first["v~3"] == 15  # until 33 s
    short = tracks((0, 3), (3.1, 60))
    assert assign_splits(short, val=0.2, test=0.2, salt="s", gap_seconds=2).groupby("clip")["start"].min().tolist() == [
        0,
        0,
    ]
