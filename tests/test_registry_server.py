"""The life of a model in a registry that a real MLflow server keeps, on SQLite and on Postgres."""

import json
from contextlib import nullcontext
from hashlib import sha256

import pytest

from deciders import child, first_of_two
from mlflow_server import MlflowServer, postgres
from reenact.errors import DecisionRefused, StorageError
from reenact.review.marks import mark
from reenact.review.verdict import Verdict
from reenact.tracking.connect import TrackingSettings
from reenact.tracking.errors import mlflow_errors
from reenact.tracking.registry import RegistrySettings, register_model
from registered_versions import EXPERIMENT, open_registry

pytestmark = [pytest.mark.xdist_group("mlflow_server"), pytest.mark.timeout(900)]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def server(request, tmp_path):
    at = nullcontext(f"sqlite:///{tmp_path}/mlflow.db") if request.param == "sqlite" else postgres()
    with at as database:
        one = MlflowServer(tmp_path, database)
        one.start()
        yield one
        one.stop()


def bare_system(folder):
    """What is registered of a system, too bare to draw with: MLflow says so in its log, and registers it."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    card = {"sha256": sha256(b"weights").hexdigest(), "size": 16}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_a_models_life_on_a_server(server, tmp_path, monkeypatch):
    for name, value in {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    registry = open_registry(TrackingSettings(uri=server.uri, experiment=EXPERIMENT), tmp_path / "models")

    # register, gate
    made = register_model(
        bare_system(tmp_path / "system"), tracking=registry.tracking, settings=RegistrySettings(model=registry.model),
        tags={"branch": "cgan-full-0", "trainer": "Eda Kaya"},
    )  # fmt: skip
    first = made.version
    assert registry.aliases() == {"challenger": first}
    with pytest.raises(DecisionRefused, match="was never put to the gate"):
        registry.approve("challenger")
    (tmp_path / "verdict.json").write_text("{}")
    passed = Verdict(challenger="challenger (version 1)", champion="", rules=())
    mark(registry.client, registry.model, first, passed, file=tmp_path / "verdict.json")
    with pytest.raises(DecisionRefused, match="trained by Eda Kaya"):
        registry.approve("challenger", by="eda kaya")

    # approve, supersede, refuse, roll back, reject
    second, third = registry.add(), registry.add(gate="failed")
    registry.approve("challenger", by="ana", reason='"sharper" 表情\n' + "x" * 1500)
    registry.approve(second, by="ben")
    with pytest.raises(DecisionRefused):
        registry.approve(third)
    registry.rollback(by="cem")
    registry.reject(third, by="ana")
    assert registry.aliases() == {"champion": first, "previous": second}
    story = [
        ("ana", "approve", first),
        ("ben", "approve", second),
        ("cem", "rollback", first),
        ("ana", "reject", third),
    ]
    assert registry.decided() == story
    assert registry.history()[0].decision.reason.startswith('"sharper" 表情 x')

    # two at once
    rivals = [registry.add(against=first), registry.add(against=first)]
    winner, name = first_of_two(registry, rivals)
    story.append((name, "approve", winner))
    assert registry.aliases() == {"champion": winner, "previous": first}
    assert registry.decided() == story

    # away, and back
    server.stop()
    with pytest.raises(StorageError) as away, mlflow_errors():
        registry.approve(second)
    assert f"MLflow says: no answer from 127.0.0.1:{server.port}. " in str(away.value)
    server.start()
    assert registry.decided() == story

    # killed half-way
    last = registry.add()
    one = child(registry, last, "dua", fault="dies")
    one.communicate("\n", timeout=300)
    assert registry.aliases()["champion"] == winner
    registry.reject(second, by="ana")
    story += [("dua", "approve", last), ("ana", "reject", second)]
    assert registry.decided() == story
    assert registry.aliases() == {"champion": last, "previous": winner}
    assert registry.outside() == []
    assert all(line.finished and not line.says for line in registry.history())

    # decided on MLflow's own page
    registry.name("champion", first)
    assert "that was not decided here" in registry.outside()[0]
