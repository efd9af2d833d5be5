"""`python -m pipelines.local RUN_FOLDER`: a pipeline on this machine, in a process of its own.

kfp patches `print` and the root logger for good and fills stdout; here that touches nobody. `RUN_FOLDER/pipeline.txt`
names the pipeline (without it: training), `RUN_FOLDER/arguments.json` holds its arguments; artifacts go to
`RUN_FOLDER/steps`, cache entries to a folder beside the runs, so that a later run takes what an earlier one has made.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(folder: Path) -> None:
    """Run the pipeline; raises RuntimeError where a step failed."""
    from kfp import local

    from pipelines.catalogue import pipeline_named

    named = folder / "pipeline.txt"
    pipeline = pipeline_named(named.read_text().strip() if named.exists() else "training")
    retry_soon(pipeline)
    os.environ["KFP_RUN_ID"] = folder.name  # steps inherit it; lineage tells it
    # No workspace_root: kfp deletes that folder, whatever it held.
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(folder / "steps"),
        enable_caching=True,
        cache_root=str(folder.parent / ".cache"),
    )
    pipeline(**json.loads((folder / "arguments.json").read_text()))


def retry_soon(pipeline: Any) -> None:
    """A process that died is started again after a second: nothing here has to come back first, as on a cluster."""
    spec = pipeline.pipeline_spec
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for task in dag.tasks.values():
            if task.HasField("retry_policy"):
                task.retry_policy.backoff_duration.FromSeconds(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
