"""Pair lists, the rows of a table, and the stage that scores a branch."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from evaluation_corpus import fake_judge, fake_judges, write_corpus
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import read_stage
from reenact.corpus.splits import Part, read_parts
from reenact.corpus.tables import read_table
from reenact.evaluation import judges
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.protocols import Counts, pair_list, pairs_hash
from reenact.evaluation.references import nearest_frames, other_people
from reenact.evaluation.rows import as_pictures, reenacted, rows_of
from reenact.evaluation.scoring import faces_table, score, summarise_sets
from reenact.evaluation.sequences import previous_rows
from reenact.evaluation.summary import summarise
from reenact.evaluation.table import figures_of_run
from reenact.stages.evaluate import EvaluateSettings, PairSettings, evaluate
from reenact.systems import store
from reenact.systems.branch import Branch
from reenact.tracking import runs
from reenact.tracking.connect import TrackingSettings, connect
from reenact.training.tracker import NullTracker

COUNTS = Counts(sources=2, self_pairs=3, cross_pairs=3, lsim=2)


class Mover(nn.Module):
    """Draws a head of the source's brightness where the driver's landmarks are; `look` makes it read the picture."""

    labels = ("landmarks",)

    def __init__(self, look=False):
        super().__init__()
        self.look = look

    def reenact(self, sources, driving):
        assert sources.image.shape[1] == 1
        bright = sources.image[:, 0].flatten(1).amax(dim=1)
        centre = driving.landmarks.mean(dim=1)
        side = sources.image.shape[-1]
        grid = (torch.arange(side) + 0.5) / side
        far = (grid[None, None] - centre[:, 0, None, None]) ** 2 + (grid[None, :, None] - centre[:, 1, None, None]) ** 2
        drawn = torch.where(far < 0.2**2, bright[:, None, None], torch.tensor(-0.85))
        image = drawn[:, None].expand(-1, 3, -1, -1).clone()
        return image + 0 * driving.image if self.look else image


def opened(root, **options):
    folders = write_corpus(root, **options)
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])
    return folders, corpus


def listed(folders, corpus, split="test", counts=COUNTS, seed=0):
    training = read_parts(folders["validated"], "train")
    parts = read_parts(folders["validated"], split)
    return pair_list(corpus, parts, split=split, training=training, counts=counts, seed=seed)


def test_pairs_are_what_their_protocol_says(tmp_path):
    pairs = listed(*opened(tmp_path))
    by = dict(tuple(pairs.groupby("protocol")))
    assert {name: len(group) for name, group in by.items()} == {"self": 12, "cross": 12, "lsim": 8}
    assert (by["self"]["source_clip"] == by["self"]["driving_clip"]).all()
    assert (by["self"]["source_frame"] != by["self"]["driving_frame"]).all()
    assert (by["self"]["driving_frame"] == by["self"]["truth_frame"]).all()
    assert (by["cross"]["source_identity"] != by["cross"]["driving_identity"]).all()
    assert (by["cross"]["truth_frame"] == -1).all()
    assert (by["lsim"]["source_clip"] == by["lsim"]["truth_clip"]).all()
    assert (by["lsim"]["source_identity"] != by["lsim"]["driving_identity"]).all()
    assert pairs["pair"].is_unique
    assert (pairs["identities"] == "unseen").all()
    test_people = {part.identity for part in read_parts(tmp_path / "validated", "test")}
    assert set(pairs["source_identity"]) | set(pairs["driving_identity"]) == test_people


def test_everybody_is_source_and_driver_equally_often(tmp_path):
    pairs = listed(*opened(tmp_path))
    cross = pairs[pairs["protocol"] == "cross"]
    assert set(cross["source_identity"].value_counts()) == {3}
    assert set(cross["driving_identity"].value_counts()) == {3}


def test_lsim_drivers_have_the_nearest_action_units(tmp_path):
    folders, corpus = opened(tmp_path)
    people = {part.identity: corpus.by_name[part.clip] for part in read_parts(folders["validated"], "test")}
    for row in listed(folders, corpus).query("protocol == 'lsim'").itertuples():
        wanted = corpus.actions(corpus.by_name[row.truth_clip])[row.truth_frame]
        others = [clip for name, clip in people.items() if name != row.source_identity]
        best = min(np.linalg.norm(corpus.actions(clip) - wanted, axis=1).min() for clip in others)
        found = np.linalg.norm(corpus.actions(corpus.by_name[row.driving_clip])[row.driving_frame] - wanted)
        assert found == pytest.approx(best)


def test_lists_follow_the_seed_and_the_order_of_clips_does_not_matter(tmp_path):
    folders, corpus = opened(tmp_path)
    first = listed(folders, corpus)
    assert pairs_hash(first) == pairs_hash(listed(folders, corpus))
    assert pairs_hash(first) != pairs_hash(listed(folders, corpus, seed=1))
    parts = read_parts(folders["validated"], "test")[::-1]
    turned = pair_list(corpus, parts, split="test", training=(), counts=COUNTS, seed=0)
    assert pairs_hash(first) == pairs_hash(turned)
    # Of videos as they always were: figures of earlier tables stand beside new ones.
    assert pairs_hash(first) == "b9105ca3afbeee63789e3c4b0ed453913694639536ae713acc0d8ce1863ae06a"


def test_stretches_of_video_are_frames_on_end_and_change_no_other_pair(tmp_path):
    folders, corpus = opened(tmp_path)
    counts = replace(COUNTS, sequences=1, sequence_frames=4)
    pairs = listed(folders, corpus, counts=counts)
    old = pairs[~pairs["protocol"].str.endswith("video")]
    assert pairs_hash(old) == pairs_hash(listed(folders, corpus))
    assert (old["sequence"] == "").all()
    for name in ("selfvideo", "crossvideo"):
        own = pairs[pairs["protocol"] == name]
        assert own.groupby("sequence").size().tolist() == [4] * 4
        assert (own["source_identity"].eq(own["driving_identity"])).all() == (name == "selfvideo")
        assert (own["truth_frame"] >= 0).all() == (name == "selfvideo")
        for _, group in own.groupby("sequence"):
            assert np.diff(group["driving_frame"]).tolist() == [1, 1, 1]
            assert not (
                (group["source_clip"] == group["driving_clip"]) & (group["source_frame"] == group["driving_frame"])
            ).any()
        mixed = own.sample(frac=1.0, random_state=0)
        before = previous_rows(mixed)
        for row, place in zip(mixed.itertuples(), before, strict=True):
            if place >= 0:
                assert mixed.iloc[place]["driving_frame"] == row.driving_frame - 1
        assert (before < 0).sum() == 4


def test_a_still_picture_has_no_jitter_and_misses_all_change(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus, counts=replace(COUNTS, sequences=1, sequence_frames=4))
    _, records = figures(corpus, pairs, Mover())
    assert records["copy source", "selfvideo", "jitter"]["value"] == pytest.approx(0, abs=1e-9)
    assert records["ground truth", "selfvideo", "temporal_error"]["value"] == 0
    ours, copied = (records[row, "selfvideo", "temporal_error"]["value"] for row in ("ours", "copy source"))
    assert 0 < ours < 0.5 * copied
    assert records["ours", "selfvideo", "temporal_error"]["n"] == 12  # of 16 frames, the first of each has none before
    assert records["ours", "crossvideo", "jitter"]["n"] == 8
    assert ("ours", "crossvideo", "temporal_error") not in records


def test_people_that_training_has_seen_are_marked_and_their_sources_come_from_its_part(tmp_path):
    folders, corpus = opened(tmp_path)
    parts = read_parts(folders["validated"], "test")
    half = [Part(clip=p.clip, identity=p.identity, start=p.start, stop=(p.start + p.stop) // 2) for p in parts]
    rest = [Part(clip=p.clip, identity=p.identity, start=(p.start + p.stop) // 2, stop=p.stop) for p in parts]
    pairs = pair_list(corpus, rest, split="test", training=half, counts=COUNTS, seed=0)
    assert (pairs["identities"] == "seen").all()
    borders = {part.clip: part.stop for part in half}
    assert (pairs["source_frame"] < pairs["source_clip"].map(borders)).all()
    assert (pairs["driving_frame"] >= pairs["driving_clip"].map(borders)).all()
    own = pairs[pairs["protocol"] != "cross"]
    assert (own["truth_frame"] >= own["truth_clip"].map(borders)).all()


def test_one_identity_alone_has_self_pairs_only_and_no_interval(tmp_path):
    folders, corpus = opened(tmp_path, splits=("train", "val", "test"))
    pairs = listed(folders, corpus)
    assert set(pairs["protocol"]) == {"self"}
    pictures = Pictures(corpus, size=32)
    faces = faces_table(score(rows_of(pictures, []), pairs, pictures, fake_judges()))
    figure = next(r for r in summarise(faces, repeats=50, seed=0) if r["metric"] == "mse")
    assert figure["value"] is not None
    assert figure["low"] is None


def figures(corpus, pairs, system):
    pictures = Pictures(corpus, size=32)
    rows = rows_of(pictures, [("ours", reenacted(system, pictures, batch=5, device="cpu"))])
    scored = score(rows, pairs, pictures, fake_judges())
    faces = faces_table(scored)
    records = summarise(faces, repeats=100, seed=0) + summarise_sets(scored)
    return faces, {(r["row"], r["protocol"], r["metric"]): r for r in records}


def test_the_drivers_picture_is_never_read(tmp_path):
    """It is NaN for every system: one that looks has no picture, one that doesn't is not touched."""
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus)
    faces, _ = figures(corpus, pairs, Mover())
    assert faces["drawn"][faces["row"] == "ours"].all()
    faces, records = figures(corpus, pairs, Mover(look=True))
    assert not faces["drawn"][faces["row"] == "ours"].any()
    ours = records["ours", "self", "mse"]
    assert (ours["value"], ours["n"], ours["not_drawn"], ours["pairs"]) == (None, 0, 12, 12)
    assert records["copy source", "self", "mse"]["n"] == 12


