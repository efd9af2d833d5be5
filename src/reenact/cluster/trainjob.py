"""A training on several machines as Kubeflow Trainer (2.2 and later) is asked for it: pure functions, plain JSON.

The job's pods are like the pod that starts them (image, amounts, credentials, nodes, volume), and have the accelerator
beside. Trainer tells torchrun by its PET_* variables how many machines there are and where the first one is, so the
command is bare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reenact.cluster.names import k8s_name, label_value
from reenact.cluster.pod import SHARED_MEMORY, USER, WORK
from reenact.errors import SettingsError
from reenact.hashing import hash_json

API = "trainer.kubeflow.org/v1alpha1"
RUNTIME = "reenact-torch"  # k8s/base/training
ACCOUNT = "reenact-training"
NODE = "node"  # name of the replicated job and of its container in the runtime
HASH = "reenact.dev/spec"  # annotation: hash of all that the job is to do
_LONGEST = 44  # of a job's name: pods append -node-0-255-xxxxx, and 63 is the most
_TAKEN = ("AWS_", "MLFLOW_", "REENACT_")  # plain variables that the job's pods have, too


@dataclass(frozen=True, kw_only=True)
class Place:
    """What each machine's pod is asked for."""

    image: str
    nodes: int
    gpus: int  # of each machine; 0: one process on its CPU
    accelerator: str  # resource name
    deadline: int  # seconds from the job's start
    claim: str  # of the volume at /reenact
    amounts: Mapping[str, str] = field(default_factory=dict)  # cpu, memory
    env: Sequence[Mapping[str, Any]] = ()
    tolerations: Sequence[Mapping[str, Any]] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    owners: Sequence[Mapping[str, Any]] = ()  # the job goes where they go


def place_beside(
    pod: Mapping[str, Any], *, nodes: int, gpus: int, accelerator: str, deadline_hours: float, run: str
) -> Place:
    """The place of a job whose pods are like `pod`, the JSON of the pod that starts it; raises SettingsError."""
    spec = pod["spec"]
    main = next((each for each in spec["containers"] if each["name"] == "main"), spec["containers"][0])
    mounted = {each["name"] for each in main.get("volumeMounts", ()) if each["mountPath"] == WORK}
    claims = [each for each in spec.get("volumes", ()) if each["name"] in mounted and "persistentVolumeClaim" in each]
    if not claims:
        raise SettingsError(
            f"cluster.nodes: {nodes}, but no volume that pods share is mounted at {WORK} (cluster.volume)."
        )
    limits = main.get("resources", {}).get("limits", {})
    env = [each for each in main.get("env", ()) if _goes_along(each)]
    return Place(
        image=main["image"], nodes=nodes, gpus=gpus, accelerator=accelerator, deadline=round(deadline_hours * 3600),
        claim=claims[0]["persistentVolumeClaim"]["claimName"],
        amounts={name: limits[name] for name in ("cpu", "memory") if name in limits},
        env=[*env, {"name": "KFP_RUN_ID", "value": run}, *_data_version(pod)],
        # those that Kubernetes itself puts on every pod come back by themselves
        tolerations=[each for each in spec.get("tolerations", ()) if not each.get("key", "").startswith("node.k")],
        node_selector=spec.get("nodeSelector") or {},
        owners=[
            {key: owner[key] for key in ("apiVersion", "kind", "name", "uid")}
            for owner in pod["metadata"].get("ownerReferences", ())
        ],
    )  # fmt: skip


def train_job(
    place: Place, *, run: str, branch: str, step: Mapping[str, Any], file: Path, namespace: str
) -> dict[str, Any]:
    """The TrainJob that runs `step`, which is to lie in `file` on the volume, for one branch of a run.

    Run and branch give its name, so that whoever starts it twice finds it; what it is to do gives its hash.
    """
    labels = {
        "app.kubernetes.io/part-of": "reenact", "reenact.dev/step": "train", "reenact.dev/run": label_value(run),
        "reenact.dev/branch": label_value(branch),
    }  # fmt: skip
    spec = {
        "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": RUNTIME},
        "activeDeadlineSeconds": place.deadline,
        "trainer": _trainer(place, file),
        "runtimePatches": [{"manager": "reenact.dev/launcher", "trainingRuntimeSpec": _patch(place, labels)}],
    }
    metadata: dict[str, Any] = {
        "name": job_name(run, branch), "namespace": namespace, "labels": labels,
        "annotations": {HASH: hash_json([spec, step])},
    }  # fmt: skip
    if place.owners:
        metadata["ownerReferences"] = [dict(owner) for owner in place.owners]
    return {"apiVersion": API, "kind": "TrainJob", "metadata": metadata, "spec": spec}


def job_name(run: str, branch: str) -> str:
    """Of the TrainJob of a branch of a run, short enough for its pods' names."""
    return k8s_name(f"train-{branch}-{run}", _LONGEST)


def _trainer(place: Place, file: Path) -> dict[str, Any]:
    amounts = {**place.amounts, **({place.accelerator: str(place.gpus)} if place.gpus else {})}
    return {
        "image": place.image,
        "command": ["torchrun", "-m", "reenact.cluster.worker", str(file)],
        "env": [dict(each) for each in place.env],
        "numNodes": place.nodes,
        "numProcPerNode": max(1, place.gpus),
        "resourcesPerNode": {"requests": amounts, "limits": dict(amounts)},
    }


def _patch(place: Place, labels: Mapping[str, str]) -> dict[str, Any]:
    """What of the pods the runtime leaves open."""
    volumes = [
        {"name": "work", "persistentVolumeClaim": {"claimName": place.claim}},
        {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": SHARED_MEMORY}},
        {"name": "tmp", "emptyDir": {}},
    ]
    mounts = [{"name": n, "mountPath": at} for n, at in (("work", WORK), ("dshm", "/dev/shm"), ("tmp", "/tmp"))]
    pod: dict[str, Any] = {
        "serviceAccountName": ACCOUNT,
        # Whole, should it stand in the place of the runtime's: the namespace refuses pods without a filter.
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{"name": NODE, "volumeMounts": mounts}],
        "volumes": volumes,
    }  # fmt: skip
    if place.tolerations:
        pod["tolerations"] = [dict(each) for each in place.tolerations]
    if place.node_selector:
        pod["nodeSelector"] = dict(place.node_selector)
    # A mesh's proxy never ends, and the pod with it.
    annotations = {"sidecar.istio.io/inject": "false"}
    template = {"metadata": {"labels": dict(labels), "annotations": annotations}, "spec": pod}
    return {"template": {"spec": {"replicatedJobs": [{"name": NODE, "template": {"spec": {"template": template}}}]}}}


def _data_version(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the pod reads from its own label, which the job's pods don't have."""
    found = pod["metadata"].get("labels", {}).get("reenact.dev/data")
    return [{"name": "REENACT_DATA_VERSION", "value": found}] if found else []


def _goes_along(variable: Mapping[str, Any]) -> bool:
    """Credentials and addresses by reference, and plain variables of ours; what kfp tells its own pod stays there."""
    source = variable.get("valueFrom", {})
    return bool({"secretKeyRef", "configMapKeyRef"} & set(source)) or (
        "value" in variable and variable["name"].startswith(_TAKEN)
    )
