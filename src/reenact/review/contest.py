"""Who stands against whom when the gate is asked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.corpus.shards import read_stage
from reenact.review.versions import CHAMPION, Known, find, read_aliases
from reenact.tracking.errors import is_gone

if TYPE_CHECKING:
    from mlflow import MlflowClient


def contest(client: "MlflowClient", registered: Path) -> tuple[Known, Known | None, bool]:
    """(challenger, champion or None, whether the challenger is the champion already) of what `register` wrote."""
    read_stage(registered, kind="registered")
    told = json.loads((registered / "version.json").read_text())
    model = str(told["model"])
    challenger = find(client, model, str(told["version"]))
    holder = read_aliases(client, model).get(CHAMPION)
    if holder is None or holder == challenger.version:
        return challenger, None, holder is not None
    return challenger, find(client, model, holder), False


def champion_of(client: "MlflowClient", model: str) -> Known | None:
    """The version that is champion now; None where there is none, or no such model yet."""
    from mlflow.exceptions import MlflowException

    try:
        holder = client.get_registered_model(model).aliases.get(CHAMPION)
    except MlflowException as error:
        if is_gone(error):
            return None
        raise
    return None if holder is None else find(client, model, str(holder))
