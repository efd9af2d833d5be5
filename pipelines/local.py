"""`python -m pipelines.local RUN_FOLDER`: a pipeline on this machine, in a process of its own.

kfp patches `print` and the root logger for good and fills stdout; here that touches nobody. `RUN_FOLDER/pipeline.txt`
names the pipeline (without it: training), `RUN_FOLDER/arguments.json` holds its arguments; artifacts go to
`RUN_FOLDER/steps`, cache entries to a folder beside the runs, so that a later run takes what an earlier one has made.
With `RUN_FOLDER/runner.json` (`reenact.cluster.container_run`) every step runs in a container, else in a process.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reenact.errors import ReenactError


def main(folder: Path) -> None:
    """Run the pipeline; raises RuntimeError where a step failed, StorageError where containers can't be run."""
    from kfp import local

    from pipelines.catalogue import pipeline_named
    from reenact.cluster.lock_versions import data_hash

    named = folder / "pipeline.txt"
    pipeline = pipeline_named(named.read_text().strip() if named.exists() else "training")
    retry_soon(pipeline)
    os.environ["KFP_RUN_ID"] = folder.name  # steps inherit it; lineage tells it
    given = json.loads((folder / "arguments.json").read_text())
    os.environ["REENACT_DATA_VERSION"] = data_hash(json.loads(given["push_told"])["videos"])
    (folder / "steps").mkdir(exist_ok=True)
    with _runner(folder, pipeline) as (runner, cache):
        # No workspace_root: kfp deletes that folder, whatever it held.
        local.init(runner, pipeline_root=str(folder / "steps"), enable_caching=True, cache_root=str(cache))
        pipeline(**given)


@contextmanager
def _runner(folder: Path, pipeline: Any) -> Iterator[tuple[Any, Path]]:
    """What runs the steps, and where kfp remembers what they made: other images make other things."""
    from kfp import local

    told, cache = folder / "runner.json", folder.parent / ".cache"
    if not told.exists():
        yield local.SubprocessRunner(use_venv=False), cache
        return
    from pipelines.containers import container_runner

    executors = pipeline.pipeline_spec.deployment_spec["executors"]
    images = {executors[name]["container"]["image"] for name in executors}
    (folder / "events.jsonl").touch()  # ours, before the containers' user appends to it
    with container_runner(json.loads(told.read_text()), images=images) as (runner, made_by):
        yield runner, cache / made_by


def retry_soon(pipeline: Any) -> None:
    """A process that died is started again after a second: nothing here has to come back first, as on a cluster."""
    spec = pipeline.pipeline_spec
    for dag in (spec.root.dag, *(component.dag for component in spec.components.values())):
        for task in dag.tasks.values():
            if task.HasField("retry_policy"):
                task.retry_policy.backoff_duration.FromSeconds(1)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except ReenactError as error:
        print(error)
        sys.exit(error.exit_code)
