"""FACEGAN through the stages: phases with batches of their own, scored with its further rows, registered, used."""

import json
import os
import sys
import types

import numpy as np
import pytest
import torch

from evaluation_corpus import FACE, fake_judge, write_corpus
from reenact.config import Runtime
from reenact.corpus.shards import read_array, write_array, write_stage
from reenact.corpus.tables import read_table
from reenact.evaluation import judges
from reenact.faces.batch import Faces
from reenact.stages.compare import CompareSettings, compare
from reenact.stages.evaluate import EvaluateSettings, PairSettings, evaluate
from reenact.stages.register import RegisterSettings, register
from reenact.systems.branch import Branch
from reenact.systems.store import load_system
from reenact.tracking.connect import TrackingSettings, tracking_uri
from reenact.tracking.registry import RegistrySettings
from reenact.tracking.served_model import source_segments
from tiny_project import TINY
from training_drill import KINDS, make_guide, train_branch

SIZE, SHARD = 32, "shard-00000"


@pytest.fixture
def root(tmp_path):
    """Two people each to train on, to choose on and to test on; what is near the landmarks' middle is face."""
    write_corpus(tmp_path, splits=("train", "train", "val", "val", "test", "test"))
    landmarks = np.asarray(read_array(tmp_path / "landmarks", SHARD, "landmarks"))
    rows, columns = (np.mgrid[:128, :128] + 0.5) / 128
    middle = landmarks.mean(axis=1)
    far = np.hypot(rows - middle[:, 1, None, None], columns - middle[:, 0, None, None])
    (tmp_path / "segments").mkdir()
    write_array(tmp_path / "segments", SHARD, "segments", (far < np.ptp(FACE, axis=0).max() / 2).astype(np.uint8))
    write_stage(tmp_path / "segments", kind="segments")
    make_guide(tmp_path)
    return tmp_path


def test_it_trains_is_scored_registered_and_drawn_from(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    page = types.ModuleType("reenact.reports.comparison")  # takes longer than all else, and has tests of its own
    page.write_report = lambda path, **facts: path.write_text("<html></html>")
    monkeypatch.setitem(sys.modules, "reenact.reports.comparison", page)
    tracking = TrackingSettings(uri=f"sqlite:///{root}/mlflow/mlflow.db", artifacts=f"{root}/mlflow/artifacts")
    branch, place = Branch(system="facegan", variant="full", seed=0), root / "branches"
    model, scored = (place / branch.name / step for step in ("train", "evaluate"))
    shares = {"action_reader": 0.2, "transformer": 0.2, "reenactor": 0.2, "mixer": 0.2, "together": 0.2}
    tiny = {**TINY["systems"]["facegan"], "landmark_batch": 8, "shares": shares}
    short = {"samples": 40, "batch": 2, "validate_every": 4, "log_every": 4}
    train_branch(root, str(root / "checkpoints"), model, branch.name, system=tiny, **short)

    status = json.loads((model / "status.json").read_text())
    assert (status["status"], status["steps"]) == ("trained", 20)
    assert status["samples"] == 2 * 4 * 8 + 3 * 4 * 2, "two phases of four steps see eight each"
    assert status["chosen"]["step"] > 16, "weights of the last phase alone are handed on"
    history = read_table(model / "history.parquet", kind="history")
    assert np.isfinite(history["value"]).all()
    validated = history[(history["name"] == "val_l1") & (history["step"] > 0)]
    assert validated["step"].min() > 8, "nothing is drawn before the reenactor trains"
    assert history.set_index("step").loc[20, "samples"].iloc[0] == status["samples"]
    assert {"reading", "landmarks", "reconstruction", "mixed_reconstruction"} <= set(history["name"])

    monkeypatch.setattr(judges, "JUDGES", {"tools": lambda _: fake_judge()})
    counts = PairSettings(sources=1, self_pairs=2, cross_pairs=1, lsim=1, sequences=0)
    settings = EvaluateSettings(
        val=counts, test=counts, bootstrap=20, samples=2, judge_size=64, retarget=("cross",), cache=""
    )
    evaluate(**{kind: root / kind for kind in (*KINDS, "segments")}, guide=root / "guide", model=model, out=scored,
             branch=branch, settings=settings, tracking=tracking, runtime=Runtime(threads=1, device="cpu"))  # fmt: skip
    rows = set(read_table(scored / "faces.parquet", kind="scores")["row"])
    assert {f"{branch.name} (raw landmarks)", f"{branch.name} (retargeted landmarks)"} <= rows

    choose = {"metric": "mse", "judged": 0.0}
    compare(branches=place, out=root / "comparison", expected=[branch],
            settings=CompareSettings.parse({"choose": choose, "bootstrap": 20}, where="compare"))  # fmt: skip
    register(comparison=root / "comparison", branches=place, out=root / "registered", settings=RegisterSettings(),
             tracking=tracking, registry=RegistrySettings(model="facegan"))  # fmt: skip
    version = json.loads((root / "registered" / "version.json").read_text())
    drawn, given = predicted(tracking, version["uri"])
    tensors = {name: torch.from_numpy(value) for name, value in given.items()}
    system, _ = load_system(model)
    sources = Faces(image=tensors["sources"], landmarks=tensors["source_landmarks"], segments=source_segments(tensors))
    driving = Faces(
        image=tensors["sources"][:, 0], landmarks=tensors["driving_landmarks"], actions=tensors["driving_actions"],
        pose=tensors["driving_pose"],
    )  # fmt: skip
    with torch.inference_mode():
        np.testing.assert_allclose(drawn, system.reenact(sources, driving).numpy(), atol=1e-5)


def predicted(tracking, uri):
    """What the registered version draws of some faces, and these."""
    from mlflow import pyfunc, set_tracking_uri

    random = np.random.default_rng(0)

    def some(*shape):
        return random.random(shape, dtype=np.float32)

    landmarks = np.broadcast_to(FACE + 0.5, (2, 68, 2)).astype(np.float32)
    given = {
        "sources": some(2, 1, 3, SIZE, SIZE) * 2 - 1, "source_landmarks": landmarks[:, None].copy(),
        "source_actions": some(2, 1, 17), "source_pose": some(2, 1, 3),
        "driving_landmarks": landmarks.copy(), "driving_actions": 5 * some(2, 17), "driving_pose": 20 * some(2, 3),
    }  # fmt: skip
    set_tracking_uri(tracking_uri(tracking))
    try:
        loaded = pyfunc.load_model(uri)
    finally:
        set_tracking_uri("")
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    return loaded.predict(given), given
