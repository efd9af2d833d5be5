"""What was decided about a model, with everything in the registry that no decision explains."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from reenact.errors import BadInput, NewerFormat
from reenact.review.ledger import Stored, read_ledger
from reenact.review.records import Decision, digest, read_decision
from reenact.review.versions import CHAMPION, PREVIOUS, Known, read_aliases, read_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

APPROVED, REJECTED, ROLLED_BACK = "approved", "rejected", "rolled back"
TRACKED = (CHAMPION, PREVIOUS)  # the aliases that decisions move
Aliases = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A decision, or what was done without one (`outside`), or what is wrong with the records (`broken`)."""

    kind: Literal["decision", "outside", "broken"]
    number: int = 0  # of the decision; 0: after the last one
    decision: Decision | None = None
    finished: bool = True  # False: written down, and not carried out yet
    says: str = ""  # what does not fit, "" where everything does

    def plain(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {**vars(self), "decision": None if self.decision is None else asdict(self.decision)}


def history(client: "MlflowClient", model: str) -> list[Line]:
    """Every decision in order, between them what was done in MLflow itself; at the end what no decision explains.

    Raises BadInput where there is no such model.
    """
    stored = read_ledger(client, model)
    lines = told(stored)
    aliases, versions = tracked(read_aliases(client, model)), read_versions(client, model)
    if read_ledger(client, model) != stored:  # somebody has decided in between
        return history(client, model)
    return lines + _unexplained(lines, aliases, versions)


def tracked(aliases: Aliases) -> dict[str, str]:
    """Of a model's aliases those that decisions move."""
    return {name: aliases[name] for name in TRACKED if name in aliases}


def told(stored: Iterable[Stored]) -> list[Line]:
    """The lines of the records, checked against each other."""
    lines: list[Line] = []
    hash_before: str | None = ""  # of the record before; None: that one can't be read
    left: Aliases | None = {}  # what the decision before left; None: not known
    wanted = 1
    for one in stored:
        if one.number > wanted:
            lines.append(Line(kind="broken", number=wanted, says=_removed(wanted, one.number - 1)))
            hash_before, left = None, None
        wanted = one.number + 1
        try:
            decision = read_decision(one.text)
        except (BadInput, NewerFormat) as error:
            lines.append(Line(kind="broken", number=one.number, says=f"decision {one.number} can't be read: {error}."))
            hash_before, left = None, None
            continue
        if left is not None and decision.before != left:
            says = f"Before decision {one.number}: {_moved(left, decision.before)}"
            lines.append(Line(kind="outside", number=one.number, says=says))
        says = " ".join(_doubts(one, decision, hash_before))
        finished = not one.pending
        lines.append(Line(kind="decision", number=one.number, decision=decision, finished=finished, says=says))
        hash_before, left = digest(one.text), decision.after
    return lines


def standings(lines: Iterable[Line]) -> dict[str, tuple[str, Decision]]:
    """What the decisions made of each version they were about, and the last one that did."""
    found: dict[str, tuple[str, Decision]] = {}
    for line in lines:
        if line.decision is not None:
            for version, state in effects(line.decision).items():
                found[version] = (state, line.decision)
    return found


def effects(decision: Decision) -> dict[str, str]:
    """What a decision makes of versions: approved, rejected, rolled back."""
    if decision.action == "reject":
        return {decision.version: REJECTED}
    former = decision.before.get(CHAMPION, "")
    left = {former: ROLLED_BACK} if decision.action == "rollback" and former else {}
    return {**left, decision.version: APPROVED}


def _doubts(one: Stored, decision: Decision, hash_before: str | None) -> Iterable[str]:
    if decision.number != one.number:
        yield f"The record is that of decision {decision.number}: it was moved here."
    if one.record and one.copy and one.record != one.copy:
        yield "The record and its copy among the model's tags differ: one of them was rewritten."
    if not one.record:
        yield "The record itself is gone (mlflow gc removes it, a renamed model loses it); this is its copy."
    if not one.copy and not one.active:
        yield "Its copy among the model's tags was removed, or the model deleted and made anew under its name."
    if hash_before is not None and decision.previous != hash_before:
        yield f"Decision {one.number - 1} was rewritten since, or this one was: their hashes don't fit."


def _removed(first: int, last: int) -> str:
    which = f"decision {first} was" if first == last else f"decisions {first} to {last} were"
    return f"{which} removed from MLflow."


def _unexplained(lines: list[Line], aliases: Aliases, versions: Iterable[Known]) -> list[Line]:
    """Where the registry is not what the decisions left."""
    if lines and (lines[-1].kind == "broken" or not lines[-1].finished):
        return []  # nothing to compare with
    last = lines[-1].decision if lines else None
    left = last.after if last else {}
    since = f"Since decision {last.number}: " if last else ""
    says = [since + _moved(left, aliases)] if aliases != left else []
    known = standings(lines)
    for version in versions:
        state, decision = known.get(version.version, ("", None))
        if version.review != state:
            says.append(
                f'Version {version.version} is tagged review="{version.review}"; by the decisions it is "{state}".'
            )
        about = decision is not None and decision.version == version.version
        if about and decision is not None and version.weights_sha256 != decision.weights:
            says.append(f"Version {version.version} has other weights than those that {decision} was about.")
    return [Line(kind="outside", says=text) for text in says]


def _moved(left: Aliases, found: Aliases) -> str:
    """In words what happened to the aliases."""
    changes = [
        f"{name} was {_version(found.get(name))} and had been left at {_version(left.get(name))}"
        for name in TRACKED
        if found.get(name) != left.get(name)
    ]
    return f"{' and '.join(changes)}: that was not decided here."


def _version(version: str | None) -> str:
    return f"version {version}" if version else "no version"
