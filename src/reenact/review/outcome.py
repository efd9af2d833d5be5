"""What a decision changes in the registry: aliases and tags. Doing it twice is doing it once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reenact.review.history import APPROVED, TRACKED, effects
from reenact.review.records import Decision
from reenact.review.versions import CHAMPION, read_aliases
from reenact.tracking.errors import is_gone
from reenact.tracking.registry import CHALLENGER

if TYPE_CHECKING:
    from mlflow import MlflowClient


def carry_out(client: "MlflowClient", model: str, decision: Decision, *, in_time: Callable[[], None]) -> None:
    """Tag the versions, then move the aliases, `champion` last: until then everybody is served as before.

    `in_time` is called before each change, and raises where it is too late for one. A version that was deleted
    meanwhile is left out; the history shows what became of its alias.
    """
    for version, state in effects(decision).items():
        for name, value in _tags(decision, state).items():
            in_time()
            with _unless_deleted():
                client.set_model_version_tag(model, version, name, value)
    there = read_aliases(client, model)
    if decision.action != "rollback" and there.get(CHALLENGER) == decision.version:
        in_time()
        client.delete_registered_model_alias(model, CHALLENGER)
    for alias in sorted(TRACKED, key=lambda name: name == CHAMPION):
        version = decision.after.get(alias, "")
        if version == there.get(alias, ""):
            continue
        in_time()
        if version:
            with _unless_deleted():
                client.set_registered_model_alias(model, alias, version)
        else:
            client.delete_registered_model_alias(model, alias)


def _tags(decision: Decision, state: str) -> dict[str, str]:
    """What a version's page says of the last decision about it."""
    override = f" (the gate was passed over: {decision.override})" if decision.override and state == APPROVED else ""
    return {
        "review": state,
        "review.by": decision.by,
        "review.at": decision.at,
        "review.reason": decision.reason + override,
        "review.decision": str(decision.number),
    }


@contextmanager
def _unless_deleted() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if not is_gone(error):
            raise
