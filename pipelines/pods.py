"""What the pod of a step asks for on a cluster; on one machine nobody reads any of it.

Amounts, accelerator, tolerations, node selector and the volume's claim are parameters of the pipelines, so that one
compiled file serves every cluster. What kfp takes as constants only (sizes of memory folders, time limits, names of
secrets) stands here.
"""

from collections.abc import Mapping
from typing import Any

from kfp import kubernetes
from kfp.dsl import PipelineTask

from reenact.cluster.arguments import pod_arguments
from reenact.cluster.pod import DAYS, SHARED_MEMORY, USER, WORK
from reenact.cluster.settings import ClusterSettings

Place = Mapping[str, Any]  # name -> parameter of the pipeline, as in POD
POD = pod_arguments(ClusterSettings())  # the parameters by which pods are asked for, with their defaults

HOUR = 3600
DAY = 24 * HOUR

# Optional, so that a cluster without them runs what does not need them.
SECRETS: Mapping[str, dict[str, str]] = {
    "reenact-s3": {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY"},
    "reenact-mlflow": {"username": "MLFLOW_TRACKING_USERNAME", "password": "MLFLOW_TRACKING_PASSWORD"},
}
CONFIG = {
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "s3_endpoint": "AWS_ENDPOINT_URL_S3",
    "region": "AWS_REGION",
    "trainer": "REENACT_TRAINER",
}


def data_pod(task: PipelineTask, place: Place) -> PipelineTask:
    """For fetching, cropping and labelling: processes side by side, no accelerator."""
    _amounts(task, place, "data")
    _shared_memory(task)
    return _pod(task, place, seconds=2 * DAY)


def train_pod(task: PipelineTask, place: Place, *, gpus: str = "score_gpus") -> PipelineTask:
    """For training and scoring: the accelerator, and what gets a pod to the nodes that have one.

    gpus: the parameter that says how many.
    """
    _amounts(task, place, "train")
    _passed(task, place["accelerator"], place[gpus])
    task.set_accelerator_type(place["accelerator"]).set_accelerator_limit(place[gpus])
    kubernetes.add_toleration_json(task, place["tolerations"])
    kubernetes.add_node_selector_json(task, place["node_selector"])
    _shared_memory(task)
    # Longer than any deadline of a training, which the step itself keeps: it stops with a sentence.
    return _pod(task, place, seconds=DAYS * DAY)


def tools_pod(task: PipelineTask, place: Place) -> PipelineTask:
    """For tables, reports, registration: little of everything."""
    _amounts(task, place, "tools")
    return _pod(task, place, seconds=6 * HOUR)


def retried(task: PipelineTask, times: int) -> PipelineTask:
    """Try again after a minute, two, four, ...: what failed by a network or a lost node may work then."""
    return task.set_retry(num_retries=times, backoff_duration="60s", backoff_factor=2.0, backoff_max_duration="1800s")


def _amounts(task: PipelineTask, place: Place, role: str) -> None:
    """Limits are the requests: nobody is promised what another one uses."""
    cpu, memory = place[f"{role}_cpu"], place[f"{role}_memory"]
    _passed(task, cpu, memory)
    task.set_cpu_request(cpu).set_cpu_limit(cpu)
    task.set_memory_request(memory).set_memory_limit(memory)


def _passed(task: PipelineTask, *parameters: Any) -> None:
    """Have loops hand these parameters on: kfp's setters of amounts forget to, and the compiled loop lacks them."""
    task.register_pipeline_channels(list(parameters))


def _shared_memory(task: PipelineTask) -> None:
    kubernetes.empty_dir_mount(
        task, volume_name="dshm", mount_path="/dev/shm", medium="Memory", size_limit=SHARED_MEMORY
    )


def _pod(task: PipelineTask, place: Place, *, seconds: int) -> PipelineTask:
    """What every pod has: the volume, a /tmp, credentials, the run's id, no root, a time limit."""
    kubernetes.mount_pvc(task, pvc_name=place["volume"], mount_path=WORK)
    kubernetes.empty_dir_mount(task, volume_name="tmp", mount_path="/tmp")
    for secret, keys in SECRETS.items():
        kubernetes.use_secret_as_env(task, secret, keys, optional=True)
    kubernetes.use_config_map_as_env(task, "reenact", CONFIG, optional=True)
    kubernetes.use_field_path_as_env(task, "KFP_RUN_ID", "metadata.labels['pipeline/runid']")
    kubernetes.use_field_path_as_env(task, "REENACT_DATA_VERSION", "metadata.labels['reenact.dev/data']")
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.set_timeout(task, seconds)
    kubernetes.add_pod_label(task, "reenact.dev/step", task.component_spec.name)
    # A mesh's proxy never ends, and the pod with it.
    kubernetes.add_pod_annotation(task, "sidecar.istio.io/inject", "false")
    return task
