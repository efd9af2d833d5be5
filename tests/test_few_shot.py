"""Every few-shot system through the stages: trained, scored, compared, registered, drawn from what was registered."""

import json
import os
import sys
import types

import numpy as np
import pytest
import torch

from evaluation_corpus import fake_judge, write_corpus
from reenact.config import Runtime
from reenact.corpus.tables import read_table
from reenact.errors import BadInput
from reenact.evaluation import judges
from reenact.faces.batch import Faces
from reenact.stages.compare import CompareSettings, compare
from reenact.stages.evaluate import EvaluateSettings, PairSettings, evaluate
from reenact.stages.register import RegisterSettings, register
from reenact.systems.branch import Branch
from reenact.systems.catalogue import SYSTEMS
from reenact.systems.protocol import exact_sources
from reenact.systems.store import load_system
from reenact.tracking.connect import TrackingSettings, tracking_uri
from reenact.tracking.registry import RegistrySettings
from tiny_project import TINY
from training_drill import KINDS, make_guide, train_branch

pytestmark = pytest.mark.xdist_group("few_shot")  # the guide and MLflow's database take as long as a system
SEVERAL = [name for name, card in SYSTEMS.items() if "sources" in card.settings.model_fields]
SHOTS, SIZE = 3, 32


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two people each to train on, to choose on and to test on, and a guide."""
    folder = tmp_path_factory.mktemp("few")
    write_corpus(folder, splits=("train", "train", "val", "val", "test", "test"))
    make_guide(folder)
    return folder


@pytest.fixture
def tracking(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    return TrackingSettings(uri=f"sqlite:///{root}/mlflow/mlflow.db", artifacts=f"{root}/mlflow/artifacts")


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The comparison's page takes longer than all else here, and has tests of its own."""
    page = types.ModuleType("reenact.reports.comparison")
    page.write_report = lambda path, **facts: path.write_text("<html></html>")
    monkeypatch.setitem(sys.modules, "reenact.reports.comparison", page)


def served(tracking, uri):
    from mlflow import pyfunc, set_tracking_uri

    set_tracking_uri(tracking_uri(tracking))
    try:
        return pyfunc.load_model(uri)
    finally:
        set_tracking_uri("")
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def inputs(count, sources):
    random = np.random.default_rng(0)

    def some(*shape):
        return random.random(shape, dtype=np.float32)

    return {
        "sources": some(count, sources, 3, SIZE, SIZE) * 2 - 1, "source_landmarks": some(count, sources, 68, 2),
        "source_actions": some(count, sources, 17), "source_pose": some(count, sources, 3),
        "driving_landmarks": some(count, 68, 2), "driving_actions": some(count, 17), "driving_pose": some(count, 3),
    }  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_a_system_of_several_sources_trains_is_scored_registered_and_drawn_from(name, root, tracking, monkeypatch):
    branch, place = Branch(system=name, variant="full", seed=0), root / name / "branches"
    model, scored = (place / branch.name / step for step in ("train", "evaluate"))
    short = {"samples": 16, "validate_every": 8, "log_every": 4, "choose": {"among": "last_third"}}
    tiny = {**TINY["systems"][name], "sources": SHOTS}
    train_branch(root, str(root / "checkpoints"), model, branch.name, system=tiny, **short)
    status = json.loads((model / "status.json").read_text())
    assert (status["status"], status["samples"], status["chosen"]["step"]) == ("trained", 16, 4)
    history = read_table(model / "history.parquet", kind="history")
    assert np.isfinite(history["value"]).all()
    assert "alarm_critic_balance" in set(history["name"]), "nobody watches its critic"

    monkeypatch.setattr(judges, "JUDGES", {"tools": lambda _: fake_judge()})
    counts = PairSettings(sources=1, self_pairs=2, cross_pairs=1, lsim=1, sequences=0)
    settings = EvaluateSettings(
        val=counts, test=counts, bootstrap=20, samples=2, judge_size=64, retarget=(), cache="", shot_curve=(1, SHOTS),
        finetune=("cross",),
    )  # fmt: skip
    folders = {kind: root / kind for kind in KINDS}
    evaluate(**folders, guide=root / "guide", model=model, out=scored, branch=branch, settings=settings,
             tracking=tracking, runtime=Runtime(threads=1, device="cpu"))  # fmt: skip
    record = json.loads((scored / "metrics.json").read_text())
    assert record["shots"] == SHOTS
    rows = set(read_table(scored / "faces.parquet", kind="scores")["row"])
    system, _ = load_system(model)
    assert (f"{branch.name} (1 shot)" in rows) != exact_sources(system)
    assert (f"{branch.name} (fine-tuned)" in rows) == hasattr(system, "finetuned")

    choose = {"metric": "mse", "judged": 0.0}
    compare(branches=place, out=root / name / "comparison", expected=[branch],
            settings=CompareSettings.parse({"choose": choose, "bootstrap": 20}, where="compare"))  # fmt: skip
    table = read_table(root / name / "comparison" / "table.parquet", kind="comparison").set_index("row")
    if hasattr(system, "finetuned"):
        assert np.isfinite(table.loc[f"{branch.name} (fine-tuned)", "cross_pose_angle"])
    register(comparison=root / name / "comparison", branches=place, out=root / name / "registered",
             settings=RegisterSettings(), tracking=tracking, registry=RegistrySettings(model=name))  # fmt: skip
    version = json.loads((root / name / "registered" / "version.json").read_text())
    assert version["tags"]["shots"] == str(SHOTS)

    loaded = served(tracking, version["uri"])
    for count in (SHOTS, 1):
        given = inputs(2, count)
        if exact_sources(system) and count != SHOTS:
            with pytest.raises(BadInput, match=f"{SHOTS} source pictures"):
                loaded.predict(given)
            continue
        tensors = {key: torch.from_numpy(value) for key, value in given.items()}
        with torch.inference_mode():
            expected = system.reenact(
                Faces(image=tensors["sources"], landmarks=tensors["source_landmarks"]),
                Faces(image=tensors["sources"][:, 0], landmarks=tensors["driving_landmarks"]),
            )
        np.testing.assert_allclose(loaded.predict(given), expected.numpy(), atol=1e-5)
