"""The adversarial training loop, for every system: a generator's step, then a discriminator's on the same pictures.

Read from `Training.run` downwards. What happens at step n depends on the seed and n alone: which samples are drawn,
which units dropout silences. So a training that was killed and continued ends with the weights of one that was not.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer

from reenact.corpus.sampling import Sampler, ready
from reenact.errors import SettingsError, TrainingFailed
from reenact.faces.batch import FaceBatch
from reenact.progress import event, progress, say
from reenact.systems.protocol import Phase, System
from reenact.training.alarms import PREFIX, check_looks, check_step
from reenact.training.checkpoints import Checkpoints
from reenact.training.draws import sources_at, step_seed
from reenact.training.faults import Fault, left, strike
from reenact.training.length import how_far, may_be_chosen, place_of, progress_of, samples_at, steps_of
from reenact.training.looks import Looks
from reenact.training.pictures import grid, thinned, to_bytes
from reenact.training.reading import ahead
from reenact.training.settings import LoopSettings
from reenact.training.state import Best, State, load_weights, weights_of
from reenact.training.step import adam, set_rates, specs, train_step
from reenact.training.together import begin_together
from reenact.training.tracker import Tracker
from reenact.training.validation import Validation, draw


@dataclass(kw_only=True)
class Training:
    """One branch's training, from wherever its newest checkpoint stands to its end."""

    system: System
    branch: str
    seed: int
    settings: LoopSettings
    sampler: Callable[[Phase], Sampler]
    fabric: Fabric
    tracker: Tracker
    checkpoints: Checkpoints
    validation: Validation | None = None
    looks: Looks | None = None  # what the alarms see of it
    probes: FaceBatch | None = None
    faults: tuple[Fault, ...] = ()
    readers: int = 0  # threads that read batches ahead
    state: State = field(default_factory=State)
    continued_from: int = 0  # the step of the checkpoint this process took up
    _fresh: list[dict[str, Tensor]] = field(default_factory=list)  # loss terms not yet fetched from the device
    _sick: str = ""  # why the first of several processes ends the training, once all have heard

    def run(self) -> State:
        """Train all phases in order; the state at the end holds the chosen weights as `best`.

        Raises TrainingFailed where an alarm finds the training sick.
        """
        for phase in self.system.phases:
            if self._batch(phase) % self.fabric.world_size:
                where = f"batch of the phase {phase.name}" if phase.batch else "train.batch"
                raise SettingsError(
                    f"{where}: {self._batch(phase)} can't be shared by {self.fabric.world_size} processes."
                )
        self._restore()
        self._start = time.monotonic() - self.state.seconds
        self._logged = (self.state.step, time.monotonic())
        begin = 0
        for number, (phase, end) in enumerate(timetable(self.system.phases, self.steps)):
            if self.place < end:
                self._train_phase(number, phase, begin, end)
            begin = end
        if self.state.best is None:
            self.state.best = Best(step=self.state.step, value=None, weights=weights_of(self.system))
        return self.state

    @property
    def steps(self) -> int:
        """Batches of the whole training, if no clock ends it."""
        return steps_of(self.settings)

    @property
    def place(self) -> float:
        """Where the training stands, by steps or by the clock, in steps of the whole."""
        return place_of(self.settings, self.state.step, self.state.seconds)

    @property
    def progress(self) -> float:
        """The share of the training that lies behind, 0..1."""
        return progress_of(self.settings, self.state.step, self.state.seconds)

    @property
    def samples(self) -> int:
        """Seen so far."""
        return samples_at(self.state.batches, self.state.step)

    @property
    def far(self) -> str:
        """The same for a person who watches."""
        table = timetable(self.system.phases, self.steps)
        begins = [0, *(end for _, end in table[:-1])]
        whole = sum((end - begin) * self._batch(phase) for begin, (phase, end) in zip(begins, table, strict=True))
        return how_far(self.settings, self.samples, self.state.seconds, whole=whole)

    def _batch(self, phase: Phase) -> int:
        return phase.batch or self.settings.batch

    def _train_phase(self, number: int, phase: Phase, begin: int, end: int) -> None:
        optimisers = self._optimisers(number, phase)
        if not self.state.batches or self.state.batches[-1][1] != self._batch(phase):
            self.state.batches.append((self.state.step, self._batch(phase)))
        for network in self.system.networks.values():
            network.train()
        start, sampler = self.state.step, self.sampler(phase)
        batches = ahead(lambda step: self._read(phase, sampler, step), range(start, end), threads=self.readers)
        total = None if self.settings.minutes else end - start
        for batch in progress(self._until(end, batches), f"{self.branch} {phase.name}", total=total):
            step = self.state.step
            torch.manual_seed(step_seed(self.seed, step, self.fabric.global_rank))
            seen = strike(self.faults, step, ready(batch, self.fabric.device))
            seen = replace(seen, phase=phase.name, progress=self.progress)
            set_rates(optimisers, phase, (self.place - begin) / (end - begin))
            self._fresh.append(train_step(self.system, phase, optimisers, seen, step=step, fabric=self.fabric))
            self.state.step, self.state.seconds = step + 1, self._clock()
            if not phase.draws:
                self.state.undrawn = (self.state.step, self.state.seconds)
            self._watch_together(number, optimisers)
        self._fetch()

    def _until(self, end: int, batches: Iterator[FaceBatch]) -> Iterator[FaceBatch]:
        """The batches of a phase, as long as its share of the clock lasts."""
        for batch in batches:
            yield batch
            if self.place >= end:
                return

    def _clock(self) -> float:
        """Seconds of training so far; where they end it, all processes go by one clock."""
        seconds = time.monotonic() - self._start
        if self.settings.minutes and self.fabric.world_size > 1:
            seconds = self.fabric.broadcast(seconds)
        return seconds

    def _read(self, phase: Phase, sampler: Sampler, step: int) -> FaceBatch:
        sources = sources_at(phase, seed=self.seed, step=step)
        return sampler.read(self._numbers(phase, step), sources=sources, pictures=phase.draws)

    def _numbers(self, phase: Phase, step: int) -> range:
        """The samples of this step that belong to this process."""
        batch = self._batch(phase)
        return range(step * batch + self.fabric.global_rank, (step + 1) * batch, self.fabric.world_size)

    def _watch_together(self, number: int, optimisers: list[Optimizer]) -> None:
        """The first process watches for all; what it finds wrong ends all of them, at the same step."""
        if self.fabric.world_size == 1:
            self._watch(number, optimisers)
            return
        if self.fabric.is_global_zero and not self._sick:
            try:
                self._watch(number, optimisers)
            except TrainingFailed as error:
                self._sick = str(error)
        if self._due(self.settings.log_every):
            if not self.fabric.is_global_zero:
                self._fresh.clear()  # the same means as the first has
            self._sick = self.fabric.broadcast(self._sick)
            if self._sick:
                raise TrainingFailed(self._sick)

    def _watch(self, number: int, optimisers: list[Optimizer]) -> None:
        """After a step: log, validate, look for sickness, keep a checkpoint, each when it is due."""
        settings, draws = self.settings, self.system.phases[number].draws
        if self._due(settings.log_every):
            self._log_losses()
        if draws and self._due(settings.validate_every):
            self._validate(last=number == len(self.system.phases) - 1)
        if draws and self.looks is not None and self._due(self.looks.every):
            self._look(self.looks)
        if self.progress < 1 and self.checkpoints.due(self.samples):
            self._fetch()
            self.state.phase, self.state.weights = number, weights_of(self.system)
            self.state.optimisers = [optimiser.state_dict() for optimiser in optimisers]
            self.state.precision = self.fabric.strategy.precision.state_dict()
            self.checkpoints.save(self.state.step, self.samples, self.state.plain())

    def _due(self, samples: int) -> bool:
        every = max(1, samples // self.settings.batch)
        return self.state.step % every == 0 or self.progress >= 1

    def _fetch(self) -> None:
        """Bring loss terms from the device, all at once, and let the alarms see each step's."""
        first = self.state.step - len(self._fresh)
        flat = [value.float() for terms in self._fresh for value in terms.values()]
        values = iter(torch.stack(flat).tolist() if flat else [])
        for place, terms in enumerate(self._fresh):
            fetched = {name: next(values) for name in terms}
            check_step(first + place, fetched)
            self.state.pending.append(fetched)
        self._fresh.clear()

    def _log_losses(self) -> None:
        self._fetch()
        names = dict.fromkeys(name for terms in self.state.pending for name in terms)
        columns = {name: [terms[name] for terms in self.state.pending if name in terms] for name in names}
        self.state.pending = []
        means = {name: sum(column) / len(column) for name, column in columns.items()}
        now, (step, then) = time.monotonic(), self._logged
        fresh = self.samples - samples_at(self.state.batches, step)
        means["samples_per_second"] = fresh / max(now - then, 1e-9)
        self._logged = (self.state.step, now)
        self._log(means)
        event("train", branch=self.branch, step=self.state.step, samples=self.samples, far=self.far, **means)

    def _log(self, values: Mapping[str, float]) -> None:
        self.state.history += [(self.state.step, self.state.seconds, name, value) for name, value in values.items()]
        self.tracker.metrics(values, self.state.step)

    def _validate(self, *, last: bool) -> None:
        """Figures on the fixed pairs, the best weights so far, and the probes drawn once more.

        Weights are handed on from the last phase alone: before it, parts of the system may not have been trained.
        """
        self._fetch()
        step, began = self.state.step, time.monotonic()
        if self.validation is not None:
            values = self.validation.measure(self.system)
            self._log(values)
            if last:
                self._choose(values[self.settings.choose.metric])
            figures = ", ".join(f"{name} {value:.4f}" for name, value in values.items())
            say(f"{self.branch}: {self.far}, {figures}")
        if self.probes is not None:
            picture = to_bytes(draw(self.system, self.probes))
            snapshots = [*self.state.snapshots, (step, torch.from_numpy(picture))]
            self.state.snapshots = thinned(snapshots)
            self.tracker.image("samples", grid(self.probes, [picture], [f"step {step}"]), step)
        self._logged = (self._logged[0], self._logged[1] + time.monotonic() - began)  # not the training's own time

    def _look(self, looks: Looks) -> None:
        """Let the alarms see what has become of the system."""
        self._fetch()
        began, recent = time.monotonic(), max(looks.every, self.settings.log_every) // self.settings.batch
        values = looks.look(self.system, self.state.history, since=self.state.step - recent)
        self._log({PREFIX + name: value for name, value in values.items()})
        check_looks(self.state.history, self.settings, stop=looks.stop, undrawn=self.state.undrawn)
        self._logged = (self._logged[0], self._logged[1] + time.monotonic() - began)

    def _choose(self, value: float) -> None:
        """Keep these weights if the rule prefers them; of equal ones the earlier."""
        best = self.state.best
        if may_be_chosen(self.settings, self.progress) and (best is None or best.value is None or value < best.value):
            self.state.best = Best(step=self.state.step, value=value, weights=weights_of(self.system))

    def _optimisers(self, number: int, phase: Phase) -> list[Optimizer]:
        """The phase's optimisers, where they stood if this phase was interrupted."""
        optimisers = [cast(Optimizer, self.fabric.setup_optimizers(adam(self.system, spec))) for spec in specs(phase)]
        if self.state.optimisers and self.state.phase == number:
            for optimiser, values in zip(optimisers, self.state.optimisers, strict=True):
                optimiser.load_state_dict(values)
        return optimisers

    def _restore(self) -> None:
        """Move to the device, and take up the newest checkpoint where there is one."""
        for network in self.system.networks.values():
            self.fabric.to_device(network)
        begin_together(self.system.networks.values(), self.fabric)
        kept = self.fabric.broadcast(self.checkpoints.load() if self.fabric.is_global_zero else None)
        if kept is not None:
            self.state = State.read(kept)
            self.continued_from = self.state.step
            self.faults = left(self.faults)
            load_weights(self.system, self.state.weights)
            self.fabric.strategy.precision.load_state_dict(self.state.precision)
            self.checkpoints.begin(self.samples)
            say(f"{self.branch}: continuing after step {self.state.step} of {self.steps}")
        elif self.validation is not None and self.fabric.is_global_zero:
            self._log(self.validation.copying())


def timetable(phases: Sequence[Phase], steps: int) -> list[tuple[Phase, int]]:
    """Each phase with the step before which it ends, by the phases' shares; the last ends at `steps`."""
    whole = sum(phase.share for phase in phases)
    ends, done = [], 0.0
    for phase in phases:
        done += phase.share
        ends.append((phase, round(steps * done / whole)))
    return ends
