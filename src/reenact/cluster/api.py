"""What we ask of the Kubeflow Pipelines API (v2beta1): experiments, runs, recurring runs; plain dictionaries."""

import json
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

from reenact.cluster.connection import Away, Connection, Unanswered
from reenact.errors import ApiRefused, StorageError

_ROOT = "/apis/v2beta1"
_PAGE = 50
_LOOKS = 3  # for something that was sent without an answer

Json = dict[str, Any]
Query = dict[str, str | int]


class Api:
    """The API, for one namespace; an installation for a single user has no namespaces, and is not told any."""

    def __init__(self, connection: Connection, *, namespace: str) -> None:
        self.connection, self.namespace = connection, namespace

    @cached_property
    def place(self) -> Query:
        """The namespace as requests carry it: nothing where the installation has but one."""
        healthy = self.connection.get(f"{_ROOT}/healthz")
        if healthy.get("apiServerReady") is False:  # the page's server answers, and knows nothing of namespaces yet
            raise Away(f"{self.connection.access.host}: the pipelines API is not ready yet. Try again in a minute.")
        return {"namespace": self.namespace} if healthy.get("multi_user") else {}

    def find_experiment(self, name: str) -> Json | None:
        """The experiment of that name. An archived one is refused: runs in it are seen by nobody."""
        found = [one for one in self._pages("experiments", self.place | _named(name)) if one["display_name"] == name]
        if found and found[0].get("storage_state") == "ARCHIVED":
            raise ApiRefused(f'cluster.experiment: "{name}" is archived. Restore it there, or use another name.')
        return found[0] if found else None

    def experiment_id(self, name: str) -> str:
        """Of the experiment of that name, which is made where it is missing."""
        known = self.find_experiment(name)
        if known is None:
            body = {"display_name": name, **self.place}
            try:
                known = self.connection.post(f"{_ROOT}/experiments", body)
            except (ApiRefused, Unanswered) as trouble:
                if isinstance(trouble, ApiRefused) and trouble.status != 409:
                    raise
                known = self.find_experiment(name)  # somebody else made it in between, or we did
                if known is None:
                    raise
        return str(known["experiment_id"])

    def create_run(self, body: Mapping[str, Any]) -> Json:
        """Start a run, once. Where no answer comes it is looked for by its name before anybody sends it again."""
        name, experiment = str(body["display_name"]), str(body["experiment_id"])
        try:
            return self.connection.post(f"{_ROOT}/runs", body)
        except Unanswered as trouble:
            for look in range(_LOOKS):
                time.sleep(self.connection.pause * 2**look)
                if found := self.runs_named(name, experiment):
                    return found[0]
            raise StorageError(
                f"{trouble} It is not known whether the run {name} was made: look with `reenact pipelines status "
                f"{name}` before you send it again."
            ) from None

    def runs_named(self, name: str, experiment: str = "") -> list[Json]:
        """Runs of exactly that name that are not archived, the newest first."""
        query = self.place | _named(name) | {"sort_by": "created_at desc"}
        if experiment:
            query["experiment_id"] = experiment
        found = (run for run in self._pages("runs", query) if run.get("display_name") == name)
        return [run for run in found if run.get("storage_state") != "ARCHIVED"]

    def recent_runs(self, experiment: str, limit: int) -> list[Json]:
        """The newest runs of an experiment."""
        query: Query = {**self.place, "experiment_id": experiment, "sort_by": "created_at desc", "page_size": limit}
        return list(self.connection.get(f"{_ROOT}/runs", query).get("runs") or [])[:limit]

    def get_run(self, run: str) -> Json:
        """A run with its tasks, by its id."""
        return self.connection.get(f"{_ROOT}/runs/{quote(run, safe='')}")

    def recurring_runs(self) -> Iterator[Json]:
        """All recurring runs of the namespace, in whatever experiment."""
        return self._pages("recurringruns", self.place)

    def create_recurring_run(self, body: Mapping[str, Any]) -> Json:
        """A recurring run as the body says; Unanswered where it is not known whether it was made."""
        return self.connection.post(f"{_ROOT}/recurringruns", body)

    def switch(self, recurring: str, *, on: bool) -> None:
        """Let a recurring run start runs, or not; doing it twice is doing it once."""
        self.connection.post(f"{_ROOT}/recurringruns/{quote(recurring, safe='')}:{'enable' if on else 'disable'}")

    def delete_recurring_run(self, recurring: str) -> None:
        """Delete it; runs that it has started go on."""
        # Without this word Kubernetes takes away everything the schedule has made, a training at work included.
        self.connection.delete(f"{_ROOT}/recurringruns/{quote(recurring, safe='')}", {"propagation_policy": "ORPHAN"})

    def _pages(self, kind: str, query: Mapping[str, str | int]) -> Iterator[Json]:
        key = {"recurringruns": "recurringRuns"}.get(kind, kind)
        token = ""
        while True:
            asked = {**query, "page_size": _PAGE, **({"page_token": token} if token else {})}
            answer = self.connection.get(f"{_ROOT}/{kind}", asked)
            yield from answer.get(key) or answer.get("recurring_runs") or []
            token = str(answer.get("next_page_token") or "")
            if not token:
                return


def _named(name: str) -> Query:
    rule = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return {"filter": json.dumps({"predicates": [rule]})}
