"""One MLflow run per branch, found again by its key; training never dies because MLflow is away."""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reenact.atomic import write_text
from reenact.errors import ReenactError
from reenact.progress import say
from reenact.tracking.connect import TrackingSettings, connect
from reenact.tracking.errors import first_line

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

KEY_TAG = "reenact.key"
_BATCH = 500  # MLflow takes up to 1000 metrics a call
_SECONDS_BETWEEN_CALLS = 5.0
_SECONDS_AFTER_FAILURE = 60.0
_LONGEST_PARAMETER = 6000

Point = tuple[str, float, int, int]  # name, value, time in ms, step


class Tracker:
    """Collects what a branch logs and sends it in batches; see `branch_run`.

    What can't be delivered stays here, is tried again, and lies in `undelivered` in the end, from where the next run
    of the same branch sends it.
    """

    def __init__(self, open_run: Callable[[], tuple["MlflowClient", str]], undelivered: Path) -> None:
        self.run_id = ""
        self._open_run, self._undelivered = open_run, undelivered
        self._client: MlflowClient | None = None
        self._points: list[Point] = _read_points(undelivered)
        self._others: list[Callable[[MlflowClient, str], Any]] = []
        self._known: dict[tuple[str, int], str] | None = {}  # by name and step, what the run has
        self._next_call, self._trouble = 0.0, ""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Numbers at a step, each under its own name; sent a few seconds later at most."""
        now = int(time.time() * 1000)
        self._points += [(name, float(value), now, int(step)) for name, value in values.items()]
        if len(self._points) >= _BATCH or time.monotonic() >= self._next_call:
            self.flush()

    def image(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """An RGB uint8 (H, W, 3) picture at a step; MLflow shows the steps of one name as a slider."""
        self._others.append(lambda client, run: _log_image(client, run, name, picture, step))
        self.flush()

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """A file, kept with the run in `folder`."""
        self._others.append(lambda client, run: client.log_artifact(run, str(path), folder))
        self.flush()

    def table(self, name: str, table: "pd.DataFrame") -> None:
        """A table that MLflow shows as one, once: MLflow would append to one that is there."""
        self._others.append(lambda client, run: _log_table(client, run, name, table))
        self.flush()

    def tags(self, values: Mapping[str, str]) -> None:
        """Tags of the run; a later value replaces an earlier one."""
        from mlflow.entities import RunTag

        tags = [RunTag(name, str(value)) for name, value in values.items()]
        self._others.append(lambda client, run: client.log_batch(run, tags=tags))
        self.flush()

    def flush(self, *, force: bool = False) -> bool:
        """Send what waits; False where MLflow is away (or was a moment ago, and `force` is not set)."""
        if self._trouble and not force and time.monotonic() < self._next_call:
            return False
        try:
            client = self._client or self._connect()
            while self._points:
                self._send(client, self._points[:_BATCH])
                del self._points[:_BATCH]
            while self._others:
                self._others[0](client, self.run_id)
                del self._others[0]
        except ReenactError:
            raise
        except Exception as error:  # whatever it is, it must not end hours of training
            if not self._trouble:
                say(f"MLflow can't be reached ({first_line(error)}); work goes on, what is logged is kept.")
            self._trouble = first_line(error)
            self._next_call = time.monotonic() + _SECONDS_AFTER_FAILURE
            return False
        if self._trouble:
            say("MLflow is back; what was kept has been delivered.")
            self._trouble = ""
        self._next_call = time.monotonic() + _SECONDS_BETWEEN_CALLS
        return True

    def close(self, status: str | None) -> None:
        """Deliver the rest and end the run with a status of MLflow (None: the run belongs to somebody else)."""
        delivered = self.flush(force=True)
        if delivered and status and self._client is not None:
            with suppress(Exception):
                self._client.set_terminated(self.run_id, status)
        if delivered:
            self._undelivered.unlink(missing_ok=True)
            return
        lines = [json.dumps(point) for point in self._points]
        write_text(self._undelivered, "\n".join(lines) + "\n")
        pictures = f" and {len(self._others)} files or pictures" if self._others else ""
        say(
            f"MLflow was away ({self._trouble}): {len(lines)} numbers{pictures} were not delivered. The numbers are in "
            f"{self._undelivered}; the next run of this branch sends them."
        )

    def _connect(self) -> "MlflowClient":
        self._client, self.run_id = self._open_run()
        self._known = None  # a run that is continued: look up what it has before sending it again
        return self._client

    def _send(self, client: "MlflowClient", points: list[Point]) -> None:
        """A restarted training repeats the steps since its checkpoint: what a step has already is not sent again."""
        from mlflow.entities import Metric

        if self._known is None:
            names = client.get_run(self.run_id).data.metrics
            self._known = {place: value for name in names for place, value in _newest(client, self.run_id, name)}
        newest, new = dict(self._known), []
        for point in points:
            place, value = (point[0], point[3]), repr(point[1])
            if newest.get(place) != value:
                newest[place] = value
                new.append(point)
        if new:
            client.log_batch(self.run_id, metrics=[Metric(*point) for point in new])
        self._known = newest


@contextmanager
def branch_run(
    settings: TrackingSettings,
    *,
    key: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    undelivered: Path | None = None,
) -> Iterator[Tracker]:
    """Yield the Tracker of a branch; `key` is the hash of its code, data and settings.

    A run with the tag `reenact.key` of that value is continued. An injected MLFLOW_RUN_ID is adopted, and its end is
    left to whoever opened it; if that run is another branch's already, ours becomes its child.
    The run ends FINISHED, FAILED (an error) or KILLED (interrupt, exit); a killed process leaves it RUNNING until the
    branch is continued.
    """
    owned = True

    def open_run() -> tuple["MlflowClient", str]:
        nonlocal owned
        client, experiment = connect(settings)
        run_id, owned = _find_run(client, experiment, key=key, name=name)
        _describe(client, run_id, params=params, tags={**tags, KEY_TAG: key})
        return client, run_id

    folder = Path(settings.artifacts).absolute().parent / "undelivered"
    tracker = Tracker(open_run, undelivered or folder / f"{key}.jsonl")
    tracker.flush()
    status = "KILLED"
    try:
        yield tracker
        status = "FINISHED"
    except Exception:
        status = "FAILED"
        raise
    finally:
        tracker.close(status if owned else None)


def run_facts(facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(params, tags) of a branch's run from the facts of its training, so that whoever opens the run says the same."""
    params = {name: facts[name] for name in ("train", "system_settings", "runtime")}
    params["features"] = facts.get("features") or {"name": "none"}  # the network behind the losses, and its checksum
    tags = {name: str(facts[name]) for name in ("system", "variant", "seed")}
    return params, {**tags, "data_hash": str(facts["data"])}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as `block.key` -> text."""
    result: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            result |= flat(value, f"{prefix}{name}.")
        else:
            result[f"{prefix}{name}"] = str(value)[:_LONGEST_PARAMETER]
    return result


def _find_run(client: "MlflowClient", experiment: str, *, key: str, name: str) -> tuple[str, bool]:
    """(id of the run to log to, whether we end it)."""
    injected = os.environ.get("MLFLOW_RUN_ID", "")
    parent = {}
    if injected:
        run = client.get_run(injected)
        experiment = run.info.experiment_id
        if run.data.tags.get(KEY_TAG, key) == key:
            return injected, False
        parent = {"mlflow.parentRunId": injected}
    found = client.search_runs(
        [experiment], f"tags.`{KEY_TAG}` = '{key}'", max_results=1, order_by=["attributes.start_time ASC"]
    )
    if found:
        client.update_run(found[0].info.run_id, status="RUNNING")
        return found[0].info.run_id, True
    return client.create_run(experiment, run_name=name, tags={KEY_TAG: key, **parent}).info.run_id, True


def _describe(client: "MlflowClient", run_id: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Log parameters (MLflow refuses to change one: a continued run keeps its own) and tags."""
    from mlflow.entities import Param, RunTag

    has = client.get_run(run_id).data.params
    new = [Param(name, value) for name, value in flat(params).items() if name not in has]
    for start in range(0, len(new), 100):  # the most that one call takes
        client.log_batch(run_id, params=new[start : start + 100])
    client.log_batch(run_id, tags=[RunTag(name, str(value)) for name, value in tags.items()])