def test_references_and_a_good_system_stand_where_they_must(tmp_path):
    folders, corpus = opened(tmp_path)
    _, records = figures(corpus, listed(folders, corpus), Mover())
    for metric, best in (("mse", 0), ("ssim", 1), ("pose_angle", 0), ("ed", 0), ("csim_truth", 1), ("fid_reader", 0)):
        assert records["ground truth", "self", metric]["value"] == pytest.approx(best, abs=1e-4)
    assert records["copy source", "self", "csim_source"]["value"] == pytest.approx(1)
    assert records["copy source", "cross", "csim_source"]["value"] == pytest.approx(1)
    assert records["ground truth", "lsim", "lsim"]["value"] == pytest.approx(0)
    assert records["ground truth", "cross", "pose_angle"]["value"] is None
    ours, copied = (records[row, "self", "pose_angle"] for row in ("ours", "copy source"))
    assert ours["value"] < 0.3 * copied["value"]
    assert ours["versus_copy"]["high"] < 0
    assert ("ours", "cross", "mse") not in records


def test_looking_up_finds_the_nearest_frame_but_never_the_truth(tmp_path):
    folders, corpus = opened(tmp_path, frames=30)
    pairs = listed(folders, corpus)
    found = nearest_frames(corpus, pairs)
    for (clip, frame), pair in zip(found, pairs.itertuples(), strict=True):
        assert corpus.by_name[clip].identity == pair.source_identity
        if pair.protocol == "self":
            assert abs(frame - pair.truth_frame) > 12  # half a second away
    _, records = figures(corpus, pairs, Mover())
    copied, looked_up = (records[row, "cross", "pose_angle"]["value"] for row in ("copy source", "nearest frame"))
    assert looked_up < 0.3 * copied


