"""What those who start a training in several processes and those processes tell each other: files in one folder.

`step.json`: what to run. `result.json`: what the first process says at the end. `ended-RANK.json`: why a process gave
up. `agent.json`: exit codes, where torchrun itself runs here. A folder works where nobody can be asked for an exit
code: torchrun's own is always 1, and pods of another machine have only their log.
"""

import json
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reenact.atomic import write_json
from reenact.errors import ProcessLost, ReenactError
from reenact.stages.result import StageResult

STEP = "step.json"
RESULT = "result.json"
AGENT = "agent.json"


def step_of(
    stage: str,
    *,
    told: Mapping[str, Any],
    folders: Mapping[str, Path],
    branch: Mapping[str, Any] | None,
    out: Path,
) -> dict[str, Any]:
    """A step as its processes read it."""
    given = {name: str(path.absolute()) for name, path in folders.items()}
    return {"stage": stage, "told": told, "folders": given, "branch": branch, "out": str(out.absolute())}


def write_step(folder: Path, step: Mapping[str, Any]) -> Path:
    """Write a step, all that an earlier try left taken away. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in (folder / RESULT, folder / AGENT, *folder.glob("ended-*.json")):
        left.unlink(missing_ok=True)
    write_json(folder / STEP, step)
    return folder / STEP


def write_result(folder: Path, result: StageResult) -> None:
    """The step is done."""
    write_json(folder / RESULT, result.plain())


def write_end(folder: Path, rank: int, error: BaseException) -> None:
    """The process of this rank gives up."""
    known = isinstance(error, ReenactError)
    sentence = str(error) if known else f"{type(error).__name__}: {error}"
    facts = {"code": error.exit_code if isinstance(error, ReenactError) else 1, "sentence": sentence, "known": known}
    write_json(
        folder / f"ended-{rank}.json",
        {**facts, "rank": rank, "time": time.time(), "traceback": "".join(traceback.format_exception(error))},
    )


def read_result(folder: Path) -> StageResult | None:
    """What the first process said at the end; None where it never came to it."""
    path = folder / RESULT
    if not path.exists():
        return None
    plain = json.loads(path.read_text())
    return StageResult(**{**plain, "notes": tuple(plain["notes"])})


def read_error(folder: Path, what: str, *, seen: str = "") -> ReenactError:
    """Why the processes of `what` did not come to an end, as the error that the first cause was.

    seen: what was seen of it from outside.
    """
    ends = sorted(_ends(folder), key=lambda end: (not end["known"], end["time"]))
    if ends and ends[0]["known"]:
        return _kind(ends[0]["code"])(ends[0]["sentence"])
    codes = json.loads((folder / AGENT).read_text()) if (folder / AGENT).exists() else {}
    # One that is killed leaves the others with a broken connection, which is all that they can say.
    # By SIGTERM it is torchrun that ends those who are left.
    killed = [(rank, -code) for rank, code in codes.items() if code < 0 and -code != signal.SIGTERM]
    if killed:
        rank, number = killed[0]
        hint = " Often that is the memory: give the pod more, or a smaller train.batch." if number == 9 else ""
        return ProcessLost(f"{what}: process {rank} was ended by signal {number}.{hint}")
    said = [f"process {end['rank']} broke off ({end['sentence']})" for end in ends[:1]]
    said += [f"process {rank} ended with code {code} and without a word" for rank, code in codes.items() if not ends]
    said += [seen] if seen else []
    return ProcessLost(f"{what}: {'; '.join(said) or 'its processes ended without a word; see the log'}.")


def first_traceback(folder: Path) -> str:
    """Where in the code the first cause lies, unless it is one of ours with a sentence; else ""."""
    ends = sorted(_ends(folder), key=lambda end: end["time"])
    return "" if not ends or any(end["known"] for end in ends) else str(ends[0]["traceback"])


def _ends(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.glob("ended-*.json"):
        yield json.loads(path.read_text())


def _kind(code: int) -> type[ReenactError]:
    return {kind.exit_code: kind for kind in ReenactError.__subclasses__()}.get(code, ProcessLost)
