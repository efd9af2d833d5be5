"""torchrun as a child that ends with its parent and notes how its processes ended: `python -m ... FOLDER ARGUMENTS`."""

import sys
from pathlib import Path

from reenact.atomic import write_json
from reenact.cluster.job_files import AGENT
from reenact.process import end_with_parent


def main(folder: Path, arguments: list[str]) -> int:
    """Run torchrun with its arguments; returns 0, 1 (a process failed), or 128 + the signal that ended us."""
    end_with_parent()
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    try:
        torchrun(arguments)
    except ChildFailedError as error:
        # What it would print is a page about exit codes; whoever started us says why.
        write_json(folder / AGENT, {str(rank): failure.exitcode for rank, failure in error.failures.items()})
        return 1
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
