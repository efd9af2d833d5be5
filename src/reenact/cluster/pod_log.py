"""The log of a job's first process, as it grows: also over pods that are replaced and connections that break.

It is asked for again and again: a stream that stays open ends silently with its pod, its proxy or its server.
"""

import re
import sys
import time
from typing import Any

from reenact.cluster.jobs_api import Jobs
from reenact.cluster.trainjob import NODE
from reenact.progress import say

_OVERLAP = 30  # seconds asked for twice: clocks differ, and lines may come late
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")


class PodLog:
    """What has been shown of the log of the first process."""

    def __init__(self, jobs: Jobs, job: str) -> None:
        self._jobs, self._job = jobs, job
        self._pod, self._read = "", 0.0
        self._last, self._shown_at_last = "", 0

    def show(self, pods: list[dict[str, Any]]) -> None:
        """Print what is new, from the newest pod of the first machine."""
        firsts = [pod for pod in pods if is_first(pod)]
        if not firsts or firsts[-1].get("status", {}).get("phase") == "Pending":
            return
        name = firsts[-1]["metadata"]["name"]
        if name != self._pod:
            say(f"{self._job}: log of the pod {name}")
            self._pod, self._read, self._last, self._shown_at_last = name, 0.0, "", 0
        now = time.monotonic()
        seconds = int(now - self._read) + _OVERLAP if self._read else None
        text = self._jobs.log(name, NODE, seconds)
        self._read = now
        for line in self._new(text):
            print(line, file=sys.stderr, flush=True)

    def _new(self, text: str) -> list[str]:
        """Lines that were not shown; of those of the last time the first few were."""
        lines, at_last = [], 0
        for line in text.splitlines():
            found = _STAMP.match(line)
            stamp = f"{found[1]}.{(found[2] or '').ljust(9, '0')}" if found else self._last
            if stamp < self._last:
                continue
            if stamp == self._last:
                at_last += 1
                if at_last <= self._shown_at_last:
                    continue
            else:
                self._last, at_last = stamp, 1
            self._shown_at_last = at_last
            lines.append(line[found.end() :] if found else line)
        return lines


def is_first(pod: dict[str, Any]) -> bool:
    """Whether a pod is the machine on which the first process runs."""
    labels = pod["metadata"].get("labels", {})
    index = labels.get("batch.kubernetes.io/job-completion-index", "0")
    return bool(labels.get("jobset.sigs.k8s.io/replicatedjob-name", NODE) == NODE and index == "0")
