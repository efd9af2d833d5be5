"""Recurring runs by name: made once, left alone while nothing has changed, replaced where something has.

The API can't change a recurring run. A new one is made switched off, the old one is switched off, the new one on, and
the old one deleted last: never are two at work, which would train twice in one night, and none is at work only between
two requests. Whoever is cut off in between calls again: what is found says how far it went.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reenact.cluster.api import Api
from reenact.cluster.connection import Away, Unanswered
from reenact.cluster.submitting import LONGEST, Submission
from reenact.errors import ApiRefused, ReenactError, StorageError
from reenact.hashing import hash_json

_MARK = "reenact schedule "  # in the description, before the fingerprint
_OF_ACTIVE = "takes the place of an active one"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring run as it should be."""

    submission: Submission  # its name is the schedule's
    cron: str  # six fields

    @property
    def fingerprint(self) -> str:
        """Equal where nothing would change."""
        return hash_json([self.submission.fingerprint, self.cron, self.submission.experiment])[:32]

    def body(self, experiment_id: str, *, on: bool, note: str = "") -> dict[str, Any]:
        """As the API takes it: one run at a time; of times that were missed the server makes up for the last alone."""
        run = self.submission.body(experiment_id)
        told = "; ".join(filter(None, [f"{_MARK}{self.fingerprint}", note, run["description"]]))[:LONGEST]
        return {
            **run,
            "description": told,
            "trigger": {"cron_schedule": {"cron": self.cron}},
            "max_concurrency": "1",  # a 64-bit number, which JSON has as text
            "no_catchup": True,
            "mode": "ENABLE" if on else "DISABLE",
        }


def schedule(api: Api, wanted: Schedule) -> str:
    """Bring about the schedule; says in a sentence what was done. Raises ApiRefused or StorageError."""
    name = wanted.submission.name
    experiment = api.experiment_id(wanted.submission.experiment)
    found = named(api, name)
    same = [one for one in found if _fits(one, wanted)]
    others = [one for one in found if not _fits(one, wanted)]
    if same and not others and len(same) == 1:
        if is_on(same[0]):
            return f"{name}: unchanged; {_when(wanted.cron)}."
        return f"{name}: unchanged, but switched off. `reenact pipelines schedule {name} --on` lets it run again."
    if not found:
        _made(api, wanted, wanted.body(experiment, on=True))
        return f"{name}: made; {_when(wanted.cron)}."
    # Of several that fit, one that is at work stays; the others are what two callers at once have left.
    fresh = next(iter(sorted(same, key=lambda one: (not is_on(one), _id(one)))), None)
    # An exchange that was cut off has left one that is off only because its turn had not come.
    on = any(is_on(one) or (len(found) > 1 and _OF_ACTIVE in one.get("description", "")) for one in found)
    if fresh is None:
        fresh = _made(api, wanted, wanted.body(experiment, on=False, note=_OF_ACTIVE if on else ""))
    old = [one for one in found if _id(one) != _id(fresh)]
    _exchange(api, fresh, old, on=on)
    return f"{name}: replaced; {_when(wanted.cron)}." if on else f"{name}: replaced, and still switched off."


def switch(api: Api, name: str, *, on: bool) -> str:
    """Let a schedule start runs, or not."""
    found = named(api, name)
    if not found:
        raise ApiRefused(
            f"{name}: there is no schedule of that name. `reenact pipelines schedule --list` lists them.", status=404
        )
    if on and len(found) > 1:
        raise StorageError(f"{name}: {len(found)} schedules have that name. Call `schedule` with its settings first.")
    for one in found:
        if is_on(one) != on:
            api.switch(_id(one), on=on)
    return f"{name}: switched {'on' if on else 'off'}."


def delete(api: Api, name: str) -> str:
    """Delete all schedules of that name; runs that they have started go on."""
    found = named(api, name)
    for one in found:
        if is_on(one):
            _stop(api, one)
        api.delete_recurring_run(_id(one))
    return f"{name}: deleted." if found else f"{name}: there is no schedule of that name; nothing to delete."


def named(api: Api, name: str) -> list[dict[str, Any]]:
    """The recurring runs of that name, in all experiments of the namespace; names are not unique to the API."""
    return [one for one in api.recurring_runs() if one.get("display_name") == name]


def is_on(recurring: Mapping[str, Any]) -> bool:
    """Whether it starts runs; servers tell it as `status`, some as `mode`."""
    said = recurring.get("status") or recurring.get("mode") or ""
    return said in ("ENABLED", "ENABLE")


def cron_of(recurring: Mapping[str, Any]) -> str:
    """Its cron expression, "" where it is not started by one."""
    trigger = recurring.get("trigger") or {}
    return str((trigger.get("cron_schedule") or {}).get("cron") or "")


def _fits(recurring: Mapping[str, Any], wanted: Schedule) -> bool:
    """Whether it is what is wanted: by the mark we left, and by what somebody could have changed since."""
    return (
        f"{_MARK}{wanted.fingerprint}" in recurring.get("description", "")
        and cron_of(recurring) == wanted.cron
        and str(recurring.get("max_concurrency")) == "1"
        and bool(recurring.get("no_catchup"))
    )


def _made(api: Api, wanted: Schedule, body: Mapping[str, Any]) -> dict[str, Any]:
    """The new recurring run; where no answer came it is looked for before anybody makes a second one."""
    try:
        return api.create_recurring_run(body)
    except Unanswered as trouble:
        found = [one for one in named(api, wanted.submission.name) if _fits(one, wanted)]
        if not found:
            raise StorageError(f"{trouble} The schedule was not made; the same command again is safe.") from None
        return found[0]


def _exchange(api: Api, fresh: Mapping[str, Any], old: Iterable[Mapping[str, Any]], *, on: bool) -> None:
    """The old ones off, the new one on, the old ones away; if the new one can't be switched on, the old is again."""
    stopped = []
    for one in old:
        if is_on(one):
            _stop(api, one)
            stopped.append(one)
    if on and not is_on(fresh):
        try:
            api.switch(_id(fresh), on=True)
        except Away:
            raise  # it may be on: the next call sees
        except ReenactError:
            for one in stopped[:1]:
                api.switch(_id(one), on=True)
            raise
    for one in old:
        api.delete_recurring_run(_id(one))


def _stop(api: Api, recurring: Mapping[str, Any]) -> None:
    """Off; one that somebody deleted in between is off as well."""
    try:
        api.switch(_id(recurring), on=False)
    except ApiRefused as refused:
        if refused.status != 404:
            raise


def _id(recurring: Mapping[str, Any]) -> str:
    return str(recurring["recurring_run_id"])


def _when(cron: str) -> str:
    return f'runs by "{cron}" (seconds first; the time zone is the installation\'s, as a rule UTC)'
