"""How long a training is: so many samples, and where a wall clock is set no longer than that.

With a wall clock the number of steps depends on the machine, and with it what goes by the share of the training that
lies behind (phases, schedules, the warm-up of alarms). What happens at a step otherwise doesn't.
"""

from collections.abc import Sequence

from reenact.training.settings import LoopSettings


def steps_of(settings: LoopSettings) -> int:
    """Batches of the whole training, if no clock ends it."""
    return -(-settings.samples // settings.batch)


def place_of(settings: LoopSettings, step: int, seconds: float) -> float:
    """Where a training stands after `step` batches and `seconds` of wall clock, counted in steps of the whole."""
    whole = steps_of(settings)
    by_clock = whole * seconds / (60 * settings.minutes) if settings.minutes else 0.0
    return min(whole, max(step, by_clock))


def progress_of(settings: LoopSettings, step: int, seconds: float) -> float:
    """The share of the training that then lies behind, 0..1."""
    return place_of(settings, step, seconds) / steps_of(settings)


def samples_at(batches: Sequence[tuple[int, int]], step: int) -> int:
    """Samples seen before a step; `batches`: a phase's first step and the samples of each step from there on."""
    ends = [*(first for first, _ in batches[1:]), step][: len(batches)]
    return sum(max(0, min(end, step) - first) * batch for (first, batch), end in zip(batches, ends, strict=True))


def how_far(settings: LoopSettings, samples: int, seconds: float, *, whole: int) -> str:
    """For a person who watches: "1200 of 5000 samples", "1200 samples, 3.1 of 8 minutes"; `whole`: if no clock ends it.

    A phase with a batch of its own sees more or fewer samples than `train.samples` says.
    """
    if settings.minutes:
        return f"{samples} samples, {seconds / 60:.1f} of {settings.minutes:g} minutes"
    return f"{samples} of {whole} samples"


def may_be_chosen(settings: LoopSettings, progress: float) -> bool:
    """Whether `train.choose.among` makes weights at this progress a candidate."""
    among = settings.choose.among
    return among == "all" or (progress > 2 / 3 if among == "last_third" else progress >= 1)


def ended_by(settings: LoopSettings, step: int, seconds: float) -> str:
    """`samples`, `minutes`, or nothing of a training that is not over."""
    if step >= steps_of(settings):
        return "samples"
    return "minutes" if progress_of(settings, step, seconds) >= 1 else ""
