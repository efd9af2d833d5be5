"""Where the Kubeflow Pipelines API is, and what we show it to be let in."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reenact.errors import SettingsError, StorageError

ENDPOINT = "KF_PIPELINES_ENDPOINT"  # as kfp's own client knows it
TOKEN = "KF_PIPELINES_TOKEN"
TOKEN_PATH = "KF_PIPELINES_SA_TOKEN_PATH"  # as kfp's own client knows it
PROJECTED = Path("/var/run/secrets/kubeflow/pipelines/token")  # where a pod finds its service account's token


@dataclass(frozen=True, kw_only=True)
class Access:
    """An address with credentials; the token is no part of its text."""

    host: str
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    ca_file: Path | None = None

    def bearer(self) -> str:
        """The token as it is now: files of projected tokens are renewed while we run. Raises StorageError."""
        if self.token_file is None:
            return self.token
        try:
            token = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise StorageError(f"{self.token_file}: can't read the token for the pipelines API ({reason}).") from None
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise StorageError(f"{self.token_file}: expected a token and nothing else.")
        return token


def find_access(
    *,
    host: str = "",
    token: str = "",
    token_file: Path | None = None,
    ca_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    projected: Path = PROJECTED,
) -> Access:
    """Options first, then the environment, then the token that a pod is given; without any: no token.

    Raises SettingsError where there is no address, or where two tokens are given at once.
    """
    env = os.environ if environment is None else environment
    host = (host or env.get(ENDPOINT, "")).rstrip("/")
    if token and token_file:
        raise SettingsError("--token and --token-file: give one of them.")
    if not host:
        raise SettingsError(f"cluster.host: where is the pipelines API? Set it, give --host, or {ENDPOINT}.")
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", host):
        raise SettingsError("cluster.host: write it as http://NAME:PORT/PATH or https://..., without a user in it.")
    if ca_file and not ca_file.is_file():
        raise SettingsError(f"--ca-file {ca_file}: there is no such file.")
    if not token and token_file is None:
        token = env.get(TOKEN, "").strip()
    if not token and token_file is None and env.get(TOKEN_PATH):
        token_file = Path(env[TOKEN_PATH])
    if not token and token_file is None and projected.is_file():
        token_file = projected
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise SettingsError("--token: a token has no spaces or line breaks.")
    return Access(host=host, token=token, token_file=token_file, ca_file=ca_file)
