"""What we ask of the Kubernetes API about TrainJobs and pods, in plain JSON; hiccups are waited out."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reenact.cluster.trainjob import API
from reenact.errors import ApiRefused, StorageError

_GROUP, _VERSION = API.split("/")
_KIND = {"group": _GROUP, "version": _VERSION, "plural": "trainjobs"}
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_TIMEOUT = 30.0  # seconds of one request

Json = dict[str, Any]


class Jobs:
    """TrainJobs of one namespace and their pods."""

    def __init__(self, client: Any, namespace: str, *, patience: float = 600.0, pause: float = 2.0) -> None:
        """client: a kubernetes ApiClient. patience: seconds for which an API that is away or overloaded is asked again.

        pause: seconds before it is asked for the second time; then twice that, and so on up to half a minute.
        """
        from kubernetes.client import CoreV1Api, CustomObjectsApi

        self._jobs, self._core = CustomObjectsApi(client), CoreV1Api(client)
        self.namespace, self._patience, self._pause = namespace, patience, pause
        self._host = client.configuration.host

    def find(self, name: str) -> Json | None:
        """A job, or None where there is none."""
        found: Json | None = self._ask(
            "read TrainJobs", lambda: self._jobs.get_namespaced_custom_object(name=name, **self._where()), absent=True
        )
        return found

    def create(self, job: Mapping[str, Any]) -> bool:
        """Make a job; False where there is one of that name."""
        try:
            self._ask("make a TrainJob", lambda: self._jobs.create_namespaced_custom_object(body=job, **self._where()))
        except ApiRefused as refused:
            if refused.status == 409:
                return False
            if refused.status == 404:
                raise ApiRefused(
                    f"{self._host}: there are no TrainJobs here. cluster.nodes above 1 needs Kubeflow Trainer 2.2 or "
                    "newer and the runtime of k8s/base/training; with one node several GPUs need neither.",
                    status=404,
                ) from None
            raise
        return True

    def delete(self, name: str) -> None:
        """Take a job away with its pods, if it is there."""
        self._ask(
            "delete a TrainJob",
            lambda: self._jobs.delete_namespaced_custom_object(
                name=name, propagation_policy="Foreground", **self._where()
            ),
            absent=True,
        )

    def pod(self, name: str) -> Json:
        """One pod; raises ApiRefused where there is none."""
        how: Json = {"_preload_content": False, "_request_timeout": _TIMEOUT}
        answer = self._ask("read a pod", lambda: self._core.read_namespaced_pod(name, self.namespace, **how))
        return dict(json.loads(answer.data))

    def pods(self, job: str) -> list[Json]:
        """The pods of a job, the oldest first."""
        how: Json = {"_preload_content": False, "_request_timeout": _TIMEOUT}
        how["label_selector"] = f"jobset.sigs.k8s.io/jobset-name={job}"
        answer = self._ask("list pods", lambda: self._core.list_namespaced_pod(self.namespace, **how))
        items: list[Json] = json.loads(answer.data)["items"]
        return sorted(items, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def log(self, pod: str, container: str, seconds: int | None) -> str:
        """What a container wrote, each line behind its time; of the last `seconds` alone. "" where there is no log."""
        how: Json = {"timestamps": True, "_preload_content": False, "_request_timeout": _TIMEOUT}
        if seconds is not None:
            how["since_seconds"] = seconds
        try:
            answer = self._ask(
                "read a log",
                lambda: self._core.read_namespaced_pod_log(pod, self.namespace, container=container, **how),
                absent=True,
            )
        except ApiRefused as refused:
            if refused.status == 400:  # the container is not there yet
                return ""
            raise
        return "" if answer is None else str(answer.data.decode(errors="replace"))

    def _where(self) -> Json:
        return {**_KIND, "namespace": self.namespace, "_request_timeout": _TIMEOUT}

    def _ask(self, what: str, call: Callable[[], Any], *, absent: bool = False) -> Any:
        """The answer, or None for one that is `absent`; raises ApiRefused, or StorageError when patience ends."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        pause, until = self._pause, time.monotonic() + self._patience
        while True:
            try:
                return call()
            except ApiException as error:
                if error.status == 404 and absent:
                    return None
                if error.status not in (429, 500, 502, 503, 504):
                    raise ApiRefused(self._refusal(what, error), status=error.status) from None
                trouble = f"{error.status} {error.reason}"
            except HTTPError as error:
                trouble = str(error).splitlines()[0][:200]
            if time.monotonic() + pause > until:
                raise StorageError(f"{self._host}: can't {what}, the Kubernetes API is away ({trouble}).")
            time.sleep(pause)
            pause = min(30.0, 2 * pause)

    def _refusal(self, what: str, error: Any) -> str:
        try:
            said = str(json.loads(error.body)["message"])
        except (TypeError, ValueError, KeyError):
            said = str(error.reason)
        advice = " The role reenact-launcher of k8s/base/training allows it." if error.status in (401, 403) else ""
        return f"{self._host}: can't {what} ({error.status}: {said}).{advice}"


def jobs_here(namespace: str = "") -> Jobs:
    """The API as this pod reaches it, or as kubectl would; the namespace is the pod's own unless one is given."""
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException

    try:
        config.load_incluster_config()
    except ConfigException:
        try:
            config.load_kube_config()
        except ConfigException as error:
            raise StorageError(f"No Kubernetes API is known here ({error}); cluster.nodes: 1 needs none.") from None
    own = _NAMESPACE.read_text().strip() if _NAMESPACE.exists() else ""
    return Jobs(client.ApiClient(), namespace or own or "default")


def own_pod(jobs: Jobs) -> Json:
    """The pod in which we are; its host's name is cut to 63 characters, and runs of a schedule have longer ones."""
    return jobs.pod(os.environ.get("KFP_POD_NAME") or os.environ.get("HOSTNAME", ""))
