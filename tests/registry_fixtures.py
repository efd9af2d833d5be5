"""A plugin of the modules that use it: `registry` is a model of the test's own in a database they share."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluation_corpus import fake_judge
from reenact.evaluation import judges
from reenact.systems import store
from reenact.tracking.connect import TrackingSettings, connect
from registered_versions import EXPERIMENT, Registry, new_model


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingSettings]:
    """One database for all tests of a worker: setting one up takes seconds."""
    home = tmp_path_factory.getbasetemp() / "registered-versions"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        yield TrackingSettings(uri=f"sqlite:///{home}/mlflow.db", artifacts=f"{home}/artifacts", experiment=EXPERIMENT)


@pytest.fixture
def client(tracking: TrackingSettings) -> Any:
    return connect(tracking)[0]


@pytest.fixture
def model(client: Any) -> str:
    """A model of the test's own, without versions."""
    return new_model(client)


@pytest.fixture
def registry(tracking: TrackingSettings, client: Any, model: str, tmp_path: Path) -> Registry:
    return Registry(client, model, tmp_path / "models", tracking)


@pytest.fixture
def drawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version draws as its weights say, by the module's own DRAWERS, and a judge reads it that needs no tools."""

    def load_system(folder: Path, device: Any) -> Any:
        weights = (folder / "model.safetensors").read_bytes().decode()
        return request.module.DRAWERS[weights](), {"size": 32, **json.loads((folder / "model.json").read_text())}

    monkeypatch.setattr(store, "load_system", load_system)
    monkeypatch.setattr(judges, "JUDGES", {"tools": lambda _: fake_judge()})
