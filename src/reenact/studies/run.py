"""Run a study: the corpus once, then row after row, each as the ordinary stages. Resumable at any point."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
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
from reenact.studies.reading import Planned
from reenact.systems.branch import Branch

Runner = Callable[..., StageResult]


def run_study(planned: Planned, out: Path, rows: Sequence[str], *, runner: Runner = run_step) -> None:
    """Prepare the corpus, then train and evaluate `rows` in their order, one at a time.

    What is done under the same arguments and code is taken. A row that dies leaves its reason and the others go on,
    but for a full disk, which ends them all; the next call tries it again. A training that was interrupted goes on from
    its checkpoint, with the seconds it has had.
    """
    keys = keys_of(planned, out)
    for stage in CORPUS:
        if not is_done(out, stage, keys[stage]):
            _run(planned.corpus, out, stage, keys[stage], runner)
    for number, row in enumerate(rows, start=1):
        due = [stage for stage in ROW if not is_done(out, f"{stage} {row}", keys[f"{stage} {row}"])]
        said = f"row {number} of {len(rows)}, {row}"
        say(f"study: {said}: {' and '.join(due) if due else 'done before'}")
        try:
            for stage in due:
                _run(planned.rows[row], out, stage, keys[f"{stage} {row}"], runner, row=row, branch=planned.branch(row))
        except StorageError:
            raise
        except Exception as error:  # whatever it is, the other rows are none the worse for it
            reason = str(error) if isinstance(error, ReenactError) else f"{type(error).__name__}: {error}"
            write_done(out, f"{stage} {row}", reason=f"{stage}: {reason}")
            say(f"study: {said}: {stage} failed: {reason}")


def _run(
    params: Params, out: Path, stage: str, key: str, runner: Runner, *, row: str = "", branch: Branch | None = None
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
    write_done(out, step, key=key, seconds=round(time.monotonic() - began, 1))


def reasons(out: Path, rows: Sequence[str]) -> dict[str, str]:
    """Why rows died, where they did."""
    found = {row: next((said["reason"] for s in ROW if "reason" in (said := read_done(out, f"{s} {row}"))), "")
             for row in rows}  # fmt: skip
    return {row: reason for row, reason in found.items() if reason}
