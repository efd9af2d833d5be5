"""One of the processes that train together: `torchrun ... -m reenact.cluster.worker STEP.json`."""

import json
import os
import sys
from pathlib import Path

from reenact.cluster.job_files import write_end, write_result
from reenact.errors import ReenactError
from reenact.process import end_with_parent
from reenact.progress import say
from reenact.steps import run_step


def main(step: Path) -> int:
    """Run the step of the file as the process that torchrun's environment says we are; returns the exit code."""
    end_with_parent()
    rank = int(os.environ.get("RANK", "0"))
    if rank:
        os.environ.pop("REENACT_EVENTS", None)  # the first reports for all
    told = json.loads(step.read_text())
    folders = {name: Path(folder) for name, folder in told["folders"].items()}
    try:
        result = run_step(
            told["stage"], out=Path(told["out"]), told=told["told"], folders=folders, branch=told["branch"]
        )
        if rank == 0:
            write_result(step.parent, result)
    except ReenactError as error:
        write_end(step.parent, rank, error)
        say(str(error))
        return error.exit_code
    except Exception as error:
        write_end(step.parent, rank, error)
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
