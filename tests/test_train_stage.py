"""What a training reads, which network stands behind its losses, and what its record says."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from reenact.config import Runtime
from reenact.corpus.tables import read_table, write_table
from reenact.errors import BadInput
from reenact.hashing import hash_file
from training_corpus import write_corpus
from training_drill import make_guide, train_branch

BRANCH = "cgan-full-0"
TESTED = "person-2"
VGG = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256),
       16: (256, 256), 19: (512, 256), 21: (512, 512), 23: (512, 512), 25: (512, 512), 28: (512, 512)}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Persons 0, 1, 3 to train on, 2 for the table, 4 to choose on; and a guide."""
    folder = tmp_path_factory.mktemp("stage")
    write_corpus(folder, identities=5)
    path = folder / "validated" / "split.parquet"
    split = read_table(path, kind="split")
    split.loc[split["identity"] == TESTED, "split"] = "test"
    write_table(path, split, kind="split")
    (folder / "validated" / "profile.json").write_text('{"kind": "profile"}')
    make_guide(folder)
    return folder


@pytest.fixture(scope="module")
def trained(root):
    train_branch(root, str(root / "checkpoints"), root / "trained", BRANCH)
    return root / "trained"


def status_of(folder):
    return json.loads((folder / "status.json").read_text())


def poison(root):
    """Noise for pictures and nonsense for landmarks in every row of the person who is tested on."""
    clips = read_table(root / "frames" / "clips.parquet", kind="clips")
    row = clips[clips["identity"] == TESTED].iloc[0]
    rows = slice(int(row["start"]), int(row["start"] + row["count"]))
    for file in (f"frames/{row['shard']}/frames.npy", f"landmarks/{row['shard']}/landmarks.npy"):
        values = np.load(root / file)
        noise = np.random.default_rng(0).integers(0, 256, values[rows].shape)
        values[rows] = noise.astype(values.dtype) if values.dtype == np.uint8 else 1e3 * noise
        np.save(root / file, values)
    path = root / "actions" / row["shard"] / "rows.parquet"
    actions = read_table(path, kind="actions")
    actions.iloc[rows] = 77.0
    write_table(path, actions, kind="actions")


def test_nothing_of_a_test_identity_reaches_guide_weights_or_choice(root, trained, tmp_path):
    for kind in ("frames", "landmarks", "actions", "validated"):
        shutil.copytree(root / kind, tmp_path / kind)
    poison(tmp_path)
    make_guide(tmp_path)
    assert hash_file(tmp_path / "guide/reader.safetensors") == hash_file(root / "guide/reader.safetensors")
    train_branch(tmp_path, str(tmp_path / "checkpoints"), tmp_path / "out", BRANCH)
    status = status_of(tmp_path / "out")
    assert status["data"] != status_of(trained)["data"], "nothing was poisoned"
    assert not status["taken_finished"]
    assert hash_file(tmp_path / "out/model.safetensors") == hash_file(trained / "model.safetensors")
    assert status["chosen"] == status_of(trained)["chosen"]


def test_a_vgg_file_of_ones_own_takes_the_guides_place_and_is_named(root, trained, tmp_path):
    random = torch.Generator().manual_seed(0)
    weights = {}
    for index, (out, channels) in VGG.items():
        weights[f"features.{index}.weight"] = torch.randn(out, channels, 3, 3, generator=random) / (3 * channels**0.5)
        weights[f"features.{index}.bias"] = torch.zeros(out)
    file = tmp_path / "vgg19.pth"
    torch.save(weights, file)
    features = {"network": "vgg19", "file": str(file), "sha256": hash_file(file)}
    short = {"samples": 8, "features": features}
    train_branch(root, str(tmp_path / "checkpoints"), tmp_path / "out", BRANCH, **short)
    status, usual = status_of(tmp_path / "out"), status_of(trained)
    assert status["features"] == {"name": "vgg19", "sha256": hash_file(file)}
    assert usual["features"] == {"name": "guide", "sha256": hash_file(root / "guide/reader.safetensors")}

    def first(folder):
        """The terms of the first eight samples."""
        table = pd.read_parquet(folder / "history.parquet")
        return table[table["step"] == 2].set_index("name")["value"]

    assert first(tmp_path / "out")["perceptual"] != first(trained)["perceptual"]
    assert first(tmp_path / "out")["identity"] != first(trained)["identity"]
    short["features"] = {**features, "sha256": "0" * 64}
    with pytest.raises(BadInput, match="sha256"):
        train_branch(root, str(tmp_path / "checkpoints"), tmp_path / "other", BRANCH, **short)


