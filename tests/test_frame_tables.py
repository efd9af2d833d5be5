"""Checks and figures that are added up piece by piece say what they say of everything at once, in constant memory."""

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.checks import Checking, run_checks
from reenact.corpus.expectations import frame_checks, label_checks
from reenact.corpus.frame_tables import clip_sums, frame_tables
from reenact.corpus.shards import write_array, write_rows
from reenact.labelling.running import Correlation, Mean, Quantiles
from test_validation import COUNT, Fake


def in_shards(root, repeats):
    """The made-up corpus `repeats` times, a shard each, with more frames of the same 16 clips each time."""
    fake = Fake()
    folders = fake.write(root)
    names = [f"shard-{n:05d}" for n in range(repeats)]
    for name in names[1:]:
        write_rows(folders["frames"], name, fake.frames.assign(clip=name + fake.frames["clip"]), kind="frames")
        write_rows(folders["actions"], name, fake.actions, kind="actions")
        write_array(folders["landmarks"], name, "landmarks", fake.landmarks)
        write_array(folders["landmarks"], name, "found", fake.found)
    return folders, names


def test_shards_are_put_together_up_to_so_many_rows_and_never_cut(tmp_path):
    folders, names = in_shards(tmp_path, 5)
    where = [folders[name] for name in ("frames", "landmarks", "actions")]
    pieces = list(frame_tables(*where, names, rows=2 * 16 * COUNT))
    assert [[shard for shard, _ in piece.shards] for piece in pieces] == [names[:2], names[2:4], names[4:]]
    assert [len(piece.rows) for piece in pieces] == [320, 320, 160]
    whole = next(frame_tables(*where, names, rows=10**9)).rows
    pd.testing.assert_frame_equal(pd.concat([piece.rows for piece in pieces], ignore_index=True), whole)
    sums = pd.concat([clip_sums(piece.rows) for piece in pieces])
    assert sums.index.is_unique
    assert (sums["rows"] == COUNT).all()
    assert sums["last"].iloc[0] == pytest.approx((COUNT - 1) / 25)


def test_checks_of_pieces_are_those_of_the_whole():
    rng = np.random.default_rng(0)
    fake = Fake()
    rows = pd.concat([fake.frames, fake.actions], axis=1).assign(
        found=rng.random(160) < 0.7, landmarks_finite=True, landmarks_inside=np.arange(160) % 32 > 0
    )
    rows.loc[[3, 40, 41, 150], "AU12"] = [7.0, 5.5, 9.0, -1.0]
    rows.loc[77, "yaw"] = np.nan
    rows.loc[rng.choice(160, 12, replace=False), "fit_error"] = 0.3
    checks = [*frame_checks(rows.columns, 0.5), *label_checks(rows.columns, 0.5, 0.15)]
    ids = ("clip", "frame")
    whole = run_checks("labels", rows, checks, ids=ids)
    pieces = Checking("labels", ids=ids)
    for first in range(0, 160, 40):
        pieces.add(rows.iloc[first : first + 40], checks)
    assert pieces.outcomes() == whole
    failed = {outcome.check: outcome for outcome in whole if not outcome.passed}
    assert set(failed) == {"AU12: 0 to 5", "yaw: present", "fit_error: 0.15 outer eye distances or less in 95%"}
    assert failed["AU12: 0 to 5"].observed == "4 of 160 differ"
    assert failed["AU12: 0 to 5"].offenders[0].value == "AU12 9"


def test_running_figures_are_those_of_all_values():
    rng = np.random.default_rng(0)
    values = rng.lognormal(-3, 1, 30_000)
    other = 0.3 * values + rng.normal(0, 0.02, len(values)) + 1e6  # a far mean would cost digits
    values[::50] = np.nan
    mean, correlation, quantiles = Mean(), Correlation(), Quantiles()
    for first in range(0, len(values), 999):
        piece = slice(first, first + 999)
        mean.add(values[piece])
        correlation.add(values[piece], other[piece])
        quantiles.add(values[piece])
    known = np.isfinite(values)
    assert mean.value == pytest.approx(np.nanmean(values), rel=1e-12)
    assert correlation.value == pytest.approx(np.corrcoef(values[known], other[known])[0, 1], rel=1e-6)
    assert quantiles.at(0.5, 0.95) == list(np.quantile(values[known], [0.5, 0.95]))
    assert (Mean().value, Correlation().value, Quantiles().at(0.5)) == (None, None, None)


def test_quantiles_of_very_many_values_keep_three_digits_in_constant_memory():
    rng = np.random.default_rng(1)
    quantiles, values = Quantiles(), []
    for _ in range(6):
        values.append(rng.lognormal(-3, 1, 120_000))
        quantiles.add(values[-1])
    assert not quantiles.few
    assert quantiles.at(0.05, 0.5, 0.95) == pytest.approx(np.quantile(values, [0.05, 0.5, 0.95]), rel=1e-3)
