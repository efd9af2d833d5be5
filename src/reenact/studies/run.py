"""Run a study: the corpus once, then its rows, each as the ordinary stages. Resumable at any point."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reenact.errors import ReenactError, StorageError
from reenact.params import Params
from reenact.progress import say
from reenact.stages.result import StageResult
from reenact.steps import input_folders, run_step
from reenact.studies.done import (
    CORPUS,
    ROW,
    forget,
    is_done,
    keys_of,
    read_done,
    row_folder,
    stage_folder,
    told_of,
    write_done,
)
from reenact.studies.outlook import crowded
from reenact.studies.reading import Planned
from reenact.studies.side_by_side import each_in_a_process
from reenact.systems.branch import Branch

Runner = Callable[..., StageResult]


def run_study(planned: Planned, out: Path, rows: Sequence[str], *, runner: Runner = run_step) -> None:
    """Prepare the corpus, then train and evaluate `rows` in their order, as many at a time as the study says.

    What is done under the same arguments and code is taken. A row that dies leaves its reason and the others go on,
    but for a full disk, which ends them all; the next call tries it again. A training that was interrupted goes on from
    its checkpoint, with the seconds it has had.
    """
    keys = keys_of(planned, out)
    for stage in CORPUS:
        if not is_done(out, stage, keys[stage]):
            _run(planned.corpus, out, stage, keys[stage], runner)
    for warning in crowded(planned):
        say(f"study: {warning}")
    tasks = [
        Task(planned=planned, out=out, row=row, said=f"row {number} of {len(rows)}, {row}", keys=keys, runner=runner)
        for number, row in enumerate(rows, start=1)
    ]
    if planned.study.side_by_side == 1:
        for task in tasks:
            task()
    else:
        each_in_a_process(tasks, planned.study.side_by_side)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is still to be done of one row."""

    planned: Planned
    out: Path
    row: str
    said: str
    keys: Mapping[str, str]
    runner: Runner

    @property
    def threads(self) -> int:
        """Of the process that it runs in."""
        return self.planned.rows[self.row].runtime.threads

    def __call__(self) -> None:
        """Train and evaluate, each if it is due; raises StorageError, and keeps any other error as the row's reason."""
        due = [stage for stage in ROW if not is_done(self.out, self._step(stage), self.keys[self._step(stage)])]
        say(f"study: {self.said}: {' and '.join(due) if due else 'done before'}")
        try:
            for stage in due:
                key, branch = self.keys[self._step(stage)], self.planned.branch(self.row)
                beside = {"side_by_side": self.planned.study.side_by_side}
                params = self.planned.rows[self.row]
                _run(params, self.out, stage, key, self.runner, row=self.row, branch=branch, facts=beside)
        except StorageError:
            raise
        except Exception as error:  # whatever it is, the other rows are none the worse for it
            self.died(str(error) if isinstance(error, ReenactError) else f"{type(error).__name__}: {error}", stage)

    def died(self, reason: str, stage: str = "train") -> None:
        """Keep why, for tables and for the next call."""
        write_done(self.out, self._step(stage), reason=f"{stage}: {reason}")
        say(f"study: {self.said}: {stage} failed: {reason}")

    def _step(self, stage: str) -> str:
        return f"{stage} {self.row}"


def _run(
    params: Params,
    out: Path,
    stage: str,
    key: str,
    runner: Runner,
    *,
    row: str = "",
    branch: Branch | None = None,
    facts: Mapping[str, object] | None = None,
) -> None:
    step = f"{stage} {row}".strip()
    forget(out, step)
    if stage == "train":  # an older training's evaluation is none of this one
        forget(out, f"evaluate {row}")
    own = row_folder(out, row) if row else None
    told = told_of(params, stage, branch.system if branch else "")
    began = time.monotonic()
    runner(
        stage,
        out=stage_folder(out, stage, row),
        told=told,
        folders=input_folders(stage, out, own),
        branch=asdict(branch) if branch else None,
    )
    write_done(out, step, key=key, seconds=round(time.monotonic() - began, 1), **(facts or {}))


def reasons(out: Path, rows: Sequence[str]) -> dict[str, str]:
    """Why rows died, where they did."""
    found = {row: next((said["reason"] for s in ROW if "reason" in (said := read_done(out, f"{s} {row}"))), "")
             for row in rows}  # fmt: skip
    return {row: reason for row, reason in found.items() if reason}
