"""A stand-in for the few paths of the Kubernetes API that a launcher uses, with a controller that plays a script."""

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubeflow_trainer_api.models import TrainerV1alpha1TrainJob

Json = dict[str, Any]
_JOBS = re.compile(r"/apis/trainer\.kubeflow\.org/v1alpha1/namespaces/([^/]+)/trainjobs(?:/([^/]+))?")
_PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+)(/log)?)?")


@dataclass
class KubeApi:
    """Jobs and pods by name. `play` is called after each look at a job, with how often it was looked at."""

    play: Callable[["KubeApi", Json, int], None] = lambda api, job, looks: None
    jobs: dict[str, Json] = field(default_factory=dict)
    pods: dict[str, Json] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)  # by pod
    faults: list[int] = field(default_factory=list)  # statuses of the next answers; 0: the connection breaks
    lost: int = 0  # so many creations are carried out, but the answer is a broken connection
    requests: list[tuple[str, str]] = field(default_factory=list)
    looks: dict[str, int] = field(default_factory=dict)
    uri: str = ""
    trainer: bool = True  # whether the cluster knows TrainJobs

    def answer(self, method: str, path: str, query: dict[str, str], body: Json) -> tuple[int, Any]:
        """(status, JSON or text)."""
        if found := _JOBS.fullmatch(path):
            return self._job(method, found[2], body) if self.trainer else _status(404, "page not found")
        if found := _PODS.fullmatch(path):
            return self._pod(found[2], bool(found[3]), query)
        return _status(404, "page not found")

    def _job(self, method: str, name: str | None, body: Json) -> tuple[int, Any]:
        if method == "POST":
            return self._create(body)
        assert name
        if name not in self.jobs:
            return _status(404, f'trainjobs.trainer.kubeflow.org "{name}" not found')
        if method == "DELETE":
            del self.jobs[name]
            self.pods = {pod: each for pod, each in self.pods.items() if each["job"] != name}
            return 200, {}
        self.looks[name] = self.looks.get(name, 0) + 1
        shown = copy.deepcopy(self.jobs[name])
        self.play(self, self.jobs[name], self.looks[name])
        return 200, shown

    def _create(self, body: Json) -> tuple[int, Any]:
        name = body["metadata"]["name"]
        if name in self.jobs:
            return _status(409, f'trainjobs.trainer.kubeflow.org "{name}" already exists')
        known = TrainerV1alpha1TrainJob.from_dict(body).to_dict()
        if known != body:
            return _status(422, "a field is not known")
        # the cluster fills in what nobody asked for
        self.jobs[name] = {**copy.deepcopy(body), "status": {}}
        self.jobs[name]["spec"].setdefault("suspend", False)
        self.looks[name] = 0
        return 201, self.jobs[name]

    def _pod(self, name: str | None, log: bool, query: dict[str, str]) -> tuple[int, Any]:
        if name is None:
            job = query["labelSelector"].removeprefix("jobset.sigs.k8s.io/jobset-name=")
            return 200, {"items": [pod for pod in self.pods.values() if pod["job"] == job]}
        if name not in self.pods:
            return _status(404, f'pods "{name}" not found')
        if not log:
            return 200, self.pods[name]
        assert query["timestamps"] == "True"
        return 200, "".join(f"{line}\n" for line in self.logs.get(name, []))

    def add_pod(self, job: str, name: str, *, index: int = 0, phase: str = "Running", created: int = 0) -> Json:
        """A pod of a job's machine `index`."""
        labels = {
            "jobset.sigs.k8s.io/jobset-name": job, "jobset.sigs.k8s.io/replicatedjob-name": "node",
            "batch.kubernetes.io/job-completion-index": str(index),
        }  # fmt: skip
        stamp = f"2030-01-01T00:00:{created:02d}Z"
        metadata = {"name": name, "labels": labels, "creationTimestamp": stamp}
        self.pods[name] = {"job": job, "metadata": metadata, "status": {"phase": phase}}
        return self.pods[name]

    def end(self, job: Json, kind: str = "Complete", **more: str) -> None:
        """Let a job be over."""
        job["status"]["conditions"] = [{"type": kind, "status": "True", **more}]


@contextmanager
def kube_api(**settings: Any) -> Iterator[KubeApi]:
    """The stand-in, until the block ends."""
    api = KubeApi(**settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.uri = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: KubeApi) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            split = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(split.query).items()}
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            with lock:
                api.requests.append((self.command, split.path))
                fault = api.faults.pop(0) if api.faults else None
                if fault is None:
                    status, answer = api.answer(self.command, split.path, query, body)
                    if self.command == "POST" and api.lost:
                        api.lost, fault = api.lost - 1, 0
                elif fault:
                    status, answer = _status(fault, "etcdserver: leader changed")
            if fault == 0:
                self.close_connection = True
                self.connection.close()
                return
            content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def _status(code: int, message: str) -> tuple[int, Json]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "message": message}