def test_the_other_identity_is_the_floor_of_identity_metrics(tmp_path):
    folders, corpus = opened(tmp_path)
    pairs = listed(folders, corpus)
    chosen = other_people(corpus, pairs)
    for (clip, _), pair in zip(chosen, pairs.itertuples(), strict=True):
        assert corpus.by_name[clip].identity not in (pair.source_identity, pair.driving_identity)
    turned = pairs.sample(frac=1.0, random_state=0)
    assert dict(zip(turned["pair"], other_people(corpus, turned), strict=True)) == dict(
        zip(pairs["pair"], chosen, strict=True)
    )
    _, records = figures(corpus, pairs, Mover())
    values = [records[row, "self", "csim_truth"]["value"] for row in ("other identity", "ours", "ground truth")]
    assert values[0] < 0.9 * values[2]
    assert values[1] == pytest.approx(values[2], abs=0.05)


def test_pictures_are_rounded_to_8_bits_and_clipped():
    values = torch.tensor([[-3.0, -1.0, 0.0, 1.0, 3.0, 0.5]]).reshape(1, 1, 1, 6).expand(2, 3, 1, 6).clone()
    values[1, 0, 0, 0] = float("inf")
    drawn = as_pictures(values)
    assert drawn.pictures[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255, 191]
    assert drawn.usable.tolist() == [True, False]


