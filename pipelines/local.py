"""`python -m pipelines.local RUN_FOLDER`: the training pipeline on this machine, in a process of its own.

kfp patches `print` and the root logger for good and fills stdout; here that touches nobody. `RUN_FOLDER/arguments.json`
holds the pipeline's arguments; artifacts go to `RUN_FOLDER/steps`, cache entries to a folder beside the runs, so that
a later run takes what an earlier one has made.
"""

import json
import os
import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Run the pipeline; raises RuntimeError where a step failed."""
    from kfp import local

    from pipelines.training import training

    os.environ["KFP_RUN_ID"] = folder.name  # steps inherit it; lineage tells it
    # No workspace_root: kfp deletes that folder, whatever it held.
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "steps"),
        enable_caching=True,
        cache_root=str(folder.parent / ".cache"),
    )
    training(**json.loads((folder / "arguments.json").read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
