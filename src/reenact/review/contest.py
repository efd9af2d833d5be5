"""Who stands against whom when the gate is asked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.corpus.shards import read_stage
from reenact.review.versions import CHAMPION, Known, find, read_aliases

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
