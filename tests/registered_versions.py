"""A registry whose versions hold a few bytes of weights: what decisions about them need, without torch.

Its fixtures are a plugin of their own, registry_fixtures.py.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname
from uuid import uuid4

import yaml

from reenact.review import decisions
from reenact.review.history import Line, history
from reenact.review.records import Decision
from reenact.tracking.connect import TrackingSettings, connect

EXPERIMENT = "versions"


@dataclass
class Registry:
    """A registered model, and what tests do with it."""

    client: Any
    model: str
    folder: Path
    tracking: TrackingSettings

    def another(self, folder: Path) -> "Registry":
        """A new model beside this one."""
        return open_registry(self.tracking, folder)

    def add(self, **told: Any) -> str:
        """Register a version; see `add_version`."""
        return add_version(self.client, self.model, self.folder, **told)

    def approve(self, version: str, by: str = "ana", reason: str = "sharper", override: str = "") -> Decision:
        return decisions.approve(self.client, self.model, version, by=by, reason=reason, override=override)

    def reject(self, version: str, by: str = "ana", reason: str = "blurred") -> Decision:
        return decisions.reject(self.client, self.model, version, by=by, reason=reason)

    def rollback(self, by: str = "ana", reason: str = "complaints", to: str = "") -> Decision:
        return decisions.rollback(self.client, self.model, by=by, reason=reason, to=to)

    def history(self) -> list[Line]:
        return history(self.client, self.model)

    def decided(self) -> list[tuple[str, str, str]]:
        """(who, what, version) of each decision."""
        made = [line.decision for line in self.history() if line.decision]
        return [(one.by, one.action, one.version) for one in made]

    def outside(self) -> list[str]:
        """What no decision explains."""
        return [line.says for line in self.history() if line.kind == "outside"]

    def aliases(self) -> dict[str, str]:
        return aliases(self.client, self.model)

    def name(self, alias: str, version: str) -> None:
        """Move an alias as MLflow's own page does."""
        self.client.set_registered_model_alias(self.model, alias, version)

    def tags(self, version: str) -> dict[str, str]:
        return tags(self.client, self.model, version)

    def weights(self, version: str) -> Path:
        return weights_folder(self.client, self.model, version)


def add_version(
    client: Any,
    model: str,
    folder: Path,
    *,
    weights: bytes = b"",
    gate: str = "passed",
    against: str | None = None,
    **more: str,
) -> str:
    """Register a version as `reenact register` leaves it, and the gate marks it; returns its number.

    `gate` is "" where it was never asked; `against` the champion that it saw, "" for nobody, None where it does not
    say; `more` are further tags.
    """
    weights = weights or uuid4().bytes
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    place = folder / uuid4().hex
    _write_model(place, weights)
    client.log_artifacts(run.info.run_id, str(place), "model")
    marks = {"branch": "cgan-full-0", "system": "cgan", "weights_sha256": sha256(weights).hexdigest(), **more}
    marks |= {"gate": gate} if gate else {}
    marks |= {} if against is None else {"gate.champion": against}
    made = client.create_model_version(model, f"{run.info.artifact_uri}/model", run.info.run_id, tags=marks)
    return str(made.version)


def aliases(client: Any, model: str) -> dict[str, str]:
    """Version by alias."""
    return {name: str(version) for name, version in client.get_registered_model(model).aliases.items()}


def tags(client: Any, model: str, version: str) -> dict[str, str]:
    """Tags of a version."""
    return dict(client.get_model_version(model, version).tags)


def weights_folder(client: Any, model: str, version: str) -> Path:
    """Where the store, if it is on this machine, has a version's weights."""
    place = client.get_model_version_download_uri(model, version)
    return Path(url2pathname(urlparse(place).path)) / "artifacts" / "weights"


def new_model(client: Any) -> str:
    """Make a registered model; its name."""
    name = f"faces {uuid4().hex[:12]}"
    client.create_registered_model(name)
    return name


def open_registry(tracking: TrackingSettings, folder: Path) -> Registry:
    """A new model in the registry that the settings name."""
    client = connect(tracking)[0]
    return Registry(client, new_model(client), folder, tracking)


def _write_model(place: Path, weights: bytes) -> None:
    """A model's folder as MLflow lays it out."""
    inside = place / "artifacts" / "weights"
    inside.mkdir(parents=True)
    (inside / "model.safetensors").write_bytes(weights)
    (inside / "model.json").write_text(json.dumps({"sha256": sha256(weights).hexdigest()}))
    flavor = {"artifacts": {"model": {"path": "artifacts/weights", "uri": "weights"}}}
    (place / "MLmodel").write_text(yaml.safe_dump({"flavors": {"python_function": flavor}}))
