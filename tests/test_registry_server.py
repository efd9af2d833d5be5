"""The life of a model in a registry that a real MLflow server keeps, on SQLite and on Postgres."""

from contextlib import nullcontext

import pytest

from deciders import child, first_of_two
from mlflow_server import MlflowServer, postgres
from reenact.errors import DecisionRefused, StorageError
from reenact.review.versions import mlflow_errors
from reenact.tracking.connect import TrackingSettings
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


def test_a_models_life_on_a_server(server, tmp_path, monkeypatch):
    for name, value in {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    registry = open_registry(TrackingSettings(uri=server.uri, experiment=EXPERIMENT), tmp_path / "models")

    # approve, supersede, refuse, roll back, reject
    first, second, third = registry.add(), registry.add(), registry.add(gate="failed")
    registry.approve(first, by="ana", reason='"sharper" 表情\n' + "x" * 1500)
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
    assert "MLflow" in str(away.value)
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
