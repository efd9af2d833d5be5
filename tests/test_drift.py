"""Two profiles held against each other: what moved is found, what is alike or few is not."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.frame_tables import FrameTable
from reenact.errors import BadInput, NewerFormat
from reenact.evaluation.drift import distance, drift, stability_index
from reenact.evaluation.profile import (
    EDGES,
    GROUPS,
    PROFILE,
    Profile,
    histogram,
    make_profile,
    quantile,
    read_profile,
)  # fmt: skip


def frames(people, *, seed=0, count=40, start=0, **shifts):
    """(pieces, people): a clip each, with a mean of its own, and autocorrelated as real frames are."""
    rng = np.random.default_rng([seed, start])
    rows = []
    for person in range(start, start + people):
        own = rng.standard_normal(3)
        table = pd.DataFrame({
            "clip": f"clip {person}", "found": True,
            "yaw": own[0] * 8 + np.cumsum(rng.standard_normal(count)) + shifts.get("yaw", 0.0),
            "AU12": np.abs(own[1] + 0.3 * rng.standard_normal(count)) + shifts.get("AU12", 0.0),
            "blur": np.clip(0.4 + 0.05 * own[2] + 0.02 * rng.standard_normal(count) + shifts.get("blur", 0.0), 0, 1),
        })  # fmt: skip
        table.loc[: shifts.get("lost", 0) - 1, "found"] = False
        rows.append(table)
    pieces = [FrameTable((("shard", len(table)),), table) for table in rows]
    return pieces, {f"clip {n}": f"person {n}" for n in range(start, start + people)}


def profile(people, **how):
    return make_profile(*frames(people, **how))


def test_a_profile_against_itself_is_nothing():
    found = drift(profile(20), profile(20))
    assert not found.found
    assert {(one.psi, one.ks, one.p) for one in found.columns} == {(0.0, 0.0, 1.0)}
    assert (found.new_people, found.gone_people) == (0, 0)


@pytest.mark.parametrize(("name", "by"), [("yaw", 15.0), ("AU12", 1.5), ("blur", 0.15)])
def test_a_column_that_moved_is_found_and_no_other(name, by):
    found = drift(profile(30), profile(30, seed=1, **{name: by}), new_people=2.0)
    moved = [one.name for one in found.columns if one.drifted]
    assert moved == [name] or (name, moved) == ("yaw", ["yaw", "turn"])
    assert len(found.reasons) == len(moved)
    assert found.reasons[0].startswith(f"{name} has moved")


def test_heads_that_turn_further_to_both_sides_are_found():
    """Their median stays, so their sizes are a column of their own."""
    then, now = (frames(16, count=30) for _ in range(2))
    for piece in now[0]:
        piece.rows["yaw"] *= 4.0
    found = drift(make_profile(*then), make_profile(*now))
    assert found.columns[0].name == "turn"
    assert found.columns[0].drifted


def test_frames_without_landmarks_are_found():
    found = drift(profile(20), profile(20, seed=1, lost=15), growth=9.0)
    assert [one.name for one in found.columns if one.drifted] == ["found"]


def test_chance_raises_no_alarm_about_as_often_as_it_may():
    """People of one kind, dealt anew each time: alarms come at the level or more seldom."""
    alarms = [
        drift(profile(15, seed=2 * n), profile(15, seed=2 * n + 1), ks=0.0, repeats=200, seed=n).found
        for n in range(100)
    ]
    assert sum(alarms) <= 12  # 5 expected; more than 12 come once in 700 times


def test_a_handful_of_frames_is_no_alarm_although_its_distances_are_large():
    found = [drift(profile(20), profile(2, count=5, start=100 + 10 * n), new_people=2.0) for n in range(40)]
    assert np.median([one.columns[0].psi for one in found]) > 1.0
    assert np.median([one.columns[0].ks for one in found]) > 0.4
    assert sum(one.found for one in found) <= 6  # 2 expected


def test_one_clip_says_nothing_about_another():
    found = drift(profile(1), profile(1, seed=3, yaw=40.0))
    assert {one.p for one in found.columns} == {1.0}
    assert not found.found


def test_new_people_and_more_frames_are_counted():
    found = drift(profile(20), profile(24, start=2), growth=0.25, new_people=0.25)
    assert (found.new_people, found.gone_people, found.people) == (6, 2, (20, 24))
    assert found.reasons == ("6 of 24 people were not trained on (limit 25%)",)
    assert "2 of 20 people that it was trained on" in found.notes[0]
    grown = drift(profile(20), profile(20, count=60), growth=0.25)
    assert "50% more frames in use (800 then, 1,200 now" in " ".join(grown.reasons)


def test_the_distance_is_scipys_on_values_at_the_edges():
    rng = np.random.default_rng(0)
    edges = np.asarray(EDGES["yaw"])
    a, b = (rng.choice(edges[:-1], size) for size in (300, 170))
    b = np.minimum(b + 10.0, edges[-2])
    counts = [histogram("yaw", values, np.zeros(len(values), dtype=int), 1)[0] for values in (a, b)]
    assert float(distance(*counts)) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_the_stability_index_is_the_sum_of_both_divergences():
    a = np.full(8, 25.0)  # each bin holds a tenth or more: none is put together
    b = np.random.default_rng(1).integers(5, 100, 8).astype(float)
    both = stats.entropy(a, b) + stats.entropy(b, a)
    assert stability_index(a, b) == pytest.approx(both)
    assert stability_index(a, a) == 0.0
    assert stability_index(a, b) == pytest.approx(stability_index(7 * a, 3 * b))
    assert stability_index(a, np.zeros(8)) == 0.0


@pytest.mark.parametrize("shift", [-1, 1])
def test_what_leaves_the_one_full_bin_is_seen_to_either_side(shift):
    a = np.array([0.0, 20, 20, 1000, 20, 20, 0])
    assert stability_index(a, np.roll(a, shift)) > 1.0


def test_rare_bins_are_put_together():
    a = np.array([400.0, 1, 1, 1, 500, 1, 1])
    b = np.array([400.0, 0, 3, 0, 500, 3, 0])
    assert stability_index(a, b) < 0.01


def test_a_profile_comes_back_from_its_file(tmp_path):
    made = profile(20)
    (tmp_path / PROFILE).write_text(json.dumps(made.plain()))
    back = read_profile(tmp_path / PROFILE)
    assert back.plain() == made.plain()
    assert drift(made, back).columns == drift(made, made).columns
    assert json.loads((tmp_path / PROFILE).read_text())["found"] == 1.0


def test_what_is_no_profile_is_refused(tmp_path):
    path = tmp_path / PROFILE
    for text in ("", "[]", "{}", '{"kind": "verdict", "format": 1}'):
        path.write_text(text)
        with pytest.raises(BadInput, match="validate_data"):
            read_profile(path)
    path.write_text(json.dumps({**profile(3).plain(), "format": 99}))
    with pytest.raises(NewerFormat):
        read_profile(path)


def test_columns_that_one_side_lacks_are_named_and_not_compared():
    made = profile(20)
    less = Profile(**{**vars(made), "counts": {n: c for n, c in made.counts.items() if n != "blur"}})
    found = drift(less, made)
    assert "blur" not in {one.name for one in found.columns}
    assert "blur" in found.notes[-1]


def test_only_frames_in_use_and_clips_of_the_split_count():
    pieces, people = frames(2, count=10)
    pieces[0].rows.loc[0, "found"] = False
    pieces[0].rows.loc[1, "yaw"] = 80.0
    made = make_profile(pieces, {"clip 0": "ana"}, limits=FrameLimits(max_yaw=60.0))
    assert (made.stored, made.frames, made.clips, len(made.people)) == (10, 8, 1, 1)
    assert made.counts["found"].tolist() == [[1.0, 9.0]]
    assert made.counts["yaw"].sum() == 8
    assert "ana" not in json.dumps(made.plain())
    assert set(made.counts) <= set(EDGES)
    assert make_profile(pieces, people).by == "clip"


def test_more_people_than_groups_stay_together_by_name():
    count = 3 * GROUPS
    table = pd.DataFrame({"clip": [f"clip {n}" for n in range(count)], "found": True, "yaw": 1.0})
    people = {f"clip {n}": f"person {n}" for n in range(count)}
    piece = FrameTable((("shard", count),), table)
    made = make_profile([piece], people)
    assert (made.by, len(made.people), made.counts["yaw"].shape[0]) == ("person", count, GROUPS)
    assert (make_profile([piece], dict(reversed(people.items()))).counts["yaw"] == made.counts["yaw"]).all()


def test_values_beyond_the_edges_and_missing_ones():
    values = np.array([-500.0, 500.0, np.nan, 0.0])
    counts = histogram("yaw", values, np.zeros(4, dtype=int), 1)[0]
    assert (counts.sum(), counts[0], counts[-1]) == (3, 1, 1)


def test_quantiles_are_those_of_the_values_within_a_bin():
    values = np.random.default_rng(2).normal(5.0, 12.0, 5000)
    counts = histogram("yaw", values, np.zeros(len(values), dtype=int), 1)[0]
    for q in (0.1, 0.5, 0.9):
        assert quantile("yaw", counts, q) == pytest.approx(np.quantile(values, q), abs=0.6)
    assert quantile("yaw", np.zeros(24), 0.5) is None
