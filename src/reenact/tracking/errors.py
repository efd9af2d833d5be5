"""What MLflow refuses, or can't do because it is away, said to people."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reenact.errors import StorageError

_AWAY = re.compile(
    r"host='(?P<host>[^']+)', port=(?P<port>\d+)\): Max retries exceeded .*(NewConnection|ConnectTimeout|Resolution)"
)


@contextmanager
def mlflow_errors(about: str = "") -> Iterator[None]:
    """MLflow's refusals and absences as one sentence, which starts with what it is about: StorageError."""
    import requests
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, requests.RequestException) as error:  # artifacts come with the latter
        where = f"{about}: " if about else ""
        raise StorageError(
            f"{where}MLflow says: {first_line(error)}. Is the server that tracking.uri names within reach?"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says first; MLflow's go on for pages, and bury a server that is away below requests and retries."""
    if away := _AWAY.search(str(error)):
        return f"no answer from {away['host']}:{away['port']}"
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("#")]
    said = lines[0] if lines else type(error).__name__
    if said.endswith(":"):  # what it is comes in the next line
        said = " ".join([said, *lines[1:2]])
    return said[:300].rstrip(".: ")


def is_gone(error: Any) -> bool:
    """Whether an MlflowException says that there is no such thing."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")
