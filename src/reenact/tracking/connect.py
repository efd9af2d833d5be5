"""Where runs and models are recorded: an SQLite file and a folder by default, a server where one is named.

`MLFLOW_TRACKING_URI` in the environment wins over the setting. MLflow's telemetry is switched off.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.config import Settings
from reenact.errors import SettingsError, StorageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"


class TrackingSettings(Settings):
    """Block `tracking`; relative paths start at the folder in which the command runs."""

    uri: str = "sqlite:///mlflow/mlflow.db"
    artifacts: str = "mlflow/artifacts"  # used with SQLite only: a server keeps artifacts itself
    experiment: str = "reenact"


def tracking_uri(settings: TrackingSettings) -> str:
    """The URI in force, with an absolute path where it is an SQLite file."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or settings.uri
    if uri.startswith(_SQLITE):
        return _SQLITE + str(Path(uri.removeprefix(_SQLITE)).absolute())
    if not uri.startswith(("http://", "https://", "postgresql", "mysql", "mssql")):
        raise SettingsError(
            f'tracking.uri: "{uri}" is nothing that runs can be kept in. Use {TrackingSettings().uri}, or the address '
            "of an MLflow server (http://...)."
        )
    return uri


def connect(settings: TrackingSettings) -> tuple["MlflowClient", str]:
    """A client and the id of the experiment, which is made where it is missing.

    MLflow sets up a fresh SQLite file on first use and breaks when two processes do so at once: a lock file beside
    it lets one go first.
    """
    _quiet()
    uri = tracking_uri(settings)
    if not uri.startswith(_SQLITE):
        return _open(uri, settings, artifacts=None)
    from filelock import FileLock

    database = Path(uri.removeprefix(_SQLITE))
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"tracking.uri: can't make {database.parent} ({error.strerror}).") from None
    with FileLock(f"{database}.lock"):
        return _open(uri, settings, artifacts=Path(settings.artifacts).absolute().as_uri())


def _open(uri: str, settings: TrackingSettings, *, artifacts: str | None) -> tuple["MlflowClient", str]:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    known = client.get_experiment_by_name(settings.experiment)
    if known is None:
        try:
            return client, client.create_experiment(settings.experiment, artifact_location=artifacts)
        except MlflowException:  # another process made it in between
            known = client.get_experiment_by_name(settings.experiment)
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        raise SettingsError(
            f'tracking.experiment: "{settings.experiment}" was deleted in MLflow. Restore it, or use another name.'
        )
    return client, known.experiment_id


def _quiet() -> None:
    """Before MLflow is imported: no telemetry, short waits for a server that is away, no migration chatter."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
