"""When a training is sick and should stop: each alarm raises TrainingFailed with what it saw and what may help."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reenact.alarms.catalogue import ALARMS
from reenact.alarms.not_finite import NOT_FINITE, not_finite
from reenact.alarms.verdict import Limits, Verdict, unknown
from reenact.errors import TrainingFailed
from reenact.training.length import progress_of
from reenact.training.settings import LoopSettings
from reenact.training.state import History

PREFIX = "alarm_"  # of the alarms' values in a history
NOTHING = Limits(warning=0.0, alarm=0.0)
PROTOCOL = {"identity_leak": "cross", "critic_balance": ""}  # the others look at self pairs
WHY_UNKNOWN = {
    "identity_collapse": "no guide reads the faces",
    "identity_leak": "no guide reads the faces, or there are no two people in the validation part",
    "mask_saturation": "the system mixes nothing by a mask",
    "critic_balance": "no critic, or losses that can't be compared",
}


def check_step(step: int, values: Mapping[str, float]) -> None:
    """A loss term that is infinite or not a number stops a training at once."""
    terms = not_finite(values)
    if terms:
        which = f"term {terms[0]} is" if len(terms) == 1 else f"terms {', '.join(terms)} are"
        raise TrainingFailed(f"step {step}: loss {which} not finite. {NOT_FINITE.advice}.")


def verdicts(history: History, settings: LoopSettings, *, undrawn: tuple[int, float] = (0, 0.0)) -> list[Verdict]:
    """What every alarm says after the latest look: an alarm where the last `patience` looks all say so.

    `undrawn`: step and seconds before which no phase drew a picture. The warm-up begins there.
    """
    return [_verdict(name, history, settings, undrawn) for name in ALARMS]


def check_looks(
    history: History, settings: LoopSettings, *, stop: Sequence[str], undrawn: tuple[int, float] = (0, 0.0)
) -> None:
    """Raises TrainingFailed where one of the alarms of `stop`, or a picture that is not finite, finds it sick."""
    for verdict in verdicts(history, settings, undrawn=undrawn):
        if verdict.verdict == "alarm" and verdict.name in (*stop, NOT_FINITE.name):
            step = history[-1][0]
            way_out = "" if verdict.name == NOT_FINITE.name else f" train.alarms.stop without {verdict.name} goes on."
            raise TrainingFailed(f"step {step}: {verdict.sentence()}.{way_out}")


def _verdict(name: str, history: History, settings: LoopSettings, undrawn: tuple[int, float]) -> Verdict:
    alarm, protocol = ALARMS[name], PROTOCOL.get(name, "self")
    where = {"split": "val" if protocol else "train", "protocol": protocol}
    seen = [(step, seconds, value) for step, seconds, found, value in history if found == PREFIX + name]
    if not seen:
        return unknown(alarm, WHY_UNKNOWN.get(name, "no validation pairs"), **where)
    if name == NOT_FINITE.name:
        return alarm.of(seen[-1][2], NOTHING, **where)
    asked, before = settings.alarms, progress_of(settings, *undrawn)
    values = [
        value for step, seconds, value in seen
        if progress_of(settings, step, seconds) - before > asked.warm_up
        and (step - undrawn[0]) * settings.batch > asked.warm_up_samples
    ]  # fmt: skip
    if not values:
        drawn = " of drawing" if undrawn[0] else ""
        why = f"judged after {_warm_up(settings)}{drawn} (train.alarms.warm_up, warm_up_samples)"
        return unknown(alarm, why, **where)
    limits: Limits = getattr(asked, name)
    latest = [alarm.of(value, limits, **where) for value in values[-asked.patience :]]
    lasting = len(latest) == asked.patience and all(verdict.verdict == "alarm" for verdict in latest)
    return latest[-1] if lasting or latest[-1].verdict != "alarm" else replace(latest[-1], verdict="warning")


def _warm_up(settings: LoopSettings) -> str:
    asked = settings.alarms
    if settings.minutes:
        return f"{asked.warm_up:.0%} of {settings.minutes:g} minutes and {asked.warm_up_samples} samples"
    return f"{max(round(asked.warm_up * settings.samples), asked.warm_up_samples)} samples"
