"""The weights of a version are those that were registered: looked at before they are used."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reenact.errors import BadInput, StorageError
from reenact.hashing import hash_file
from reenact.review.versions import Known
from reenact.tracking.errors import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

WEIGHTS, CARD = "model.safetensors", "model.json"


def check_weights(client: "MlflowClient", version: Known) -> None:
    """Fetch the weights of a version and compare them with its tag; see `fetch_weights`."""
    with tempfile.TemporaryDirectory() as folder:
        fetch_weights(client, version, Path(folder))


def fetch_weights(client: "MlflowClient", version: Known, into: Path) -> Path:
    """The folder below `into` that holds model.safetensors and model.json of a version, for `systems.load_system`.

    Raises BadInput where they are not what was registered (tag `weights_sha256`), StorageError where they can't be had.
    """
    name = f"{version.model}, version {version.version}"
    if not version.weights_sha256:
        raise BadInput(f"{name}: no tag weights_sha256, so it can't be told what was registered. Register it again.")
    folder = _fetch(client, version, _place(_fetch(client, version, "MLmodel", into), name), into)
    for file in (WEIGHTS, CARD):
        if not (folder / file).is_file():
            raise BadInput(
                f"{name}: its model has no {file}: somebody removed it since, so it can't be used. Reject it."
            )
    found = {WEIGHTS: hash_file(folder / WEIGHTS), CARD: _card_says(folder / CARD)}
    for file, value in found.items():
        if value != version.weights_sha256:
            raise BadInput(
                f"{name}: its weights are not those that were registered ({file}: sha256 {value[:12] or 'missing'}, "
                f"the version's tag says {version.weights_sha256[:12]}). Don't use it: somebody changed it since."
            )
    return folder


def _fetch(client: "MlflowClient", version: Known, path: str, into: Path) -> Path:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    place = client.get_model_version_download_uri(version.model, version.version).rstrip("/")
    try:
        got = download_artifacts(artifact_uri=f"{place}/{path}", dst_path=str(into), tracking_uri=client.tracking_uri)
    except (MlflowException, OSError) as error:  # requests' errors are OSErrors
        raise StorageError(
            f"{version.model}, version {version.version}: {place}/{path} can't be fetched ({first_line(error)})."
        ) from error
    return Path(got)


def _place(described: Path, name: str) -> str:
    """Where the model's weights lie, by its MLmodel file."""
    try:
        flavor: Any = yaml.safe_load(described.read_text(encoding="utf-8"))
        return str(flavor["flavors"]["python_function"]["artifacts"]["model"]["path"])
    except (ValueError, KeyError, TypeError, yaml.YAMLError):
        raise BadInput(f"{name}: its MLmodel file names no weights: `reenact register` did not make it.") from None


def _card_says(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["sha256"])
    except (ValueError, KeyError, TypeError):
        return ""
