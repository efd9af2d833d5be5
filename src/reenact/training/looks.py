"""What the alarms measure while a system trains: on pairs of the validation part, and in the losses so far."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.alarms.coarse import coarse
from reenact.alarms.critic_balance import critic_balance
from reenact.alarms.identity_collapse import identity_collapse
from reenact.alarms.identity_leak import identity_leak
from reenact.alarms.mask_saturation import mask_saturation
from reenact.alarms.mode_collapse import mode_collapse
from reenact.backbones.reader import Reading
from reenact.corpus.sampling import Sampler
from reenact.errors import BadInput
from reenact.systems.protocol import System
from reenact.systems.watched import masks_of, rivals_of
from reenact.training.pictures import Picture, to_bytes
from reenact.training.settings import LoopSettings
from reenact.training.state import History
from reenact.training.validation import Validation, in_use

MOST = 64  # pairs of each kind: figures of a whole set, they need no more

Read = Callable[[Tensor], Reading]  # (B, 3, S, S) in [-1, 1]


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Where to look, and how often: a look is a function of weights and history, and leaves both as they are."""

    every: int  # samples
    own: Validation  # pairs within a person
    cross: Validation | None = None  # pairs of two people, where there are two
    reader: Read | None = None  # the guide: without one, nothing is known of faces
    stop: tuple[str, ...] = ()  # alarms that end this training

    def look(self, system: System, history: History, *, since: int) -> dict[str, float]:
        """Values by the names of the alarms, those that apply; the balance is over the losses logged after `since`."""
        with in_use(system):
            values = self._own_pairs(system) | self._cross_pairs(system)
        values["critic_balance"] = _balance(system, history, since)
        return {name: value for name, value in values.items() if value == value}

    def _own_pairs(self, system: System) -> dict[str, float]:
        finite: list[Tensor] = []
        shown: list[tuple[Picture, ...]] = []  # target, output
        faces: list[tuple[Tensor, ...]] = []  # landmarks of source, target, output
        masks: list[Mapping[str, Tensor]] = []
        for batch in self.own.batches():
            output = system.reenact(batch.sources, batch.target)
            finite.append(torch.isfinite(output).flatten(1).all(dim=1).cpu())
            shown.append((to_bytes(batch.target.image), to_bytes(output)))
            if self.reader is not None:
                faces.append(
                    tuple(self.reader(image).landmarks for image in (batch.source.image, batch.target.image, output))
                )
            masks.append(masks_of(system, batch.sources, batch.target))
        drawn = torch.cat(finite).numpy()
        target, result = (coarse(np.concatenate(column)[drawn]) for column in zip(*shown, strict=True))
        mixing = {name: torch.cat([each[name] for each in masks]).float().cpu().numpy() for name in masks[0]}
        return {
            "not_finite": 1.0 - float(drawn.mean()),
            "identity_collapse": identity_collapse(*_joined(faces)) if faces else float("nan"),
            "mode_collapse": mode_collapse(target, result),
            "mask_saturation": mask_saturation(mixing)[0],
        }

    def _cross_pairs(self, system: System) -> dict[str, float]:
        """How much of the driver's identity the guide sees in the output."""
        if self.cross is None or self.reader is None:
            return {}
        people = []
        for batch in self.cross.batches():
            output = system.reenact(batch.sources, batch.target)
            people.append(
                tuple(self.reader(image).embedding for image in (batch.source.image, batch.target.image, output))
            )
        return {"identity_leak": identity_leak(*_joined(people))}


def looks_at(
    own: Validation,
    cross: Callable[[], Sampler],
    settings: LoopSettings,
    *,
    reader: Read | None,
    frames: int,
    stop: tuple[str, ...],
) -> Looks:
    """Looks that see a sickness `patience` times within an epoch: as many samples as there are training frames."""
    own, people = replace(own, pairs=min(own.pairs, MOST)), None
    with suppress(BadInput):  # there is only one person
        people = replace(own, sampler=cross())
    every = max(1, min(settings.validate_every, frames // settings.alarms.patience))
    return Looks(every=every, own=own, cross=people, reader=reader, stop=stop)


def _joined(batches: Sequence[tuple[Tensor, ...]]) -> list[NDArray[np.float32]]:
    """Each column of the batches as one array."""
    return [torch.cat(column).float().cpu().numpy() for column in zip(*batches, strict=True)]


def _balance(system: System, history: History, since: int) -> float:
    """Of the system's `rivals` the pair that is furthest from even; not-a-number where nothing is known of any."""
    values = []
    for rival in rivals_of(system):
        ours, theirs = ([value for step, _, name, value in history if name == term and step > since]
                        for term in (rival.generator, rival.critic))  # fmt: skip
        values.append(critic_balance(ours, theirs, rival.loss))
    known = [value for value in values if value == value]
    return max(known, key=lambda value: abs(math.log(value)), default=float("nan"))
