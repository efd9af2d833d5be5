"""A stand-in for the Kubeflow Pipelines API (v2beta1) on loopback: keeps what it is sent, and can be told to fail.

Bodies are read by the models of `kfp_server_api`, the client that is generated from the server's own description: a key
that no model knows, or a value of another type, is refused as the server would.
"""

import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cret-t0ken"
_ROOT = "/apis/v2beta1"
_MODELS = {"experiments": "V2beta1Experiment", "runs": "V2beta1Run", "recurringruns": "V2beta1RecurringRun"}
_IDS = {"experiments": "experiment_id", "runs": "run_id", "recurringruns": "recurring_run_id"}
_LISTS = {"experiments": "experiments", "runs": "runs", "recurringruns": "recurringRuns"}
_VERBS = {"recurringruns": {"enable": "ENABLED", "disable": "DISABLED"}}


@dataclass
class Fault:
    """What happens to the next `times` requests whose method and path match."""

    method: str
    path: str  # a regular expression
    times: int = 1
    status: int = 0
    body: str = ""
    kind: str = "application/json"
    location: str = ""
    reset: bool = False  # the connection is closed without an answer
    after: bool = False  # it is carried out all the same, only the answer is lost
    seconds: float = 0.0  # of waiting before


@dataclass
class KfpApi:
    """The server's memory, and what it was asked."""

    uri: str = ""
    token: str = TOKEN
    multi_user: bool = True
    page_size: int = 3  # smaller than asked, so that everybody has to turn pages
    kept: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in _MODELS})
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None  # called after every change

    def asked(self, method: str, kind: str) -> list[dict[str, Any]]:
        """Bodies of the requests to a collection."""
        return [body for how, path, body in self.requests if how == method and path == f"{_ROOT}/{kind}"]

    def recurring(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.kept["recurringruns"].values() if one["display_name"] == name]

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON of a request."""
        if path == f"{_ROOT}/healthz":
            return 200, {"multi_user": self.multi_user}
        parts = re.fullmatch(rf"{_ROOT}/(\w+)(?:/([^/:]+))?(?::(\w+))?", path)
        if not parts or parts[1] not in _MODELS:
            return 404, ""
        kind, one, verb = parts.groups()
        if one and one not in self.kept[kind]:
            return _error(404, 5, f"{kind} {one} not found")
        if verb:
            if verb not in _VERBS.get(kind, {}):
                return _error(404, 5, f"no verb {verb}")
            self.kept[kind][one]["status"] = _VERBS[kind][verb]
            self.watch()
            return 200, {}
        if method == "GET":
            return 200, self.kept[kind][one] if one else self._page(kind, query)
        if method == "DELETE":
            if kind == "recurringruns" and query.get("propagation_policy") != "ORPHAN":
                return _error(400, 3, "the stand-in wants runs to outlive their schedule")
            del self.kept[kind][one]
            self.watch()
            return 200, {}
        return self._create(kind, body)

    def _create(self, kind: str, body: dict[str, Any]) -> tuple[int, Any]:
        if wrong := misread(body, _MODELS[kind]):
            return _error(400, 3, f"invalid request: {wrong}")
        if not body.get("display_name"):
            return _error(400, 3, "display_name is required")
        if kind == "experiments":
            if self.multi_user and not body.get("namespace"):
                return _error(400, 3, "namespace is required in multi-user mode")
            if any(one["display_name"] == body["display_name"] for one in self.kept[kind].values()):
                return _error(409, 6, "already exists")
        elif body.get("experiment_id") not in self.kept["experiments"]:
            return _error(400, 3, "there is no such experiment")
        if len(body.get("description", "")) > 255:
            return _error(500, 13, "Data too long for column 'Description'")
        if kind != "experiments" and (wrong := misgiven(body)):
            return _error(400, 3, wrong)
        made = {**body, _IDS[kind]: str(uuid.uuid4()), "created_at": f"2026-01-01T00:00:{len(self.kept[kind]):02}Z"}
        if kind == "runs":
            made["state"] = "PENDING"
        if kind == "recurringruns":
            if (
                not 1 <= int(body["max_concurrency"]) <= 10
                or len(body["trigger"]["cron_schedule"]["cron"].split()) != 6
            ):
                return _error(400, 3, "max_concurrency 1 to 10 and a cron of six fields are required")
            made["status"] = {"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[made.pop("mode")]
        self.kept[kind][made[_IDS[kind]]] = made
        self.watch()
        return 200, made

    def _page(self, kind: str, query: dict[str, str]) -> dict[str, Any]:
        if self.multi_user and not query.get("namespace"):
            return {}
        found = list(self.kept[kind].values())
        for rule in json.loads(query.get("filter", "{}")).get("predicates", []):
            assert rule["operation"] in ("EQUALS", 1)
            found = [one for one in found if one.get(rule["key"]) == rule["stringValue"]]
        if experiment := query.get("experiment_id"):
            found = [one for one in found if one.get("experiment_id") == experiment]
        if query.get("sort_by") == "created_at desc":
            found.sort(key=lambda one: one["created_at"], reverse=True)
        start = int(query.get("page_token", 0))
        size = min(self.page_size, int(query.get("page_size", 10)))
        more = {"next_page_token": str(start + size)} if start + size < len(found) else {}
        # Empty lists are left out, as the server's JSON does.
        return {**({_LISTS[kind]: found[start : start + size]} if found else {}), "total_size": len(found), **more}


def misread(body: Any, model: str) -> str:
    """What `kfp_server_api` would not read of a body; "" where all is well."""
    import kfp_server_api

    if model.startswith("dict("):
        inner = model[model.index(",") + 1 : -1].strip()
        wrong = "" if isinstance(body, dict) else f"expected a mapping, found {body!r}"
        return wrong or next(filter(None, (misread(value, inner) for value in body.values())), "")
    if model.startswith("list["):
        wrong = "" if isinstance(body, list) else f"expected a list, found {body!r}"
        return wrong or next(filter(None, (misread(value, model[5:-1]) for value in body)), "")
    simple: dict[str, Any] = {
        "str": str, "bool": bool, "int": int, "object": object, "datetime": str, "int64": str | int
    }  # fmt: skip
    if model in simple:
        return "" if isinstance(body, simple[model]) else f"{body!r} is no {model}"
    known = getattr(kfp_server_api, model)
    if hasattr(known, "allowable_values"):
        return "" if body in known.allowable_values else f"{body!r} is none of {known.allowable_values}"
    if not isinstance(body, dict):
        return f"expected {model}, found {body!r}"
    types = {known.attribute_map[name]: kind for name, kind in known.openapi_types.items()}
    for key, value in body.items():
        if key not in types:
            return f"{model} has no {key}"
        # 64 bits are text to the generated client, and a number or text to the server.
        if wrong := misread(value, "int64" if key == "max_concurrency" else types[key]):
            return f"{key}: {wrong}"
    known(**{name: body.get(key) for name, key in known.attribute_map.items()})
    return ""


def misgiven(body: dict[str, Any]) -> str:
    """What is wrong with the arguments of a run; "" where all is well."""
    given = body.get("runtime_config", {}).get("parameters", {})
    if len(json.dumps(given)) > 10_000:  # of older servers; newer ones take twice as much
        return "The input parameter length exceed maximum size of 10000."
    sent = body["pipeline_spec"]
    asked = sent.get("pipeline_spec", sent)["root"]["inputDefinitions"]["parameters"]
    if unknown := sorted(set(given) - set(asked)):
        return f"parameters {unknown} are not in the pipeline"
    kinds: dict[str, Any] = {
        "STRING": str, "LIST": list, "STRUCT": dict, "BOOLEAN": bool, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float,
    }  # fmt: skip
    for name, value in given.items():
        if not isinstance(value, kinds[asked[name]["parameterType"]]):
            return f"parameter {name} is not of type {asked[name]['parameterType']}"
    free = {name for name, told in asked.items() if "defaultValue" in told and told.get("isOptional")}
    missing = sorted(set(asked) - set(given) - free)
    return f"parameters {missing} are required" if missing else ""


@contextmanager
def kfp_api(*, certificate: Path | None = None, **settings: Any) -> Iterator[KfpApi]:
    """The stand-in, until the block ends; certificate: a PEM file with its key, for https."""
    api = KfpApi(**settings)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # whoever asked has hung up, as some tests do
    api.uri = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(api: KfpApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            split = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(split.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            api.requests.append((self.command, split.path, body))
            api.queries.append(query)
            fault = next((one for one in api.faults if one.times and self._meets(one, split.path)), None)
            if fault:
                fault.times -= 1
                time.sleep(fault.seconds)
            if fault and fault.after:
                api.answer(self.command, split.path, query, body)
            if fault and fault.reset:
                self.close_connection = True
                self.connection.close()
                return
            if fault and fault.status:
                self._send(fault.status, fault.body, fault.kind, fault.location)
            elif api.token and self.headers.get("Authorization") != f"Bearer {api.token}":
                self._send(*_error(401, 16, "Request header error: there is no user identity header."))
            else:
                self._send(*api.answer(self.command, split.path, query, body))

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815

        def _meets(self, fault: Fault, path: str) -> bool:
            return fault.method == self.command and re.search(fault.path, path) is not None

        def _send(self, status: int, body: Any, kind: str = "application/json", location: str = "") -> None:
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def _error(status: int, code: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": message, "code": code, "message": message, "details": []}
