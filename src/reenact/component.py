"""The inside of every Kubeflow component: kfp's values in, a step run, its figures written for kfp."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reenact.atomic import atomic_folder, link_tree, write_json
from reenact.errors import BranchesMissing
from reenact.steps import run_step


def run_component(
    stage: str,
    *,
    told: str,
    out: str,
    metrics: Any,
    folders: Mapping[str, str],
    branch: Mapping[str, Any] | None = None,
    results: str = "",
) -> None:
    """Run a stage with the arguments of a component.

    told: JSON of `steps.arguments`. metrics: a kfp Metrics artifact. results: folder that outlives the run's artifacts;
    branches, comparison and registration are copied there, and what follows a loop is read from there.
    """
    # A retried step finds what the killed one left in the same folder.
    shutil.rmtree(out, ignore_errors=True)
    given = {name: Path(folder) for name, folder in folders.items()}
    if stage in ("compare", "register"):
        given["branches"] = Path(results) / "branches"
        given["branches"].mkdir(parents=True, exist_ok=True)
    try:
        result = run_step(stage, out=Path(out), told=json.loads(told), folders=given, branch=branch)
    except BranchesMissing:
        publish(Path(out), Path(results) / _published(stage, branch))
        raise
    if results:
        publish(Path(out), Path(results) / _published(stage, branch))
    for name, value in result.counts.items():
        metrics.log_metric(name, float(value))
    # The local cache takes a step without a file of each artifact for one that never ran.
    write_json(Path(metrics.path), result.plain())


def publish(folder: Path, to: Path) -> None:
    """Copy a finished folder, whole or not at all."""
    with atomic_folder(to) as temporary:
        link_tree(folder, temporary)


def _published(stage: str, branch: Mapping[str, Any] | None) -> Path:
    if branch:
        return Path("branches", f"{branch['system']}-{branch['variant']}-{int(branch['seed'])}", stage)
    return Path({"compare": "comparison", "register": "registered"}[stage])
