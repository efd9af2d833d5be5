"""Faults on purpose, for drills: does the rest survive a branch that dies?

REENACT_FAULT="BRANCH:STEP:KIND[,...]" strikes just before that step (counted from 0) of that branch.
exit: the process ends at once with code 70; kill: by SIGKILL; once: by SIGKILL, but only where no earlier process has
left a checkpoint, so that a retry in the same environment comes through; nan: the target picture becomes not-a-number.
"""

import os
import signal
from dataclasses import dataclass, replace
from typing import Self

import torch

from reenact.errors import SettingsError
from reenact.faces.batch import FaceBatch

VARIABLE = "REENACT_FAULT"
KINDS = ("exit", "kill", "once", "nan")
EXIT_CODE = 70


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: what happens to which branch at which step."""

    branch: str
    step: int
    kind: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """ "cgan-full-0:120:exit"; raises SettingsError for anything else."""
        parts = text.split(":")
        if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in KINDS:
            raise SettingsError(f'{VARIABLE}="{text}": expected BRANCH:STEP:KIND with KIND one of {", ".join(KINDS)}.')
        return cls(branch=parts[0], step=int(parts[1]), kind=parts[2])


def faults_of(branch: str) -> tuple[Fault, ...]:
    """The faults that the environment plans for a branch: usually none."""
    planned = (Fault.parse(text) for text in os.environ.get(VARIABLE, "").split(",") if text)
    return tuple(fault for fault in planned if fault.branch == branch)


def left(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Those that strike a training which continues a checkpoint, too."""
    return tuple(fault for fault in faults if fault.kind != "once")


def strike(faults: tuple[Fault, ...], step: int, batch: FaceBatch) -> FaceBatch:
    """The batch as this step is to see it, unless the process ends here."""
    for fault in faults:
        if fault.step != step:
            continue
        if fault.kind == "exit":
            os._exit(EXIT_CODE)
        if fault.kind in ("kill", "once"):
            os.kill(os.getpid(), signal.SIGKILL)
        image, landmarks = (torch.full_like(x, float("nan")) for x in (batch.target.image, batch.target.landmarks))
        batch = replace(batch, target=replace(batch.target, image=image, landmarks=landmarks))
    return batch
