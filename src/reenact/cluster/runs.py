"""Runs on a cluster as people read them: what runs, what each step came to, why one failed."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from reenact.cluster.api import Api
from reenact.cluster.connection import Away
from reenact.errors import ApiRefused, PipelineFailed, StorageError

ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_WELL = ("SUCCEEDED", "SKIPPED")
_LONGEST = 300  # characters of an error
_PATIENCE = 600.0  # s for which a server may be away while we wait for a run


def find_run(api: Api, run: str) -> dict[str, Any]:
    """A run with its tasks, by id or name (the newest of that name). Raises ApiRefused where there is none."""
    if len(run) == 36 and run.count("-") == 4:
        return api.get_run(run)
    found = api.runs_named(run)
    if not found:
        raise ApiRefused(f"{run}: no run of that name or id. `reenact pipelines status` lists them.", status=404)
    return api.get_run(str(found[0]["run_id"]))


def wait(
    api: Api, run: str, *, deadline: float, every: float = 10.0, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Wait until a run has ended, telling each change of a step. Raises StorageError after `deadline` seconds.

    A server that is away for some minutes does not end the waiting: the run goes on without it, and so do we.
    """
    start = heard = time.monotonic()
    told: dict[str, str] = {}
    while True:
        try:
            found = api.get_run(run)
            heard = time.monotonic()
        except Away:
            if time.monotonic() - heard > min(_PATIENCE, deadline):
                raise
            found = {}
        for task in tasks(found):
            if told.get(task["id"]) != task["state"]:
                told[task["id"]] = task["state"]
                tell(f"{task['state'].lower():<10} {task['name']}")
        if found.get("state") in ENDED:
            return found
        if time.monotonic() - start > deadline:
            raise StorageError(
                f"{found.get('display_name', run)}: still at work after {deadline:g} s; it goes on. "
                f"`reenact pipelines status {run} --wait` waits again."
            )
        time.sleep(every)


def check_success(run: Mapping[str, Any]) -> None:
    """Raises PipelineFailed where a run has ended badly, with the step that failed and why."""
    state = run.get("state", "")
    if state not in ENDED or state in _WELL:
        return
    failed = [task for task in tasks(run) if task["state"] == "FAILED"]
    # What holds a failed step has failed as well; the step itself has a pod.
    inner = [task for task in failed if task["pods"]] or failed
    why = "; ".join(f"{task['name']}: {task['error'] or 'see its log'}" for task in inner[:3])
    why = why or _words(run.get("error")) or "no step says why"
    word = "was cancelled" if state == "CANCELED" else "failed"
    raise PipelineFailed(f"{run.get('display_name')} {word} ({why}).")


def tasks(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Steps in the order in which they started: `id`, `name`, `state`, `seconds` (None: not known), `error`, `pods`."""
    found = []
    for task in (run.get("run_details") or {}).get("task_details") or []:
        state, name = str(task.get("state") or "PENDING"), str(task.get("display_name") or task.get("task_id"))
        # Kubeflow's own: what prepares a step is worth a line only where it failed.
        if state != "FAILED" and (name.endswith("-driver") or name == "root"):
            continue
        pods = [child["pod_name"] for child in task.get("child_tasks") or [] if child.get("pod_name")]
        found.append(
            {
                "id": str(task.get("task_id") or name),
                "name": name,
                "state": state,
                "start": str(task.get("start_time") or task.get("create_time") or ""),
                "seconds": seconds(task.get("start_time"), task.get("end_time")),
                "error": _words(task.get("error")),
                "pods": pods or [task["pod_name"]] if task.get("pod_name") or pods else [],
            }
        )
    return sorted(found, key=lambda task: (not task["start"], task["start"]))


def run_lines(run: Mapping[str, Any], *, link: str) -> Iterator[str]:
    """A run as text."""
    yield f"{run.get('display_name')}  {run.get('state', 'PENDING')}"
    yield f"  id       {run.get('run_id')}"
    yield f"  started  {run.get('created_at', '')}"
    if run.get("description"):
        yield f"  from     {run['description']}"
    yield f"  page     {link}"
    for name, address in links(run):
        yield f"  {name:<8} {address}"
    for task in tasks(run):
        took = "" if task["seconds"] is None else f"{task['seconds']:.0f} s"
        yield f"  {task['state'].lower():<10} {took:>8}  {task['name']}"
        if task["error"]:
            yield f"{'':<22} {task['error']}"
        if task["state"] == "FAILED" and task["pods"]:
            yield f"{'':<22} pod {task['pods'][-1]}"
    if words := _words(run.get("error")):
        yield f"  error    {words}"


def links(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Addresses that the server's plugins tell, such as MLflow's of this run."""
    for plugin, output in (run.get("plugins_output") or {}).items():
        for entry in (output.get("entries") or {}).values():
            if entry.get("render_type") == "URL" and entry.get("value"):
                yield plugin, str(entry["value"])


def run_page(host: str, run: str) -> str:
    """Where a browser shows the run."""
    return f"{host}/#/runs/details/{run}"


def seconds(start: Any, end: Any) -> float | None:
    """Between two times as the API tells them; None where one is missing."""
    try:
        took = (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()
    except (ValueError, TypeError):
        return None
    return took if took >= 0 else None  # an end that has not come is told as 1970


def _words(error: Any) -> str:
    """The message of an error, on one line."""
    words = " ".join(str((error or {}).get("message") or "").split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."
