"""Approve, reject, roll back: each is checked, then written down, and only then carried out.

Whoever writes the next number of the ledger decides; everybody else who was about to gets Overtaken. What a process
left half done is finished by the next decision. Functions raise BadInput for what is not there, DecisionRefused for
what a rule forbids, SettingsError for a reviewer or reason that is missing, Overtaken and StorageError.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reenact.errors import DecisionRefused, Overtaken, StorageError
from reenact.review import ledger
from reenact.review.desk import Desk, one_line, same_person, sit_down
from reenact.review.history import APPROVED, REJECTED, ROLLED_BACK
from reenact.review.integrity import check_weights
from reenact.review.outcome import carry_out
from reenact.review.records import Action, Decision, digest
from reenact.review.versions import CHAMPION, PREVIOUS, Known, find
from reenact.tracking.errors import first_line

if TYPE_CHECKING:
    from mlflow import MlflowClient

AUTO = "auto"  # the gate itself, where registry.auto_promote lets it decide
_READY = "READY"


def approve(client: "MlflowClient", model: str, name: str, *, by: str, reason: str, override: str = "") -> Decision:
    """Make a version (number or alias) the champion; the former champion becomes `previous`.

    Needs the gate's consent, for the champion that stands now, or `override`: why it is passed over. Nobody approves
    what they trained. The weights are fetched and compared with what was registered.
    """
    desk = sit_down(client, model, by, reason)
    override = one_line(override)
    done = desk.did("approve", name)
    if done:
        return done
    version = find(client, model, name)
    state, last = desk.standing(version)
    serves = desk.before.get(CHAMPION) == version.version
    if serves and state == APPROVED:
        raise DecisionRefused(f"{_name(version)} is champion already ({last}).")
    if version.status != _READY:
        raise DecisionRefused(f"{_name(version)} is not ready ({version.status}): its registration never ended.")
    if version.trainer and same_person(version.trainer, desk.by):
        raise DecisionRefused(
            f"{_name(version)} was trained by {version.trainer}: somebody else has to approve it. Where there is "
            "nobody else, see REENACT_TRAINER in docs/registry.md."
        )
    if desk.by == AUTO and last and last.by != AUTO:
        raise DecisionRefused(f"{_name(version)}: a person decided about it ({last}), so only a person may approve it.")
    if not override:
        _check_gate(version, desk.before.get(CHAMPION, ""))
    elif desk.by == AUTO:
        raise DecisionRefused("--override: the gate can't override itself; a person has to.")
    check_weights(client, version)
    former = desk.before.get(CHAMPION) or desk.before.get(PREVIOUS, "")
    after = {CHAMPION: version.version, PREVIOUS: former if former != version.version else ""}
    if serves:  # by MLflow's own page: what is decided here is that it may
        after = desk.before
    after = {alias: held for alias, held in after.items() if held}
    return _decide(desk, "approve", version, after=after, override=override)


def reject(client: "MlflowClient", model: str, name: str, *, by: str, reason: str) -> Decision:
    """Mark a version as rejected: it waits no longer, and nothing goes back to it."""
    desk = sit_down(client, model, by, reason)
    done = desk.did("reject", name)
    if done:
        return done
    version = find(client, model, name)
    if desk.before.get(CHAMPION) == version.version:
        raise DecisionRefused(f"{_name(version)} is the champion: `reenact registry rollback` takes it out of use.")
    state, last = desk.standing(version)
    if state == REJECTED:
        raise DecisionRefused(f"{_name(version)} is rejected already ({last}).")
    after = {alias: held for alias, held in desk.before.items() if held != version.version}
    return _decide(desk, "reject", version, after=after)


def rollback(client: "MlflowClient", model: str, *, by: str, reason: str, to: str = "") -> Decision:
    """Go back to `previous`, or to another version that was champion; the champion of now becomes `previous`.

    The gate is not asked: the version served before. The weights are compared with what was registered all the same.
    """
    desk = sit_down(client, model, by, reason)
    now = desk.before.get(CHAMPION, "")
    done = desk.did("rollback", to)
    if done:
        return done
    if not now:
        raise DecisionRefused(
            f'registry: "{model}" has no champion to go back from. `reenact registry approve VERSION` makes one.'
        )
    version = find(client, model, to or PREVIOUS)
    if version.version == now:
        raise DecisionRefused(f"{_name(version)} is the champion now. Name another one with --to.")
    state, last = desk.standing(version)
    if state != APPROVED:
        why = {REJECTED: f"was rejected ({last})", ROLLED_BACK: f"is what was gone back from ({last})"}.get(
            state, "never was approved with the weights that it has"
        )
        raise DecisionRefused(f"{_name(version)} {why}: approve it if it is to be used, or name another with --to.")
    check_weights(client, version)
    return _decide(desk, "rollback", version, after={CHAMPION: version.version, PREVIOUS: now})


def _check_gate(version: Known, champion: str) -> None:
    against = version.tags.get("gate.champion")  # "": there was none; missing: not known
    if version.gate == "passed" and against in (None, champion):
        return
    if version.gate == "passed":
        compared = f"version {against}" if against else "no champion"
        stands = f"version {champion}" if champion else "nobody"
        says = f"was compared by the gate with {compared}, and now {stands} is champion"
    else:
        says = "failed the gate" if version.gate else "was never put to the gate"
    raise DecisionRefused(
        f"{_name(version)} {says}. Ask the gate (`reenact gate`; after `reenact run` the same run again), or say why "
        "it does not matter (--override REASON)."
    )


def _decide(desk: Desk, action: Action, version: Known, *, after: dict[str, str], override: str = "") -> Decision:
    last = desk.stored[-1] if desk.stored else None
    decision = Decision(
        number=last.number + 1 if last else 1,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=desk.by,
        action=action,
        version=version.version,
        weights=version.weights_sha256,
        before=desk.before,
        after=after,
        reason=desk.reason,
        override=override,
        gate=version.gate,
        gate_sha256=version.tags.get("gate.sha256", ""),
        previous=digest(last.text) if last else "",
    )
    hold = ledger.claim(desk.client, desk.model, decision)
    try:
        with hold:
            carry_out(desk.client, desk.model, decision, in_time=hold.check)
            ledger.close(desk.client, desk.model, decision.number, decision.text(), hold.experiment)
    except Overtaken:
        raise StorageError(
            f"registry: {decision} is written down, but MLflow took so long that somebody else is carrying it out. "
            "Look at `reenact registry history`."
        ) from None
    except Exception as error:
        raise StorageError(
            f"registry: {decision} is written down, but was not carried out to its end ({first_line(error)}). The "
            "next decision finishes it; the same command again does, too."
        ) from error
    return decision


def _name(version: Known) -> str:
    return f"{version.model}, version {version.version}"
