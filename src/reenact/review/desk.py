"""Before a decision: who decides and why, what was decided before, and what an earlier process left half done."""

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reenact.errors import BadInput, Overtaken, SettingsError
from reenact.review import ledger
from reenact.review.history import standings, told, tracked
from reenact.review.outcome import carry_out
from reenact.review.records import Action, Decision, read_decision
from reenact.review.versions import PREVIOUS, Known, read_aliases
from reenact.review.workers import may_be_at_work
from reenact.tracking.registry import CHALLENGER

if TYPE_CHECKING:
    from mlflow import MlflowClient

_LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a decision starts from: read once, before anything is checked."""

    client: "MlflowClient"
    model: str
    by: str
    reason: str
    stored: list[ledger.Stored]
    before: dict[str, str]
    finished: Decision | None  # that an earlier process had left half done

    def standing(self, version: Known) -> tuple[str, Decision | None]:
        """What the last decision about a version made of it; ("", None): there was none about the weights it has."""
        lines = told(self.stored)
        about = [line.decision for line in lines if line.decision and line.decision.version == version.version]
        if about and about[-1].weights != version.weights_sha256:  # changed since, or of a model of this name before
            return "", None
        return standings(lines).get(version.version, ("", None))

    def did(self, action: Action, name: str) -> Decision | None:
        """The same decision by the same person, if it was just finished: asking again is what people do."""
        one = self.finished
        if one is None or (one.action, one.by) != (action, self.by):
            return None
        # the decision itself may have taken the alias away by which the version was named
        moved = name in (CHALLENGER, PREVIOUS) and name not in read_aliases(self.client, self.model)
        return one if moved or name in ("", one.version) else None


def sit_down(client: "MlflowClient", model: str, by: str, reason: str) -> Desk:
    """What a decision starts from, by somebody and for a reason. Raises SettingsError where one is missing."""
    by, reason = one_line(by), one_line(reason)
    if not by:
        raise SettingsError("--by: who decides? Give a name.")
    if len(by) > _LONGEST_NAME:
        raise SettingsError(f"--by: a name has up to {_LONGEST_NAME} characters.")
    if not reason:
        raise SettingsError("--reason: say why; it is what people will read later.")
    stored, finished = settle(client, model)
    before = tracked(read_aliases(client, model))  # after the ledger: who moves them writes there first
    return Desk(client=client, model=model, by=by, reason=reason, stored=stored, before=before, finished=finished)


def settle(client: "MlflowClient", model: str) -> tuple[list[ledger.Stored], Decision | None]:
    """Finish what was written down and not carried out; the ledger then, and the decision that was finished.

    Raises Overtaken where somebody is carrying one out at this moment.
    """
    stored = ledger.read_ledger(client, model)
    finished = None
    for one in stored:
        if not one.active:
            continue
        try:
            decision = read_decision(one.text)
        except BadInput:  # an experiment of that name, made by somebody else: the history says so
            continue
        if may_be_at_work(one.worker):
            raise Overtaken(f"registry: {decision} is being carried out right now. {ledger.LOOK}")
        hold = ledger.take_over(client, one)
        with hold:
            if one is stored[-1]:  # nothing was decided before all earlier ones were carried out
                if one.pending:
                    carry_out(client, model, decision, in_time=hold.check)
                finished = decision
            ledger.close(client, model, one.number, one.copy or one.text, one.experiment)
    return (ledger.read_ledger(client, model) if finished else stored), finished


def one_line(text: str) -> str:
    """Without line ends and control characters, which databases and terminals stumble over."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, however they are spaced, capitalised and put into code points."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return unicodedata.normalize("NFKC", one_line(name)).casefold()
