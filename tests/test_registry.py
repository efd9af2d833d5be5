"""The registry: a version loads and draws what the system draws, and the same winner is one version."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pytest
import torch

from reenact.atomic import write_json
from reenact.corpus.shards import write_stage
from reenact.errors import BadInput, StorageError
from reenact.faces.batch import Faces
from reenact.stages.register import RegisterSettings, register
from reenact.systems.catalogue import build_system
from reenact.systems.store import load_system, save_system
from reenact.tracking.connect import TrackingSettings, connect, tracking_uri
from reenact.tracking.example import input_example
from reenact.tracking.registry import RegistrySettings, requirements, signature
from reenact.tracking.runs import branch_run

SMALL = {"width": 4, "discriminator_width": 4}
SIZE = 32


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def tracking(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        yield TrackingSettings(uri=f"sqlite:///{home}/mlflow/mlflow.db", artifacts=f"{home}/mlflow/artifacts")


RIGHTS = "Licence of the clips, the strictest first: CC-BY-4.0 (3 of 3 clips). Consent: given (3)."


@pytest.fixture(scope="module")
def trained(home, tracking):
    """A comparison whose winner is a branch with random weights."""
    torch.manual_seed(0)
    folder = home / "branches" / "cgan-full-0" / "train"
    save_system(folder, build_system("cgan", "full", SMALL, size=SIZE, features=None), {"variant": "full", "seed": 0})
    with branch_run(tracking, key="key-0", name="cgan-full-0", params={}, tags={}) as tracker:
        pass
    write_json(
        folder / "status.json",
        {"status": "trained", "key": "key-0", "data": "d0", "mlflow_run_id": tracker.run_id,
         "lineage": {"rights": RIGHTS, "trainer": "Ana"}},
    )  # fmt: skip
    write_stage(folder, kind="model")
    winner = {"branch": "cgan-full-0", "metric": "self_ed", "value": 0.1, "rule": {"split": "val", "judged": 0.5},
              "model": "cgan-full-0/train"}  # fmt: skip
    write_json(home / "comparison" / "winner.json", winner)
    write_stage(home / "comparison", kind="comparison")
    return home


def do_register(home, tracking, out, model="reenact"):
    return register(
        comparison=home / "comparison", branches=home / "branches", out=out, settings=RegisterSettings(),
        tracking=tracking, registry=RegistrySettings(model=model),
    )  # fmt: skip


@pytest.fixture(scope="module")
def version(trained, tracking):
    do_register(trained, tracking, trained / "registered")
    return json.loads((trained / "registered" / "version.json").read_text())


def inputs(count=2, sources=3):
    generator = np.random.default_rng(0)

    def some(*shape):
        return generator.random(shape, dtype=np.float32)

    return {
        "sources": some(count, sources, 3, SIZE, SIZE) * 2 - 1,
        "source_landmarks": some(count, sources, 68, 2),
        "source_actions": some(count, sources, 17),
        "source_pose": some(count, sources, 3),
        "driving_landmarks": some(count, 68, 2),
        "driving_actions": some(count, 17),
        "driving_pose": some(count, 3),
    }


@pytest.fixture(scope="module")
def model(version, tracking):
    from mlflow import pyfunc, set_tracking_uri

    set_tracking_uri(tracking_uri(tracking))
    loaded = pyfunc.load_model("models:/reenact@challenger")
    set_tracking_uri("")
    os.environ.pop("MLFLOW_TRACKING_URI")
    return loaded


def test_a_loaded_version_draws_what_the_system_draws(model, trained):
    system, _ = load_system(trained / "branches" / "cgan-full-0" / "train")
    given = inputs()
    drawn = model.predict(given)
    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    with torch.inference_mode():
        expected = system.reenact(
            Faces(image=tensors["sources"], landmarks=tensors["source_landmarks"]),
            Faces(image=tensors["sources"][:, 0], landmarks=tensors["driving_landmarks"]),
        )
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, expected.numpy(), atol=1e-6)


def test_the_input_example_that_comes_with_a_model_is_drawn(model):
    assert model.predict(model.input_example).shape == (1, 3, SIZE, SIZE)


def test_the_input_example_has_as_many_pictures_as_a_system_needs():
    example = input_example({"size": 16, "shots": 4, "exact_sources": True})
    assert list(example) == signature().inputs.input_names()
    assert example["sources"].shape == (1, 4, 3, 16, 16)
    assert -1 <= example["sources"].min() < example["sources"].max() <= 1
    assert 0 < example["driving_landmarks"].min() < example["driving_landmarks"].max() < 1
    assert input_example({"size": 16, "shots": 4})["sources"].shape == (1, 1, 3, 16, 16)


def test_edits_are_parameters_that_a_landmark_system_ignores(model):
    edits = {"edit_actions": [1.0] * 17, "edit_pose": [0.0, 10.0, 0.0]}
    np.testing.assert_array_equal(model.predict(inputs()), model.predict(inputs(), params=edits))


def test_wrong_inputs_are_refused(model):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException):
        model.predict({**inputs(), "sources": inputs()["sources"].astype(np.float64)})
    with pytest.raises(BadInput, match="Resize"):
        model.predict({**inputs(), "sources": np.zeros((2, 1, 3, 16, 16), np.float32)})
    with pytest.raises(BadInput, match=r"\[-1, 1\]"):
        model.predict({**inputs(), "sources": inputs()["sources"] * 255})
    with pytest.raises(BadInput, match="no source picture"):
        model.predict(inputs(sources=0))
    given = inputs()
    given["source_landmarks"][1, 2] = np.nan
    with pytest.raises(BadInput, match="picture 2 of sample 1"):
        model.predict(given)
    with pytest.raises(BadInput, match="driving landmarks"):
        model.predict({**inputs(), "driving_landmarks": np.zeros((2, 68, 2), np.float32)})


def test_the_version_says_what_it_is_and_where_it_comes_from(version, tracking):
    client, _ = connect(tracking)
    found = client.get_model_version_by_alias("reenact", "challenger")
    assert str(found.version) == version["version"]
    assert found.tags["system"] == "cgan"
    assert found.tags["variant"] == "full"
    assert found.tags["shots"] == "1"
    assert "trained with K = 1, takes any number" in found.description
    assert "of the branches in whose pictures the judge finds a face in 50% or more" in found.description
    assert found.tags["lineage.data_hash"] == "d0"
    assert found.tags["lineage.rights"] == RIGHTS
    assert RIGHTS in found.description
    assert found.tags["trainer"] == "Ana"
    assert len(found.tags["weights_sha256"]) == 64
    assert "synthetic" in found.tags["synthetic"]
    assert found.run_id == version["run_id"]
    assert client.get_run(found.run_id).data.tags["reenact.key"] == "key-0"
    assert client.get_run(found.run_id).info.status == "FINISHED"


def test_a_model_whose_weights_were_changed_since_is_not_loaded(version, tracking, tmp_path):
    from mlflow import pyfunc, set_tracking_uri

    client, _ = connect(tracking)
    place = client.get_model_version_download_uri("reenact", version["version"])
    shutil.copytree(url2pathname(urlparse(place).path), tmp_path / "model")
    torch.manual_seed(1)
    others = build_system("cgan", "full", SMALL, size=SIZE, features=None)
    (weights,) = (tmp_path / "model").rglob("model.safetensors")
    save_system(weights.parent, others, {"variant": "full", "seed": 0})  # with a card that fits
    set_tracking_uri(tracking_uri(tracking))
    try:
        with pytest.raises(BadInput, match="not those that were registered"):
            pyfunc.load_model(str(tmp_path / "model"))
    finally:
        set_tracking_uri("")
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def test_registering_leaves_the_process_as_it_was(trained, tracking, tmp_path):
    before = list(sys.path)
    do_register(trained, tracking, tmp_path / "registered", model="once")
    assert sys.path == before
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert not Path("mlflow.db").exists()


def test_registering_the_same_winner_again_is_the_same_version(version, trained, tracking):
    result = do_register(trained, tracking, trained / "registered-again")
    again = json.loads((trained / "registered-again" / "version.json").read_text())
    assert again["version"] == version["version"]
    assert not again["new"]
    assert "known already" in result.notes[0]
    client, _ = connect(tracking)
    assert len(client.search_model_versions("name = 'reenact'")) == 1


def test_an_upload_that_is_cut_short_leaves_no_version_and_the_run_as_it_was(trained, tracking, tmp_path, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client, _ = connect(tracking)
    status = json.loads((trained / "branches" / "cgan-full-0" / "train" / "status.json").read_text())
    before = client.get_run(status["mlflow_run_id"]).info

    def cut(self, model_id, local_dir):
        raise MlflowException("the connection broke")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", cut)
        with pytest.raises(StorageError, match="the connection broke"):
            do_register(trained, tracking, tmp_path / "registered", model="cut")
    assert client.search_model_versions("name = 'cut'") == []
    assert client.get_registered_model("cut").aliases == {}
    after = client.get_run(status["mlflow_run_id"]).info
    assert (after.status, after.end_time) == (before.status, before.end_time)
    assert not (tmp_path / "registered").exists()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    do_register(trained, tracking, tmp_path / "registered", model="cut")
    assert json.loads((tmp_path / "registered" / "version.json").read_text())["alias"] == "challenger"


def test_a_version_that_people_decided_about_does_not_wait_again(trained, tracking, tmp_path):
    client, _ = connect(tracking)
    do_register(trained, tracking, tmp_path / "first", model="decided")
    client.set_model_version_tag("decided", "1", "review", "rejected")
    client.delete_registered_model_alias("decided", "challenger")
    result = do_register(trained, tracking, tmp_path / "again", model="decided")
    assert client.get_registered_model("decided").aliases == {}
    assert "decided about it before" in result.notes[0]


def test_without_a_winner_nothing_is_registered(tmp_path, tracking):
    write_json(tmp_path / "comparison" / "winner.json", {"branch": None})
    write_stage(tmp_path / "comparison", kind="comparison")
    with pytest.raises(BadInput, match="no winner"):
        do_register(tmp_path, tracking, tmp_path / "registered")
    assert not (tmp_path / "registered").exists()


def test_requirements_are_pinned_without_local_labels():
    assert all(part.count("==") == 1 and "+" not in part for part in requirements())


@pytest.mark.slow
def test_a_version_brings_its_own_code(version, tracking, tmp_path):
    code = (
        "import mlflow, sys\n"
        f"mlflow.set_tracking_uri({tracking_uri(tracking)!r})\n"
        "mlflow.pyfunc.load_model('models:/reenact@challenger')\n"
        "import reenact; print(reenact.__file__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "/code/reenact/" in done.stdout
