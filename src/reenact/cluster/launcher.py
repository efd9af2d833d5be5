"""A training on several machines, from the pod that asks for it: make the TrainJob or find it, watch it, tidy up."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.cluster.job_files import STEP, read_error, read_result, write_step
from reenact.cluster.jobs_api import Jobs, Json
from reenact.cluster.pod_log import PodLog
from reenact.cluster.signals import asked_to_end, pause
from reenact.cluster.trainjob import HASH, Place, job_name, train_job
from reenact.errors import ProcessLost
from reenact.progress import say
from reenact.stages.result import StageResult

_GRACE = 600.0  # seconds after the job's own deadline, which runs from its start
_GOING = 120.0  # seconds for a deleted job to be gone


def train_on_nodes(
    place: Place, *, jobs: Jobs, job: Path, run: str, branch: str, step: Mapping[str, Any], every: float = 5.0
) -> StageResult:
    """Run a step as a TrainJob, show the log of its first process, and return what that says at the end.

    job: a folder on the volume. step: see `job_files.step_of`. every: seconds between looks. A job of this run and
    branch that does the same is taken over, also a finished one; one that failed, or does something else, is made
    anew. A signal to end deletes it. Raises the error that ended the first process, ApiRefused, StorageError, or
    ProcessLost, also where the deadline has passed.
    """
    asked = train_job(place, run=run, branch=branch, step=step, file=job / STEP, namespace=jobs.namespace)
    name = job_name(run, branch)
    with asked_to_end() as received:
        _begin(jobs, asked, job=job, step=step, received=received, every=every)
        failure = _watch(jobs, name, seconds=place.deadline + _GRACE, received=received, every=every)
        if received:
            say(f"{name}: asked to end; the TrainJob is deleted.")
            jobs.delete(name)
            raise SystemExit(128 + received[0])
    result = read_result(job)
    if failure or result is None:
        raise read_error(job, f"train {branch}", seen=failure or "its TrainJob left no result")
    if not place.owners:
        jobs.delete(name)
    return result


def condition(job: Json | None, kind: str) -> Json | None:
    """A condition of a TrainJob that is true: Complete, Failed, Suspended."""
    found = (job or {}).get("status", {}).get("conditions", ())
    return next((each for each in found if each["type"] == kind and each["status"] == "True"), None)


def _begin(jobs: Jobs, asked: Json, *, job: Path, step: Mapping[str, Any], received: list[int], every: float) -> None:
    """See that there is a job that does what is asked, and can still come to an end or has."""
    name = asked["metadata"]["name"]
    before = jobs.find(name)
    if before and _same(before, asked) and not _spent(before, job):
        say(f"{name}: there is this TrainJob already; watching it.")
        return
    if before:
        _remove(jobs, name, received=received, every=every)
    write_step(job, step)
    # Where the answer to an earlier try was lost, the job is there.
    if received or jobs.create(asked) or _same(jobs.find(name), asked):
        return
    raise ProcessLost(f"{name}: somebody else has made a TrainJob of this name meanwhile. Run the step again.")


def _same(found: Json | None, asked: Json) -> bool:
    """Whether a job is to do what is asked, by our own hash: the cluster fills a job's fields with its defaults."""
    ours = asked["metadata"]["annotations"][HASH]
    return found is not None and found["metadata"].get("annotations", {}).get(HASH) == ours


def _spent(found: Json, job: Path) -> bool:
    """Whether nothing more will come of a job."""
    lost = condition(found, "Complete") is not None and read_result(job) is None
    return lost or condition(found, "Failed") is not None or "deletionTimestamp" in found["metadata"]


def _remove(jobs: Jobs, name: str, *, received: list[int], every: float) -> None:
    """Delete a job and wait until it and its pods are gone: two trainings would write the same files."""
    jobs.delete(name)
    until = time.monotonic() + _GOING
    while not received and jobs.find(name) is not None:
        if time.monotonic() > until:
            raise ProcessLost(f"{name}: this TrainJob was deleted {_GOING:.0f} s ago, and is still there.")
        pause(every, received)


def _watch(jobs: Jobs, name: str, *, seconds: float, received: list[int], every: float) -> str:
    """Look until the job is over or a signal comes; "" where it is complete, else why not."""
    log, waits, until = PodLog(jobs, name), "", time.monotonic() + seconds
    while not received:
        found = jobs.find(name)
        if found is None:
            return "somebody deleted its TrainJob"
        pods = jobs.pods(name)
        log.show(pods)
        if condition(found, "Complete"):
            return ""
        if failed := condition(found, "Failed"):
            return _why(failed, pods)
        if time.monotonic() > until:
            jobs.delete(name)
            return "its TrainJob did not end within cluster.deadline_hours"
        if (now := waits_for(pods)) != waits:
            say(f"{name}: {now or 'all pods are at work'}")
            waits = now
        pause(every, received)
    return ""


def _why(failed: Json, pods: list[Json]) -> str:
    """The job's word for its failure, and how the container of a pod ended that says more than an exit code."""
    said = f"its TrainJob failed: {failed.get('message') or failed.get('reason') or 'no reason given'}"
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses", ()):
            ended = status.get("state", {}).get("terminated", {})
            if ended.get("reason") == "OOMKilled":
                return f"{said}; the pod {pod['metadata']['name']} had too little memory (cluster.train.memory)"
    if failed.get("reason") == "DeadlineExceeded":
        return f"{said} (cluster.deadline_hours)"
    return said


def waits_for(pods: list[Json]) -> str:
    """What keeps pods from starting, as Kubernetes says it: no node has room, no such image; "" where nothing does."""
    for pod in pods:
        status = pod.get("status", {})
        for each in status.get("conditions", ()):
            if each["type"] == "PodScheduled" and each["status"] == "False":
                return f"{pod['metadata']['name']} waits for a node ({each.get('message', each.get('reason', ''))})"
        for each in status.get("containerStatuses", ()):
            waiting = each.get("state", {}).get("waiting", {})
            if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
                return f"{pod['metadata']['name']} does not start ({waiting['reason']}: {waiting.get('message', '')})"
    return ""
