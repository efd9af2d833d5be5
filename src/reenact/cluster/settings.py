"""The block `cluster`: how pods are asked for. No stage reads it, and nothing of it changes a result."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from reenact.cluster.pod import DAYS
from reenact.config import Settings, nearest
from reenact.params import Params

_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LABEL = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_PREFIX = rf"({_NAME}(\.{_NAME})*/)?"


def _shaped(pattern: str, what: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(what)
        return text

    return AfterValidator(check)


def _as_text(given: Any) -> Any:
    """4 for "4": YAML and the shell drop the quotes."""
    return str(given) if isinstance(given, int | float) and not isinstance(given, bool) else given


# What kfp's own setters take, so that a mistake is said here and not by the first pod.
Name = Annotated[str, _shaped(_NAME, "no Kubernetes name: lower case letters, digits and dashes, at most 63")]
Key = Annotated[str, _shaped(rf"{_PREFIX}[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", "no key of a label or taint")]
Value = Annotated[str, _shaped(_LABEL, "no value of a label: letters, digits, dashes, dots, at most 63")]
Cpu = Annotated[
    str, BeforeValidator(_as_text), _shaped(r"([0-9]*\.)?[0-9]+m?", 'no quantity of processors: "2", "0.5" or 500m')
]
Memory = Annotated[
    str,
    BeforeValidator(_as_text),
    # A bare number would be bytes, which nobody means.
    _shaped(r"[1-9][0-9]*[EPTGMK]i?", "no quantity of memory: 8Gi, 512Mi"),
]
Image = Annotated[str, _shaped(r"[\w.:/@-]+", "no name of an image")]


class Pod(Settings):
    """What a pod of one role asks for; its limits are the same as its requests."""

    cpu: Cpu = "1"
    memory: Memory = "4Gi"


class Images(Settings):
    """Image of each role, by tag or digest."""

    data: Image = "reenact-data:0.1.0"
    train: Image = "reenact-train:0.1.0"
    tools: Image = "reenact-tools:0.1.0"

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        for role in ("data", "train", "tools"):
            name = getattr(self, role).rsplit("/", 1)[-1]
            if ":" not in name or name.endswith(":latest"):
                raise ValueError(f"{role} needs a tag other than latest, or a digest: what runs has to be known")
        return self


def _toleration(given: dict[str, str]) -> dict[str, str]:
    """As Kubernetes writes one; returned as it was given."""
    known = {"key": None, "operator": ("Exists", "Equal"), "value": None, "effect": _EFFECTS}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown key {name}{nearest(name, known)}")
        if (choice := known[name]) and value not in choice:
            raise ValueError(f"{name} is none of {', '.join(choice)}")
    if given.get("operator") == "Exists" and "value" in given:
        raise ValueError("operator Exists takes no value; Equal does")
    if given.get("operator") != "Exists" and "key" not in given:
        raise ValueError("without a key the operator has to be Exists")
    return given


class ClusterSettings(Settings):
    """How the pipelines are asked for on a cluster."""

    host: str = ""  # address of the Kubeflow Pipelines API; "": KF_PIPELINES_ENDPOINT
    namespace: Name = "reenact"
    service_account: Name = "reenact-pipeline"
    experiment: str = Field(default="reenact", min_length=1)
    volume: Name = "reenact-work"  # claim that all pods share, mounted at /reenact
    images: Images = Images()
    data: Pod = Pod(cpu="2", memory="8Gi")
    train: Pod = Pod(cpu="4", memory="24Gi")
    tools: Pod = Pod(cpu="1", memory="4Gi")
    accelerator: Key = "nvidia.com/gpu"  # of training, scoring and the gate
    gpus: int = Field(default=1, ge=0, le=16)  # of each training; who scores takes one; 0: the CPU
    nodes: int = Field(default=1, ge=1, le=256)  # more: a TrainJob of so many for each branch
    tolerations: tuple[Annotated[dict[str, str], AfterValidator(_toleration)], ...] = (
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
    )  # of these pods
    node_selector: dict[Key, Value] = Field(default_factory=dict)  # labels of the nodes for these pods
    deadline_hours: float = Field(default=24.0, gt=0, le=24 * (DAYS - 1), allow_inf_nan=False)  # of one training
    data_remote: Annotated[str, _shaped(r"(s3://[^/\s]+(/\S*)?)?", 'neither "" nor s3://BUCKET/PREFIX')] = ""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.host and not re.fullmatch(r"https?://\S+", self.host):
            raise ValueError("host: write it with http:// or https://")
        return self


def cluster_settings(params: Params) -> ClusterSettings:
    """The block `cluster` of the effective settings."""
    found = params.blocks["cluster"]
    assert isinstance(found, ClusterSettings)
    return found
