"""What a version was trained on: the profile that its training left with its run (`evaluation/profile.py`)."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.errors import BadInput, NewerFormat
from reenact.evaluation.profile import PROFILE, Profile, read_profile
from reenact.review.subject import fetch_left
from reenact.review.versions import Known, read_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOST = 10  # versions that are looked at: each costs a call or two


def trained_on(client: "MlflowClient", version: Known) -> tuple[Profile | None, str]:
    """(profile, "") of a version's training, or (None, why there is none)."""
    with tempfile.TemporaryDirectory() as folder:
        path = fetch_left(client, version.run_id, f"train/{PROFILE}", Path(folder))
        if path is None:
            return None, f"version {version.version} comes from a training that left no profile of its data"
        try:
            return read_profile(path), ""
        except (BadInput, NewerFormat) as error:
            return None, f"version {version.version}: the profile of its data can't be used ({error})"


def answering(
    client: "MlflowClient", model: str, champion: Known | None, same: Callable[[Profile], bool]
) -> Known | None:
    """The newest version after the champion whose training saw the `same` data; None where there is none.

    Whatever became of it, the need for a model of this data was answered: trained again, it would be the same model.
    """
    if not champion and not _exists(client, model):
        return None
    after = int(champion.version) if champion else 0
    for version in [one for one in read_versions(client, model) if int(one.version) > after][:MOST]:
        profile, _ = trained_on(client, version)
        if profile and same(profile):
            return version
    return None


def state(version: Known) -> str:
    """What became of a version, in words."""
    gate = f"it {version.gate} the gate" if version.gate else "the gate was not asked"
    return f"{gate}, {version.review or 'it waits for a decision'}"


def _exists(client: "MlflowClient", model: str) -> bool:
    return bool(client.search_registered_models(f"name = '{model}'", max_results=1))