def test_a_sick_training_is_a_record_with_its_reason_and_goes_on_where_the_alarm_is_told_to_warn(
    root, trained, tmp_path
):
    uri = str(tmp_path / "checkpoints")
    touchy = {
        "warm_up": 0.0,
        "warm_up_samples": 0,
        "identity_collapse": {"warning": 9.0, "alarm": 8.0},
    }  # nothing goes that far
    train_branch(root, uri, tmp_path / "out", BRANCH, alarms=touchy)
    status = status_of(tmp_path / "out")
    assert status["status"] == "failed"
    assert re.match(r"step \d+: identity collapse on val self: .* \(limit 8\); ", status["reason"])
    assert "train.alarms.stop" in status["reason"]
    assert not (tmp_path / "out" / "model.safetensors").exists()
    stopped_at = status["steps"]
    assert stopped_at < status_of(trained)["steps"]
    train_branch(root, uri, tmp_path / "out", BRANCH, alarms={**touchy, "stop": []})
    status = status_of(tmp_path / "out")
    assert status["status"] == "trained"
    assert 0 < status["continued_from"] <= stopped_at
    assert {each["name"]: each["verdict"] for each in status["alarms"]}["identity_collapse"] == "alarm"
    assert hash_file(tmp_path / "out/model.safetensors") == hash_file(trained / "model.safetensors")
    client = MlflowClient(f"sqlite:///{root}/mlflow/mlflow.db")
    run = client.get_run(status["mlflow_run_id"])
    assert run.data.tags["alarm.identity_collapse"] == "alarm"
    assert "alarm_identity_collapse" in run.data.metrics


def test_what_an_ablation_breaks_is_its_result_and_does_not_stop_it(root, tmp_path):
    touchy = {"warm_up": 0.0, "warm_up_samples": 0, "mode_collapse": {"warning": 9.0, "alarm": 8.0}}
    for sure, ends in ((False, "trained"), (True, "failed")):
        train_branch(root, str(tmp_path / f"{sure}"), tmp_path / "out", "cgan-no_pixel-0",
                     alarms={**touchy, "stop_ablations": sure})  # fmt: skip
        assert status_of(tmp_path / "out")["status"] == ends


def test_the_mlflow_run_names_settings_feature_network_terms_pictures_and_lineage(root, trained):
    status = status_of(trained)
    client = MlflowClient(f"sqlite:///{root}/mlflow/mlflow.db")
    run = client.get_run(status["mlflow_run_id"])
    assert run.data.params["train.samples"] == "44"
    assert run.data.params["features.name"] == "guide"
    assert run.data.params["features.sha256"] == hash_file(root / "guide/reader.safetensors")
    terms = {"adversarial", "pixel", "self_consistency", "triple", "perceptual", "identity", "discriminator"}
    assert terms <= run.data.metrics.keys()
    assert run.data.tags["reenact.key"] == status["key"]
    assert run.data.tags["lineage.data_hash"] == status["data"]
    assert len(run.data.tags["lineage.params_hash"]) == 64
    assert "not recorded" in run.data.tags["lineage.rights"]  # the split was made by hand
    assert {"lineage.git_commit", "lineage.git_dirty"} & run.data.tags.keys()
    assert status["lineage"]["mlflow_run_id"] == run.info.run_id
    assert len(client.list_artifacts(run.info.run_id, "images")) >= 2
    left = client.download_artifacts(run.info.run_id, "train/profile.json")
    assert hash_file(Path(left)) == hash_file(root / "validated/profile.json"), "what later data is held against"


def test_a_share_of_the_people_is_trained_on_and_said(root, trained, tmp_path):
    train_branch(root, str(tmp_path / "checkpoints"), tmp_path / "out", BRANCH, share=0.5)
    status = status_of(tmp_path / "out")
    assert "train.share 0.5: 2 of 3 training identities." in status["notes"]
    assert status["key"] != status_of(trained)["key"]
    assert status["data"] == status_of(trained)["data"]
    assert hash_file(tmp_path / "out/model.safetensors") != hash_file(trained / "model.safetensors")


def test_a_training_ends_by_its_clock_and_its_record_says_so(root, trained, tmp_path):
    assert status_of(trained)["ended_by"] == "samples"
    short = {"minutes": 1e-6, "choose": {"among": "last_third"}}
    train_branch(root, str(tmp_path / "checkpoints"), tmp_path / "out", BRANCH, **short)
    status = status_of(tmp_path / "out")
    assert (status["status"], status["ended_by"], status["samples"]) == ("trained", "minutes", 4)
    assert status["training_seconds"] >= 60e-6
    assert status["chosen"]["step"] == 1, "the last weights were not validated"
    assert status["chosen"]["value"] > 0


def test_precision_and_device_are_honoured_and_part_of_the_key(root, trained, tmp_path):
    half = Runtime(threads=1, workers=1, device="cpu", precision="bf16-mixed")
    train_branch(root, str(root / "checkpoints"), tmp_path / "half", BRANCH, runtime=half)
    status, usual = status_of(tmp_path / "half"), status_of(trained)
    assert status["status"] == "trained"
    assert status["key"] != usual["key"]
    assert status["runtime"]["precision"] == "bf16-mixed"
    assert hash_file(tmp_path / "half/model.safetensors") != hash_file(trained / "model.safetensors")
    lies = Runtime(threads=1, workers=1, device="cpu", precision="bf16-mixed", channels_last=True)
    train_branch(root, str(root / "checkpoints"), tmp_path / "lies", BRANCH, runtime=lies)
    assert status_of(tmp_path / "lies")["key"] not in (usual["key"], status["key"])
    assert (tmp_path / "lies" / "model.safetensors").exists()
    if not torch.cuda.is_available():  # then `auto` is the CPU, and the same training
        auto = Runtime(threads=1, workers=1, device="auto")
        train_branch(root, str(root / "checkpoints"), tmp_path / "auto", BRANCH, runtime=auto)
        assert status_of(tmp_path / "auto")["key"] == usual["key"]
        assert status_of(tmp_path / "auto")["taken_finished"]