def _log_image(client: "MlflowClient", run_id: str, name: str, image: NDArray[np.uint8], step: int) -> None:
    """A continued training draws the same picture at the same step: one is enough."""
    stem = f"images/{name.replace('/', '~')}+step+{step}+"  # how MLflow names them
    if not any(item.path.startswith(stem) for item in client.list_artifacts(run_id, "images")):
        client.log_image(run_id, image, key=name, step=step, synchronous=True)


def _log_table(client: "MlflowClient", run_id: str, name: str, table: "pd.DataFrame") -> None:
    known = {item.path for item in client.list_artifacts(run_id, name.rpartition("/")[0] or None)}
    if name not in known:
        client.log_table(run_id, data=table, artifact_file=name)


def _newest(client: "MlflowClient", run_id: str, name: str) -> Iterator[tuple[tuple[str, int], str]]:
    """Every value of a metric by name and step, the newest of a step last."""
    for metric in sorted(client.get_metric_history(run_id, name), key=lambda metric: metric.timestamp):
        yield (name, metric.step), repr(float(metric.value))


def _read_points(path: Path) -> list[Point]:
    """Numbers that an earlier run could not deliver; a damaged line is left out."""
    points: list[Point] = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with suppress(ValueError):
            name, value, moment, step = json.loads(line)
            points.append((str(name), float(math.nan if value is None else value), int(moment), int(step)))
    return points
