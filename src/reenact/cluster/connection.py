"""One request to the Kubeflow Pipelines API: JSON there and back, every trouble as one sentence.

Not kfp's own client: that one takes a login page for an answer, repeats what must not be done twice, and writes files
into the home folder.
"""

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from reenact.cluster.credentials import TOKEN, Access
from reenact.errors import ApiRefused, StorageError

TIMEOUT = 30.0  # s, of one request
_ATTEMPTS = 4
PAUSE = 0.5  # s before the second attempt, doubled for each further one
_AWAY = (429, 502, 503, 504)
_LONGEST = 300  # characters of what the server says


class Away(StorageError):
    """The API did not answer; a moment later it may."""


class Unanswered(Away):
    """The same of a request that changes something and was sent: it may have been carried out."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An API does not redirect; what does is the door before it, and would be handed our token."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Connection:
    """Sends requests with the token; proxies and certificates are the environment's (HTTPS_PROXY, SSL_CERT_FILE)."""

    def __init__(self, access: Access, *, timeout: float | None = None, pause: float | None = None) -> None:
        self.access = access
        self.timeout = TIMEOUT if timeout is None else timeout
        self.pause = PAUSE if pause is None else pause
        context = ssl.create_default_context()
        if access.ca_file:
            try:
                context.load_verify_locations(cafile=access.ca_file)
            except (OSError, ssl.SSLError):
                raise StorageError(f"--ca-file {access.ca_file}: no certificates in it (PEM is expected).") from None
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Read; repeated where the server is away for a moment. Raises ApiRefused or StorageError."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._send("GET", path, query, None)
            except Away:
                if attempt == _ATTEMPTS - 1:
                    raise
            time.sleep(self.pause * 2**attempt)
        raise AssertionError("unreachable")

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create or change, once. Raises Unanswered where it is not known whether it happened."""
        return self._send("POST", path, None, body if body is not None else {})

    def delete(self, path: str, query: Mapping[str, str | int] | None = None) -> None:
        """Delete; what is gone already is no error."""
        try:
            self._send("DELETE", path, query, None)
        except ApiRefused as refused:
            if refused.status != 404:
                raise

    def _send(
        self, method: str, path: str, query: Mapping[str, str | int] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        url = self.access.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json"}
        token = self.access.bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                return self._parsed(answer.read(), answer.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            raise self._refusal(error, method, path, token) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error, method) from None

    def _parsed(self, content: bytes, kind: str) -> dict[str, Any]:
        try:
            parsed = json.loads(content or b"{}")
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            page = "a web page" if "html" in kind else "something else than JSON"
            raise ApiRefused(
                f"{self.access.host}: {page} came where the pipelines API was expected. A login page stands before it "
                "(give a token), or the address lacks its path (/pipeline)."
            )
        return parsed

    def _refusal(self, error: urllib.error.HTTPError, method: str, path: str, token: str) -> ApiRefused | StorageError:
        host, status = self.access.host, error.code
        try:
            content = error.read(100_000)
        except (OSError, http.client.HTTPException):
            content = b""
        said = _said(content).replace(token, "***") if token else _said(content)
        if status in _AWAY or (status >= 500 and not said):
            kind = Away if method == "GET" else Unanswered
            return kind(f"{host}: the pipelines API is away for now (HTTP {status}). Try again in a minute.")
        return ApiRefused(_advice(host, path, status, said, token), status=status)

    def _away(self, error: Exception, method: str) -> StorageError:
        host = self.access.host
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return StorageError(
                f"{host}: its certificate is not trusted here ({reason.verify_message}). Name the authority's file by "
                "--ca-file or SSL_CERT_FILE."
            )
        if isinstance(reason, ssl.SSLError) and reason.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
            return StorageError(f"{host}: what answers there does not speak https. Is it http://, or another port?")
        sent = not isinstance(error, urllib.error.URLError)
        if isinstance(reason, socket.gaierror):
            name = urlsplit(host).hostname
            return StorageError(f"{host}: there is no machine named {name}. Check cluster.host or --host.")
        if isinstance(reason, TimeoutError):
            why = f"no answer within {self.timeout:g} s"
        elif isinstance(reason, OSError) and reason.strerror:
            why = reason.strerror[0].lower() + reason.strerror[1:]
        else:
            why = "the connection broke"
        kind = Unanswered if sent and method != "GET" else Away
        return kind(f"{host}: the pipelines API is out of reach ({why}). Is the address right, and the way open?")


def _said(content: bytes) -> str:
    """What an error of the API says, on one line; "" for pages of a proxy."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(parsed, dict):
        return ""
    words = " ".join(str(parsed.get("message") or parsed.get("error") or "").split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."


def _advice(host: str, path: str, status: int, said: str, token: str) -> str:
    """What happened and what to do, by status."""
    quoted = f' ("{said}")' if said else ""
    if status in (301, 302, 303, 307, 308):
        return f"{host}: the pipelines API sends us to a login page. Give a token (--token-file, {TOKEN})."
    if status == 401:
        what = "the token is not accepted; it may have expired" if token else f"give a token (--token-file, {TOKEN})"
        return f"{host}: not signed in: {what}{quoted}."
    if status == 403:
        return f"{host}: not allowed{quoted}. Check the namespace, and what this account may do in it."
    if status == 404 and not said:
        return f"{host}{path}: nothing is there. Is cluster.host the pipelines API, with its path (/pipeline)?"
    if status == 404:
        return f"{host}: not found{quoted}."
    if status == 409:
        return f"{host}: it is there already{quoted}."
    return f"{host}: the pipelines API refused the request, HTTP {status}{quoted}."