def scored_branch(tmp_path, monkeypatch, name, *, status="trained", system=None, tracking=None, known=None, **options):
    """Score a branch; without `tracking` nobody keeps its figures, which would take seconds."""
    if tracking is None:
        monkeypatch.setattr(runs, "branch_run", lambda *_, **__: nullcontext(NullTracker()))
    root = tmp_path / "corpus"
    folders = {name: root / name for name in ("frames", "landmarks", "actions", "validated")}
    if not root.exists():
        write_corpus(root)
    model, out = tmp_path / "branches" / name / "train", tmp_path / "branches" / name / "evaluate"
    model.mkdir(parents=True, exist_ok=True)
    (model / "stage.json").write_text(json.dumps({"format": 1, "kind": "model"}))
    record = {"status": status, "reason": "loss pixel is not finite", "key": f"key of {name}", "steps": 40,
              "system": "cgan", "variant": "full", "seed": 0, "data": "d", "train": {"samples": 400},
              "system_settings": {}, "runtime": {}}  # fmt: skip
    (model / "status.json").write_text(json.dumps(record))
    facts = {"size": 32, "sha256": name}
    (model / "model.json").write_text(json.dumps(facts))
    monkeypatch.setattr(store, "load_system", lambda folder, device: (system or Mover(), facts))
    monkeypatch.setattr(judges, "JUDGES", known or {"tools": lambda _: fake_judge()})
    counts = PairSettings(sources=1, self_pairs=2, cross_pairs=2, lsim=1)
    settings = EvaluateSettings(val=counts, bootstrap=50, samples=3, judge_size=64, retarget=(),
                                **{"test": counts, "cache": "", **options})  # fmt: skip
    result = evaluate(
        **folders, guide=tmp_path, model=model, out=out, branch=Branch.parse(name), settings=settings,
        tracking=tracking or TrackingSettings(), runtime=Runtime(threads=1),
    )  # fmt: skip
    return out, result


def test_a_branch_leaves_figures_pairs_and_pictures(tmp_path, monkeypatch):
    out, result = scored_branch(tmp_path, monkeypatch, "cgan-full-0")
    assert read_stage(out, kind="evaluation")["status"] == "trained"
    assert result.counts["no_face"] == 0
    record = json.loads((out / "metrics.json").read_text())
    assert record["judge"]["size"] == 64
    assert record["metrics"]["csim_source"]["weights_sha256"] == {"landmarks": "a", "recognition": "b"}
    assert {r["split"] for r in record["results"]} == {"val", "test"}
    assert {a["verdict"] for a in record["alarms"]} == {"fine", "unknown"}
    assert {a["name"] for a in record["alarms"] if a["verdict"] == "unknown"} == {"mask_saturation"}
    faces = read_table(out / "faces.parquet", kind="scores")
    pairs = read_table(out / "pairs.parquet", kind="pairs")
    assert len(faces) == 5 * len(pairs)  # four references and the branch
    assert (out / "samples.parquet").exists()


