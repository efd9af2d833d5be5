"""Files of published weights: found or fetched, checked by their hash before anything is parsed, read by key."""

import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from reenact.atomic import atomic_file, storage_errors
from reenact.backbones.settings import WeightsSettings
from reenact.corpus.sources.names import redacted
from reenact.errors import BadInput, SettingsError, StorageError
from reenact.hashing import hash_file
from reenact.progress import say

if TYPE_CHECKING:
    from torch import Tensor

_ATTEMPTS = 3
_TIMEOUT = 60.0  # s without a byte


def weights_file(settings: WeightsSettings, *, where: str, cache: Path) -> Path:
    """The file that settings name, on this disk and with the right sha256; an address is fetched into `cache` once.

    `where` names the settings in messages. Raises SettingsError where no checksum is given, BadInput where the file is
    missing or has another one, StorageError where an address can't be read.
    """
    if settings.url and not settings.url.startswith("file://"):
        return _fetched(settings, where=where, cache=cache)
    path = Path(unquote(urlsplit(settings.url).path) if settings.url else settings.file)
    if not path.is_file():
        raise BadInput(f"{path}: no such file of weights. Check {where}.")
    found = hash_file(path)
    if not settings.sha256:
        raise SettingsError(f"{where}.sha256: missing; {path} has {found}. Set it, if this is the file you mean.")
    if found != settings.sha256:
        raise BadInput(f"{path}: its sha256 is {found}, {where} says {settings.sha256}. It is not the file you mean.")
    return path


def read_weights(path: Path) -> "dict[str, Tensor]":
    """The table of tensors of a .pth or .safetensors file; no code of the file is run. Raises BadInput."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise whatever a foreign file leads them to
        # torch's own text goes over many lines and tells people to run the file's code.
        raise BadInput(
            f"{path}: no readable file of weights ({type(error).__name__}). A .safetensors file or a state dict saved "
            "by torch.save is expected: tensors by name and nothing else."
        ) from None
    if not isinstance(state, dict):
        raise BadInput(f"{path}: expected a table of weights by name, found {type(state).__name__}.")
    return state


def tensor(state: "Mapping[str, Tensor]", key: str, shape: Sequence[int], *, path: Path, network: str) -> "Tensor":
    """One float32 tensor of a table; raises BadInput that names the key where it is missing or of another shape."""
    import torch

    value = state.get(key)
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != tuple(shape):
        found = f"of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else "missing"
        raise BadInput(f"{path}: {key} of {network} should be of shape {tuple(shape)}, it is {found}.")
    return value.detach().float()


def _fetched(settings: WeightsSettings, *, where: str, cache: Path) -> Path:
    name = Path(urlsplit(settings.url).path).name
    path = cache / settings.sha256 / (name or "weights")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / "lock"):
        # A damaged copy is fetched anew: its name says what it should hold.
        if not path.is_file() or hash_file(path) != settings.sha256:
            with atomic_file(path) as temporary:
                _fetch(settings.url, temporary, where=where)
                found = hash_file(temporary)
                if found != settings.sha256:
                    raise BadInput(
                        f"{redacted(settings.url)}: the sha256 of what is there is {found}, {where} says "
                        f"{settings.sha256}. It is not the file you mean."
                    )
    return path


def _fetch(url: str, path: Path, *, where: str) -> None:
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https", "s3"):
        raise SettingsError(f'{where}.url: "{redacted(url)}": known are https, http, s3 and file.')
    say(f"{where}: fetching {redacted(url)}")
    for attempt in range(_ATTEMPTS):
        try:
            _fetch_s3(url, path) if scheme == "s3" else _fetch_http(url, path)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == _ATTEMPTS - 1:
                raise _unreachable(url, f"{error.code} {error.reason}", where) from None
        except Exception as error:  # sockets, TLS, botocore: whatever the way there leads to
            if attempt == _ATTEMPTS - 1:
                raise _unreachable(url, str(error), where) from None
        else:
            return
        time.sleep(0.5 * 2**attempt)


def _fetch_http(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, path.open("wb") as out:
        shutil.copyfileobj(answer, out, 1 << 20)


def _fetch_s3(url: str, path: Path) -> None:
    from reenact.corpus.sources.s3_client import s3_client

    split = urlsplit(url)
    s3_client().download_file(split.netloc, split.path.lstrip("/"), str(path))


def _unreachable(url: str, why: str, where: str) -> StorageError:
    why = redacted(" ".join(why.split()))
    return StorageError(f"{redacted(url)}: can't be fetched ({why}). Check {where}.url, or fetch it yourself.")
