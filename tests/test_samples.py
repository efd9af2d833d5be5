"""Pictures that an evaluation leaves for the report, and what its drawing cost."""

import json

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.tables import read_table
from reenact.evaluation.metrics.catalogue import METRICS, metrics_of
from reenact.evaluation.samples import cases, decoded, read_samples
from test_protocols import scored_branch


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return scored_branch(tmp_path_factory.mktemp("samples"), patch, "cgan-full-0")[0]


def test_every_person_has_a_strip_of_each_protocol(out):
    samples = read_samples(out / "samples.parquet")
    strips = samples[samples["strip"]]
    assert strips["protocol"].value_counts().to_dict() == {"self": 3, "cross": 3}
    assert strips[strips["protocol"] == "self"]["identity"].is_unique
    sample = strips.iloc[0]
    assert decoded(sample, "generated").shape == (32, 32, 3)
    assert len(sample["landmarks"]) == 136
    assert decoded(strips[strips["protocol"] == "cross"].iloc[0], "truth") is None
    cost = json.loads((out / "cost.json").read_text())
    assert cost["seconds_per_picture"] > 0


def test_the_cases_of_a_branch_are_among_its_pictures_for_every_metric(out):
    samples = read_samples(out / "samples.parquet")
    faces = read_table(out / "faces.parquet", kind="scores")
    ours = faces[(faces["row"] == "cgan-full-0") & (faces["split"] == "test")]
    for protocol in ("self", "cross", "lsim"):
        shown = set(samples.loc[samples["protocol"] == protocol, "pair"])
        for metric in metrics_of(protocol, per_pair=True):
            found = cases(ours[ours["protocol"] == protocol], metric)
            assert {pair for _, pair, _ in found} <= shown


def test_cases_are_the_best_the_median_and_the_worst_by_the_metrics_direction():
    faces = pd.DataFrame(
        {"pair": list("edcba"), "ssim": [0.1, np.nan, 0.9, 0.4, 0.5], "mse": [3.0, 1.0, 2.0, 4.0, 5.0]}
    )
    assert cases(faces, METRICS["ssim"]) == [("best", "c", 0.9), ("median", "a", 0.5), ("worst", "e", 0.1)]
    assert cases(faces, METRICS["mse"]) == [("best", "d", 1.0), ("median", "e", 3.0), ("worst", "a", 5.0)]
    assert cases(faces[:1], METRICS["mse"]) == [("best", "e", 3.0)]
    assert cases(faces[:0], METRICS["mse"]) == []


def test_stored_pictures_are_those_that_were_scored(out):
    samples = read_samples(out / "samples.parquet").set_index("pair")
    faces = read_table(out / "faces.parquet", kind="scores")
    ours = faces[(faces["row"] == "cgan-full-0") & (faces["protocol"] == "self")].set_index("pair")
    for pair, sample in samples[samples["protocol"] == "self"].iterrows():
        drawn, truth = (decoded(sample, role).astype(float) / 255 for role in ("generated", "truth"))
        assert np.square(drawn - truth).mean() == pytest.approx(ours.at[pair, "mse"], abs=2e-3)
