"""Versions of the registered model as a reviewer sees them, and which of them a word means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reenact.config import nearest
from reenact.errors import BadInput
from reenact.tracking.errors import is_gone
from reenact.tracking.registry import CHALLENGER, REVIEW

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, PREVIOUS = "champion", "previous"
_NOBODY = {
    CHAMPION: "no version is champion yet: `reenact registry approve VERSION` makes one",
    PREVIOUS: "no version was champion before this one",
    CHALLENGER: "no challenger waits for a decision: `reenact register` brings one",
}


@dataclass(frozen=True, kw_only=True)
class Known:
    """A version, as the registry has it; "" where a tag is missing."""

    model: str
    version: str
    branch: str
    system: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str
    trainer: str  # whoever started its training
    created: str  # UTC, 2026-01-31T12:00:00+00:00
    gate: str  # passed, failed, or "": it was never asked
    review: str  # what the last decision made of it: approved, rejected, rolled back
    weights_sha256: str
    status: str  # of MLflow; READY once it can be used

    def plain(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "aliases": list(self.aliases), "tags": dict(self.tags)}


def read_aliases(client: "MlflowClient", model: str) -> dict[str, str]:
    """Version by alias. Raises BadInput where there is no such model."""
    return {alias: str(version) for alias, version in _model(client, model).aliases.items()}


def read_model_tags(client: "MlflowClient", model: str) -> dict[str, str]:
    """Tags of the model itself, not of a version. Raises BadInput where there is no such model."""
    return dict(_model(client, model).tags)


def read_versions(client: "MlflowClient", model: str) -> list[Known]:
    """Every version, the newest first. Raises BadInput where there is no such model."""
    named: dict[str, list[str]] = {}
    for alias, version in sorted(read_aliases(client, model).items()):
        named.setdefault(version, []).append(alias)
    found: list[Known] = []
    token = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        found += [_known(version, tuple(named.get(str(version.version), ()))) for version in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda one: -int(one.version))


def find(client: "MlflowClient", model: str, name: str) -> Known:
    """The version with a number ("3") or an alias ("challenger"). Raises BadInput with what there is instead."""
    versions = read_versions(client, model)
    for version in versions:
        if name == version.version or name in version.aliases:
            return version
    if name in _NOBODY:
        raise BadInput(f'registry: of "{model}", {_NOBODY[name]}.')
    if name.isdigit():
        there = ", ".join(one.version for one in reversed(versions)) or "none"
        raise BadInput(f'registry: "{model}" has no version {name}; known: {there}.')
    aliases = {alias for version in versions for alias in version.aliases}
    raise BadInput(f'registry: "{model}" has no version called "{name}"{nearest(name, aliases)}')


def _model(client: "MlflowClient", model: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(model)
    except MlflowException as error:
        if is_gone(error):
            raise BadInput(
                f'registry: there is no model "{model}" at {client.tracking_uri}. Register a winner first (`reenact '
                "register`), or name another model (--model)."
            ) from None
        raise


def _known(version: Any, aliases: tuple[str, ...]) -> Known:
    tags = dict(version.tags)
    return Known(
        model=version.name,
        version=str(version.version),
        branch=tags.get("branch", ""),
        system=tags.get("system", ""),
        aliases=aliases,
        tags=tags,
        run_id=str(version.run_id or ""),
        trainer=tags.get("trainer", ""),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        gate=tags.get("gate", ""),
        review=tags.get(REVIEW, ""),
        weights_sha256=tags.get("weights_sha256", ""),
        status=str(version.status),
    )