def test_a_branch_without_test_pairs_is_scored_on_the_others_and_the_table_says_so(tmp_path, monkeypatch):
    none = PairSettings(self_pairs=0, cross_pairs=0, cross_truth=0, lsim=0, sequences=0)
    out, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-0", test=none)
    record = json.loads((out / "metrics.json").read_text())
    assert {r["split"] for r in record["results"]} == {"val"}
    assert "no pairs of the test split" in record["notes"]
    assert {a["verdict"] for a in record["alarms"]} == {"unknown"}


def test_the_same_branch_has_the_same_figures_whatever_the_batch(tmp_path, monkeypatch):
    first, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-0", batch=1)
    figures = (first / "metrics.json").read_bytes()
    again, _ = scored_branch(tmp_path, monkeypatch, "cgan-full-0", batch=7)
    assert (again / "metrics.json").read_bytes() == figures


def test_a_failed_training_is_a_record_not_an_error(tmp_path, monkeypatch):
    out, result = scored_branch(tmp_path, monkeypatch, "cgan-full-0", status="failed")
    assert read_stage(out, kind="evaluation")["reason"] == "loss pixel is not finite"
    assert "training failed" in result.notes[0]
    assert pd.isna(result.counts.get("pairs", np.nan))


@pytest.fixture
def tracking(tmp_path, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return TrackingSettings(uri=f"sqlite:///{tmp_path}/mlflow/mlflow.db", artifacts=f"{tmp_path}/mlflow/artifacts")


def test_figures_join_the_trainings_own_run_though_mlflow_was_away(tmp_path, monkeypatch, tracking, capsys):
    name = "cgan-full-0"
    with runs.branch_run(tracking, key=f"key of {name}", name=name, params={}, tags={}) as training:
        training.metrics({"generator/pixel": 0.5}, 39)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens
    out, _ = scored_branch(tmp_path, monkeypatch, name, tracking=tracking)
    assert read_stage(out, kind="evaluation")["status"] == "trained"
    assert "not delivered" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    out, _ = scored_branch(tmp_path, monkeypatch, name, tracking=tracking)

    client, experiment = connect(tracking)
    (run,) = client.search_runs([experiment])
    assert run.info.run_id == training.run_id
    assert run.info.status == "FINISHED"
    assert run.data.params["train.samples"] == "400"
    results = json.loads((out / "metrics.json").read_text())["results"]
    ours = [r for r in results if r["row"] == name and r["protocol"] == "self" and r["metric"] == "ed"]
    logged = {f"{split}_self_ed": run.data.metrics[f"{split}_self_ed"] for split in ("val", "test")}
    assert logged == {f"{r['split']}_self_ed": r["value"] for r in ours}
    assert run.data.metrics["test_self_no_face"] == 0
    assert run.data.metrics["generator/pixel"] == 0.5
    # The figures that were kept and those of the second evaluation are the same: one point each.
    assert [m.step for m in client.get_metric_history(run.info.run_id, "test_self_ed")] == [40]


def test_what_was_judged_on_no_pair_is_not_logged():
    facts = {"split": "test", "protocol": "cross", "identities": "seen", "no_face": 6}
    results = [{**facts, "row": row, "metric": "csim_source", "value": value}
               for row, value in (("ours", None), ("copy source", 1.0))]  # fmt: skip
    assert figures_of_run({"results": results}, "ours") == {"test_seen_cross_no_face": 6.0}
