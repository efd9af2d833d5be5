"""What a pipeline is given: its input parameters, made from the settings."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reenact.cluster.lock_fragment import push_told
from reenact.cluster.pod import WORK
from reenact.cluster.settings import ClusterSettings, cluster_settings
from reenact.config import nearest
from reenact.errors import SettingsError
from reenact.params import Params
from reenact.steps import STEPS, arguments

RESULTS = f"{WORK}/runs/{{run}}"  # {run}: each run, also of a schedule, puts its own id there
STORE = f"{WORK}/shards"
MLFLOW = "http://mlflow:5000"  # the service beside the pods (k8s/base)

# Folders of ours beside the stages' own, by block and key: in a pod they have to lie on the volume.
_KEPT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fetch_data": ("cache",),
        "evaluate": ("cache", "networks.cache"),
        "checkpoints": ("uri",),
        "tracking": ("artifacts",),  # beside it lie numbers that a server which was away did not take
    }
)
_AFTER_COMPARISON = ("register", "gate")
_WHETHER_NEEDED = ("drift", "rescore")
PIPELINES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "training": tuple(stage for stage in STEPS if stage not in _WHETHER_NEEDED),
        "ablation": tuple(stage for stage in STEPS if stage not in (*_WHETHER_NEEDED, *_AFTER_COMPARISON)),
        "refresh": tuple(STEPS),
    }
)


def pipeline_arguments(
    params: Params,
    *,
    pipeline: str = "training",
    results: str = RESULTS,
    store: str = STORE,
    pods: bool = True,
    contents: bool = True,
) -> dict[str, Any]:
    """Exactly the input parameters of a pipeline: what each stage is told, as JSON text, and how pods are asked for.

    results: folder that outlives the run's artifacts; store: that of the shards, which outlives the runs. Both may
    hold {run}. pods: our caches and checkpoints are put on the pods' volume; else they stay where the settings
    say, and nothing is asked for: the pipeline's own defaults count, which nobody reads here.
    contents: tell what lies in the source of the videos now; False where pods are to look.
    Raises SettingsError for a pipeline that there is not.
    """
    stages = stages_of(pipeline)
    told = {stage: arguments(params, stage, contents=contents) for stage in stages}
    if pods:
        told = {stage: on_volume(stage, each) for stage, each in told.items()}
    sharded = {stage: told[stage] for stage in stages if STEPS[stage].sharded}
    return {
        "results": results,
        "branch_list": list(params.branches()),
        "store": store,
        "shards_told": json.dumps(sharded, sort_keys=False),
        **{f"{stage}_told": json.dumps(each, sort_keys=True) for stage, each in told.items()},
        "push_told": json.dumps(push_told(params, told), sort_keys=True),
        **(pod_arguments(cluster_settings(params)) if pods else {}),
    }


def stages_of(pipeline: str) -> tuple[str, ...]:
    """The stages that a pipeline tells what to do; raises SettingsError."""
    if pipeline not in PIPELINES:
        raise SettingsError(f"--pipeline {pipeline}: there is no such pipeline{nearest(pipeline, PIPELINES)}")
    return PIPELINES[pipeline]


def pod_arguments(cluster: ClusterSettings) -> dict[str, Any]:
    """How pods are asked for: the same parameters in every pipeline. Its defaults, too, where nothing is given."""
    plain = cluster.plain()
    roles = {f"{role}_{what}": plain[role][what] for role in ("data", "train", "tools") for what in ("cpu", "memory")}
    single = ("volume", "accelerator", "gpus", "nodes", "deadline_hours", "tolerations", "node_selector")
    # What only watches a TrainJob holds no accelerator meanwhile, and what draws and judges uses but one.
    held = {"train_gpus": 0 if cluster.nodes > 1 else cluster.gpus, "score_gpus": min(1, cluster.gpus)}
    return {**roles, **{name: plain[name] for name in single}, **held}


def on_volume(stage: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments with our caches and checkpoints on the volume of the pods, unless they are addresses.

    Done to what is told and not to the settings, whose hash stands for the same experiment here and there.
    """
    changed = json.loads(json.dumps(told))
    if changed.get("tracking", {}).get("uri", "").startswith("sqlite:"):
        # A file in a pod is gone with it. The config map's MLFLOW_TRACKING_URI comes first where there is one.
        changed["tracking"]["uri"] = MLFLOW
    for key, block in changed.items():
        for path in _KEPT.get(stage if key == "settings" else key, ()):
            *outer, last = path.split(".")
            for name in outer:
                block = block[name]
            block[last] = _moved(block[last])
    return dict(changed)


def _moved(place: str) -> str:
    """out/judged -> /reenact/judged; addresses, whole paths and "" stay."""
    if not place or "://" in place or place.startswith("/"):
        return place
    return f"{WORK}/{place.removeprefix('out/')}"
