"""FID, LPIPS and CSIM by ArcFace: empty until the user gives the networks, then what they are defined to be."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import linalg

from evaluation_corpus import fake_judge, head
from published_networks import an_inception, write_networks
from reenact.backbones.settings import NetworkSettings
from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.evaluation.collect import collect
from reenact.evaluation.feature_cache import FeatureCache
from reenact.evaluation.judge import People, Reading
from reenact.evaluation.judges import Judges
from reenact.evaluation.metrics.catalogue import METRICS
from reenact.evaluation.metrics.fid import small_sets
from reenact.evaluation.networks import load_networks
from reenact.evaluation.scoring import Scored
from reenact.evaluation.table import build_table, columns_of
from reenact.systems.branch import Branch
from test_protocols import scored_branch

NEEDED = [metric for metric in METRICS.values() if metric.network]
COUNT = 4


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def networks(files):
    settings = NetworkSettings.parse(files, where="evaluate.networks")
    return load_networks(settings, cache=FeatureCache(), device="cpu", batch=3)


def views(networks, generated, truth, usable=None):
    people = People(np.zeros((len(truth), 2)), np.zeros((len(truth), 17)))
    judge = fake_judge()
    everyone = np.ones(len(truth), dtype=bool)
    ours, real = (Reading(judge, np.asarray(p), u, people)
                  for p, u in ((generated, everyone if usable is None else usable), (truth, everyone)))  # fmt: skip
    judges = Judges(default=judge, networks=networks)
    return Scored(pairs=pd.DataFrame(), generated=ours, source=real, driving=real, truth=real, judges=judges)


def value(metric, shown):
    return metric.per_pair(shown) if metric.per_pair else metric.of_sets(*metric.features(shown))


@pytest.fixture(scope="module")
def heads():
    return np.stack([head(i, 0.03 * i, 32) for i in range(COUNT)])


def test_identical_pictures_have_the_sanity_values_and_strangers_are_worse(networks, heads):
    same = views(networks, heads, heads)
    strangers = views(networks, np.stack([head(i + 9, -0.05 * i, 32) for i in range(COUNT)]), heads)
    expected = {"fid": 0, "lpips": 0, "csim_arcface_source": 1, "csim_arcface_truth": 1}
    assert expected.keys() == {metric.id for metric in NEEDED}
    for metric in NEEDED:
        np.testing.assert_allclose(value(metric, same), expected[metric.id], atol=1e-9, err_msg=metric.id)
        assert metric.better(np.mean(value(metric, same)), np.mean(value(metric, strangers)) + 1e-6), metric.id


def test_fid_is_the_distance_of_the_references_features(networks, heads):
    shown = views(networks, heads[::-1].copy() // 2, heads)
    with torch.no_grad():
        features, reference = [], an_inception()
        for pictures in (shown.generated.pictures, shown.driving.pictures):
            large = torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2) / 255
            large = torch.nn.functional.interpolate(large, (299, 299), mode="bilinear")
            features.append(reference(2 * large - 1).double().numpy())
    # In a basis of the few directions in which they differ at all, the definition is small enough for scipy.
    basis = np.linalg.qr(np.concatenate(features).T)[0]
    (a, cov_a), (b, cov_b) = ((f.mean(0), np.cov((f @ basis).T)) for f in features)
    root = linalg.sqrtm(cov_a @ cov_b + 1e-12 * np.eye(len(cov_a))).real
    expected = np.square(a - b).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert value(METRICS["fid"], shown) == pytest.approx(expected, rel=1e-4)


def test_a_picture_that_is_none_or_shows_no_face_is_nan_in_its_row_alone(networks, heads):
    drawn = heads.copy()
    drawn[0] = 0  # no face
    shown = views(networks, drawn, heads, usable=np.array([True, False, True, True]))
    assert np.isfinite(value(METRICS["lpips"], shown)).tolist() == [True, False, True, True]
    assert np.isfinite(value(METRICS["csim_arcface_source"], shown)).tolist() == [False, False, True, True]
    assert np.isfinite(METRICS["fid"].features(shown)[0]).all(axis=1).tolist() == [True, False, True, True]
    nobody = views(networks, np.zeros_like(heads), heads)
    assert np.isnan(value(METRICS["csim_arcface_truth"], nobody)).all()


def test_the_order_of_pictures_does_not_matter_and_one_by_one_is_the_same(networks, heads):
    drawn = heads[::-1].copy()
    order = np.array([2, 0, 3, 1])
    together, moved = views(networks, drawn, heads), views(networks, drawn[order], heads[order])
    for metric in NEEDED:
        found = value(metric, together)
        if not metric.per_pair:
            assert value(metric, moved) == pytest.approx(found, rel=1e-6)
            continue
        np.testing.assert_allclose(value(metric, moved), found[order], rtol=1e-5)
        alone = [value(metric, views(networks, drawn[i : i + 1], heads[i : i + 1])) for i in range(COUNT)]
        np.testing.assert_allclose(np.concatenate(alone), found, rtol=1e-5)


def test_what_was_read_from_real_pictures_is_read_once_for_all_branches(files, heads, tmp_path, monkeypatch):
    settings = NetworkSettings.parse({"inception": files["inception"]}, where="evaluate.networks")
    kept = []
    for _ in range(2):
        cache = FeatureCache(tmp_path)
        cache.keep(list(heads))
        networks = load_networks(settings, cache=cache, device="cpu", batch=3)
        if kept:
            monkeypatch.setattr(networks.inception_network, "features", lambda _: pytest.fail("read again"))
        kept.append(networks.inception(views(networks, heads, heads).driving))
        cache.save()
    np.testing.assert_array_equal(*kept)


def test_lpips_of_pictures_that_are_too_small_says_so(networks):
    tiny = np.zeros((2, 24, 24, 3), dtype=np.uint8)
    with pytest.raises(BadInput, match="24 px are too small for LPIPS, it needs 31"):
        value(METRICS["lpips"], views(networks, tiny, tiny))


def test_an_fid_of_few_pictures_is_marked():
    results = [{"metric": "fid", "n": n} for n in (40, None, 90)]
    assert "FID over 40 to 90 pictures: below 2049 the covariance is singular" in small_sets(results)[0]
    assert small_sets([{"metric": "fid", "n": 5000}, {"metric": "fid_reader", "n": 40}]) == []


# ---- in a branch's evaluation and the comparison


def record_of(out):
    return json.loads((out / "metrics.json").read_text())


def test_columns_are_empty_until_the_network_is_given_and_never_mixed(files, tmp_path, monkeypatch):
    plain, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-0")
    some = {"lpips": files["lpips"], "arcface": files["arcface"]}
    given, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-1",
                             networks=NetworkSettings.parse(some, where="evaluate.networks"))  # fmt: skip
    for out, there in ((plain, False), (given, True)):
        record, faces = record_of(out), read_table(out / "faces.parquet", kind="scores")
        own = faces[(faces["protocol"] == "self") & (faces["row"] == "copy source")]
        for name in ("lpips", "csim_arcface_source", "csim_arcface_truth"):
            assert own[name].notna().any() == there, name
            assert bool(record["metrics"][name]["weights_sha256"]) == there
        assert {r["value"] for r in record["results"] if r["metric"] == "fid"} == {None}
    lpips = record_of(given)["metrics"]["lpips"]
    assert (lpips["network"], lpips["weights_sha256"]["alexnet"]) == ("LPIPS v0.1 (AlexNet)", some["lpips"]["sha256"])
    arcface = record_of(given)["metrics"]["csim_arcface_source"]
    assert arcface["weights_sha256"] == {"landmarks": "a", "arcface": some["arcface"]["sha256"]}
    assert arcface["judge"]["name"] == "fake"

    # A third branch, scored with another AlexNet: it may not stand beside the second, whatever the first had.
    third = tmp_path / "branches" / "cgan-full-2"
    shutil.copytree(given.parent, third)
    record = {**record_of(given), "branch": third.name}
    record["metrics"]["lpips"]["weights_sha256"]["alexnet"] = "0" * 64
    (third / "evaluate" / "metrics.json").write_text(json.dumps(record))
    entries = collect(tmp_path / "branches", [Branch.parse(f"cgan-full-{seed}") for seed in (0, 1, 2)])
    assert [entry.status for entry in entries] == ["trained", "trained", "not comparable"]
    assert "lpips (LPIPS v0.1 (AlexNet) of other files, there LPIPS v0.1 (AlexNet))" in entries[2].reason
    table = build_table(entries[:2], split="test", repeats=20, seed=0).set_index("row")
    assert table["self_lpips"].notna().to_dict()["cgan-full-1"]
    assert not table["self_lpips"].notna().to_dict()["cgan-full-0"]
    assert {m.id for m in columns_of(table, "self")} >= {"lpips", "csim_arcface_truth"}
    assert "fid" not in {m.id for m in columns_of(table, "self")}


def test_a_wrong_checksum_is_said_before_anything_is_drawn(files, tmp_path, monkeypatch):
    class Nobody:
        labels = ()

        def reenact(self, sources, driving):
            pytest.fail("drawn with a network that is not the one meant")

    wrong = NetworkSettings.parse({"inception": {**files["inception"], "sha256": "0" * 64}}, where="evaluate.networks")
    with pytest.raises(BadInput, match=r"inception.pth: its sha256 is .*, evaluate.networks.inception says 0000"):
        scored_branch(tmp_path, monkeypatch, "cgan-full-0", system=Nobody(), networks=wrong)
