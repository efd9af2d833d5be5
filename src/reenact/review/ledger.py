"""The history of a model's decisions, kept in MLflow so that two who decide at once can't both write number n.

MLflow has no compare-and-swap for aliases and tags, but a name of an experiment is given once: its database refuses a
second one, also while the first is deleted. So decision n of a model is the experiment `reenact registry/MODEL/00000n`,
made together with its record in one transaction. It is active while the decision is carried out, and deleted (out of
sight, its name and tags kept) once that is done. `mlflow gc` removes deleted experiments for good, so a copy of each
record is a tag of the model; records and copies check each other.
"""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reenact.errors import BadInput, NewerFormat, Overtaken, StorageError
from reenact.review.records import Decision, read_decision
from reenact.review.versions import read_model_tags
from reenact.review.workers import PATIENCE, this_worker
from reenact.tracking.errors import first_line, is_gone

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOOK = "Nothing was changed by this command: look at `reenact registry history`, then decide again."
_FOLDER = "reenact registry"
_RECORD, _WORKER, _NOTE = "reenact.decision", "reenact.at_work", "mlflow.note.content"
_COPY = "decision."
_EXPLAINED = "A decision of `reenact registry`. It is part of a history: leave it as it is."


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What MLflow keeps of a decision."""

    number: int
    record: str = ""  # the text in its experiment, "" where that is gone
    copy: str = ""  # the text in the model's tags
    experiment: str = ""
    active: bool = False  # not carried out yet, as far as the experiment says
    worker: str = ""  # who carries it out (workers.py), "" where they gave up

    @property
    def text(self) -> str:
        """The record, or what is left of it."""
        return self.record or self.copy

    @property
    def pending(self) -> bool:
        """Whether something is left to be done: the copy is the last thing written."""
        return self.active and not self.copy


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A decision that is ours to carry out, until somebody takes it over from us."""

    client: "MlflowClient"
    number: int
    experiment: str
    worker: str = field(default_factory=this_worker)
    # Whoever waits for us waits three times as long, and a call that we began in time may take long to end.
    ends: float = field(default_factory=lambda: time.monotonic() + PATIENCE / 3)

    def check(self) -> None:
        """To be called before each change. Raises Overtaken where it is ours no more, StorageError where it is late."""
        if not self._ours():
            raise Overtaken(f"registry: somebody else is finishing decision {self.number} right now. {LOOK}")
        if time.monotonic() > self.ends:
            raise StorageError(f"MLflow takes too long to carry out decision {self.number}")

    def __enter__(self) -> None:
        """What is done with it: whoever is stopped there leaves it to others, who then need not wait."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            with suppress(Exception):  # what made us give up is what has to be said
                if self._ours():
                    self.client.set_experiment_tag(self.experiment, _WORKER, "")

    def _ours(self) -> bool:
        found = self.client.get_experiment(self.experiment)
        return bool(found.lifecycle_stage == "active" and found.tags.get(_WORKER) == self.worker)


def read_ledger(client: "MlflowClient", model: str) -> list[Stored]:
    """All decisions of a model, the first first. Raises BadInput where there is no such model."""
    found = {number: experiment for experiment in _experiments(client) if (number := _number(experiment.name, model))}
    copies = {
        int(name.removeprefix(_COPY)): text
        for name, text in read_model_tags(client, model).items()
        if re.fullmatch(rf"{re.escape(_COPY)}\d+", name)
    }
    return [
        Stored(number=number, copy=copies.get(number, ""), **_kept(found.get(number)))
        for number in sorted({*copies, *found})
    ]


def claim(client: "MlflowClient", model: str, decision: Decision) -> Hold:
    """Write a decision down under its number.

    Raises Overtaken where the number is taken, StorageError where MLflow gave no answer.
    """
    from mlflow.exceptions import MlflowException

    name, text, worker = f"{_FOLDER}/{model}/{decision.number:06d}", decision.text(), this_worker()
    try:
        made = client.create_experiment(name, tags={_RECORD: text, _WORKER: worker, _NOTE: _EXPLAINED})
    except MlflowException as error:
        there = None
        with suppress(MlflowException):
            there = client.get_experiment_by_name(name)
        if there is not None and there.tags.get(_RECORD) == text:  # the answer got lost, the call was repeated
            return Hold(client=client, number=decision.number, experiment=str(there.experiment_id), worker=worker)
        if error.error_code == "RESOURCE_ALREADY_EXISTS":
            raise Overtaken(f"registry: {_other(there)} came first, at the same moment. {LOOK}") from None
        raise StorageError(
            f"MLflow gave no answer when the decision was written down ({first_line(error)}). Look at `reenact "
            "registry history` before you decide again: if it is there, the next decision carries it out."
        ) from error
    return Hold(client=client, number=decision.number, experiment=str(made), worker=worker)


def close(client: "MlflowClient", model: str, number: int, text: str, experiment: str) -> None:
    """Mark a decision as carried out: copy its record to the model, and put the experiment out of sight."""
    from mlflow.exceptions import MlflowException

    client.set_registered_model_tag(model, f"{_COPY}{number:06d}", text)
    try:
        client.delete_experiment(experiment)
    except MlflowException as error:  # somebody else has closed it
        if not is_gone(error):
            raise


def take_over(client: "MlflowClient", one: Stored) -> Hold:
    """Carry on with what another process left; raises Overtaken where a third one does so at the same moment."""
    from mlflow.exceptions import MlflowException

    hold = Hold(client=client, number=one.number, experiment=one.experiment)
    with suppress(MlflowException):  # a deleted experiment takes no tags: it is finished
        client.set_experiment_tag(one.experiment, _WORKER, hold.worker)
    hold.check()  # whoever writes last has it; the other finds out here, or before the next change
    return hold


def _experiments(client: "MlflowClient") -> Iterator[Any]:
    from mlflow.entities import ViewType

    token = None
    while True:
        page = client.search_experiments(
            view_type=ViewType.ALL,
            filter_string=f"name LIKE '{_FOLDER}/%'",
            order_by=["experiment_id ASC"],  # the usual order changes while somebody decides
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _number(name: str, model: str) -> int:
    """Which decision of the model an experiment is; 0: none of it."""
    found = re.fullmatch(rf"{re.escape(f'{_FOLDER}/{model}')}/(\d{{6,}})", name)
    return int(found[1]) if found else 0


def _kept(experiment: Any) -> dict[str, Any]:
    if experiment is None:
        return {}
    return {
        "record": experiment.tags.get(_RECORD, ""),
        "experiment": str(experiment.experiment_id),
        "active": experiment.lifecycle_stage == "active",
        "worker": experiment.tags.get(_WORKER, ""),
    }


def _other(experiment: Any) -> str:
    try:
        return str(read_decision(experiment.tags[_RECORD]))
    except (AttributeError, KeyError, BadInput, NewerFormat):
        return "another decision"
