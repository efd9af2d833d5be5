"""Versions of one registered model: any system, one signature, its own code and weights inside.

The weights travel as safetensors with the card they were saved with, and are built by the project's code that travels
beside them: loading a version executes no pickle and needs no checkout of this repository.
"""

import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from reenact.config import Settings
from reenact.tracking.connect import TrackingSettings, connect, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

CHALLENGER = "challenger"
REVIEW = "review"  # tag of a version that people decided about: what became of it
SYNTHETIC = "Every picture this model draws is synthetic. Say so wherever one is shown."
_LONGEST_NAME = 200  # characters: names of decisions hold it, and MLflow's databases keep 256
_IDENTITY = ("branch", "reenact.key", "weights_sha256")
_REQUIREMENTS = ("mlflow", "numpy", "opencv-python-headless", "pandas", "pyarrow", "pydantic", "safetensors", "torch")
_SCRIPT = """\
from mlflow.models import set_model
from reenact.tracking.served_model import ServedModel

set_model(ServedModel())
"""


class RegistrySettings(Settings):
    """Block `registry`."""

    model: str = "reenact"  # the registered model that all systems register versions of
    auto_promote: bool = False  # make a challenger that passes the gate the champion, with nobody looking

    @field_validator("model")
    @classmethod
    def _can_be_asked_for(cls, name: str) -> str:
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or set(name) & set("/:'\"`"):
            raise ValueError(f"name a model with 1 to {_LONGEST_NAME} characters, without slash, colon and quotes")
        return name


@dataclass(frozen=True, kw_only=True)
class Version:
    """A registered version."""

    model: str
    version: str
    uri: str  # models:/NAME/VERSION
    run_id: str
    new: bool  # False: these weights with this lineage were registered before
    alias: str  # challenger; "" where people decided about it before, so that it waits no longer


def signature() -> "ModelSignature":
    """Inputs, parameters and output of every system; what a system ignores is given all the same.

    Pictures are RGB in [-1, 1], landmarks in crop coordinates 0..1, action units 0..5, pose in degrees.
    Edits are added to the driving labels; a system that reads landmarks only ignores them.
    """
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

    shapes = {
        "sources": (-1, -1, 3, -1, -1),
        "source_landmarks": (-1, -1, 68, 2),
        "source_actions": (-1, -1, 17),
        "source_pose": (-1, -1, 3),
        "driving_landmarks": (-1, 68, 2),
        "driving_actions": (-1, 17),
        "driving_pose": (-1, 3),
    }
    float32 = np.dtype(np.float32)
    return ModelSignature(
        inputs=Schema([TensorSpec(float32, shape, name) for name, shape in shapes.items()]),
        outputs=Schema([TensorSpec(float32, (-1, 3, -1, -1))]),
        params=ParamSchema(
            [
                ParamSpec("edit_actions", "double", [0.0] * 17, (-1,)),
                ParamSpec("edit_pose", "double", [0.0] * 3, (-1,)),
            ]
        ),
    )


def register_model(
    folder: Path,
    *,
    tracking: TrackingSettings,
    settings: RegistrySettings,
    tags: Mapping[str, str],
    run_id: str = "",
    description: str = "",
) -> Version:
    """Register the system saved in `folder` (model.safetensors, model.json) and give it the alias `challenger`.

    The same weights of the same training (tags `branch` and `reenact.key`) are the version they were before. The model
    is logged to `run_id`, the training's run, where MLflow knows it, else to a run of its own. The version is made when
    all of the model is there: whoever is cut off before leaves none.
    """
    client, experiment = connect(tracking)
    _make_model(client, settings.model)
    card = json.loads((folder / "model.json").read_text())
    marks = {**tags, "weights_sha256": str(card["sha256"]), "synthetic": SYNTHETIC}
    known = _find(client, settings.model, marks)
    if known is None:
        run = _known_run(client, run_id) or client.create_run(experiment, run_name="register").info.run_id
        with _fluent(tracking_uri(tracking)):
            source, model_id = _log(client, folder, run, card)
            known = client.create_model_version(
                settings.model, source, run, tags=marks, description=description, model_id=model_id
            )
        new = True
    else:
        new = False
    waits = not known.tags.get(REVIEW)
    if waits:
        client.set_registered_model_alias(settings.model, CHALLENGER, str(known.version))
    return Version(
        model=settings.model,
        version=str(known.version),
        uri=f"models:/{settings.model}/{known.version}",
        run_id=str(known.run_id or ""),
        new=new,
        alias=CHALLENGER if waits else "",
    )


def _make_model(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=SYNTHETIC)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(client: "MlflowClient", name: str, marks: Mapping[str, str]) -> Any:
    """The version with these weights of this training, if there is one."""
    for found in client.search_model_versions(f"name = '{name}'"):
        if all(found.tags.get(key) == marks.get(key) for key in _IDENTITY):
            return found
    return None


def _known_run(client: "MlflowClient", run_id: str) -> str:
    """`run_id` where it still exists: a training's record may be older than the database."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.run_id if run_id else ""
    except MlflowException:
        return ""


def _log(client: "MlflowClient", folder: Path, run_id: str, card: Mapping[str, Any]) -> tuple[str, str]:
    """(uri, id) of the model in MLflow's store; it refuses to be loaded with weights of another sha256.

    The run keeps status and end that it had: logging a model to a finished training does not run it again.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    from reenact.tracking.example import input_example

    package = Path(__file__).parent.parent
    before = client.get_run(run_id).info
    try:
        with tempfile.TemporaryDirectory() as name, mlflow.start_run(run_id=run_id):
            work = Path(name)
            (work / "weights").mkdir()
            for file in ("model.safetensors", "model.json"):
                shutil.copy2(folder / file, work / "weights" / file)
            code = work / package.name
            shutil.copytree(package, code, ignore=shutil.ignore_patterns("__pycache__"))
            (work / "model.py").write_text(_SCRIPT)
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(work / "model.py"),
                artifacts={"model": str(work / "weights")},
                model_config={"weights_sha256": str(card["sha256"])},
                code_paths=[str(code)],
                signature=signature(),
                input_example=input_example(card),
                pip_requirements=requirements(),
            )
    finally:
        if before.status != "RUNNING":
            with suppress(MlflowException):  # away: then that is what has to be said
                client.set_terminated(run_id, before.status, before.end_time)
    return info.model_uri, info.model_id


def requirements() -> list[str]:
    """What the model needs, pinned to what is installed; a wheel's local label (+cpu) exists in no registry."""
    return [f"{name}=={installed(name).partition('+')[0]}" for name in _REQUIREMENTS]


@contextmanager
def _fluent(uri: str) -> Iterator[None]:
    """MLflow logs models and resolves their addresses through its global state: borrow that, and put it back.

    Setting an address also sets MLFLOW_TRACKING_URI, which everything after would follow; drawing the example leaves
    the model's copy of our code on the path.
    """
    import mlflow

    names = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    before = {name: os.environ[name] for name in names if name in os.environ}
    path = list(sys.path)
    os.environ.pop("MLFLOW_RUN_ID", None)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # hints on type hints and examples; the signature is explicit
            yield
    finally:
        mlflow.set_tracking_uri("")
        mlflow.set_registry_uri("")
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.environ.update(before)
        sys.path = path
