"""The check of MLflow by its own HTTP interface: images without the library `mlflow` can be asked, too."""

import base64
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from reenact.cluster.finding import Finding, failed, ok, warning
from reenact.corpus.sources.names import redacted

_NAME = "mlflow"
_WAIT = 10.0  # s for one answer


def check_mlflow(uri: str, *, experiment: str = "") -> Finding:
    """Whether MLflow answers, in which version, and lets us in; with an experiment also: may make a run there."""
    shown = redacted(uri)
    if not uri.startswith(("http://", "https://")):
        return _database(uri)
    base = uri.rstrip("/")
    try:
        server = _version(base)
        _call(base, "experiments/search", {"max_results": 1})
        if experiment:
            _make_run(base, experiment)
    except urllib.error.HTTPError as error:
        return failed(_NAME, f"{shown}: {_refused(error, urlsplit(uri).hostname or '')}")
    except (OSError, ValueError) as error:
        said = redacted(" ".join(str(getattr(error, "reason", error)).split()))
        return failed(
            _NAME, f"{shown}: no MLflow server answers ({said}). Check MLFLOW_TRACKING_URI, the service and policies."
        )
    except LookupError as error:
        return failed(_NAME, f"{shown}: {error.args[0]}")
    did = f"a run was made in {experiment} and deleted" if experiment else "experiments can be read"
    ours = _our_version()
    if ours and server and ours.split(".")[0] != server.split(".")[0]:
        return warning(_NAME, f"{shown}: {did}, but the server is MLflow {server} and this is {ours}.")
    return ok(_NAME, f"{shown}: MLflow {server or 'of unknown version'}, {did}.")


def _database(uri: str) -> Finding:
    if not re.match(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://", uri):
        return failed(
            _NAME, f"{redacted(uri)}: no address of MLflow. Write http://HOST:PORT (--mlflow, MLFLOW_TRACKING_URI)."
        )
    if not uri.startswith("sqlite:///"):
        return ok(_NAME, f"{redacted(uri)}: a database, which is opened only when runs are recorded.")
    path = Path(uri.removeprefix("sqlite:///")).absolute()
    there = next(folder for folder in path.parents if folder.exists())
    if not os.access(there, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return failed(_NAME, f"{path}: can't be written. Name a server by MLFLOW_TRACKING_URI.")
    return ok(_NAME, f"{path}: a file of this machine; pods need a server (MLFLOW_TRACKING_URI).")


def _version(base: str) -> str:
    """The server's version; "" where it keeps it to itself. Raises ValueError where the answer is no MLflow's."""
    try:
        text = _open(f"{base}/version").decode("utf-8", "replace").strip()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ""
        raise
    if not re.fullmatch(r"\d+\.\d+[\w.]*", text):
        raise ValueError("something else answers there")
    return text


def _make_run(base: str, experiment: str) -> None:
    """Make a run and delete it; raises LookupError where there is no such experiment to make it in."""
    try:
        found = _call(base, "experiments/get-by-name", {"experiment_name": experiment}, method="GET")
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        raise LookupError(
            f'there is no experiment "{experiment}" yet; the first training makes it. Run doctor without --write.'
        ) from None
    told = {
        "experiment_id": found["experiment"]["experiment_id"],
        "run_name": "reenact doctor",
        "tags": [{"key": "reenact.doctor", "value": "may be deleted"}],
    }
    run = _call(base, "runs/create", told)["run"]["info"]["run_id"]
    _call(base, "runs/delete", {"run_id": run})


def _call(base: str, what: str, told: Mapping[str, Any], *, method: str = "POST") -> dict[str, Any]:
    address = f"{base}/api/2.0/mlflow/{what}"
    if method == "GET":
        return dict(json.loads(_open(f"{address}?{urlencode(told)}")))
    return dict(json.loads(_open(address, json.dumps(told).encode())))


def _open(address: str, body: bytes | None = None) -> bytes:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
    if user:
        told = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(told.encode()).decode()}"
    elif token:
        headers["Authorization"] = f"Bearer {token}"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=_WAIT) as answer:
        return bytes(answer.read())


def _refused(error: urllib.error.HTTPError, host: str) -> str:
    said = " ".join(error.read(4096).decode("utf-8", "replace").split())[:200]
    if error.code == 403 and "host" in said.lower():
        return (
            f'the server doesn\'t want to be called "{host}" (403). Start it with --allowed-hosts, or '
            f"MLFLOW_SERVER_ALLOWED_HOSTS, naming {host}."
        )
    if error.code in (401, 403):
        return (
            f"the server doesn't let us in ({error.code}). Check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD "
            "(secret reenact-mlflow) and what that user may do."
        )
    return f"the server answers {error.code}: {redacted(said)}"


def _our_version() -> str:
    try:
        return metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        return ""
