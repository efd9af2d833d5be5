"""The cluster files as `kubectl kustomize` builds them, and what a test asks of them."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
OVERLAYS = tuple(sorted(folder.name for folder in (ROOT / "k8s/overlays").iterdir()))

# Where the steps of a run live: standalone Kubeflow Pipelines runs them in its own namespace.
STEPS = {"local": "kubeflow", "cloud-gpu": "reenact"}

Document = dict[str, Any]
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@functools.cache
def built(overlay: str) -> tuple[Document, ...]:
    """Every document of an overlay; skips the test where kubectl is not installed."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "k8s/overlays" / overlay)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def compiled() -> list[Document]:
    """Every document of every compiled pipeline."""
    return [
        document
        for file in sorted((ROOT / "pipelines/compiled").glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
    ]


def of_kind(overlay: str, *kinds: str) -> list[Document]:
    return [document for document in built(overlay) if document["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Document:
    (found,) = [document for document in of_kind(overlay, kind) if document["metadata"]["name"] == name]
    return found


def label(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def pod_templates(overlay: str) -> Iterator[tuple[str, str, Document]]:
    """(what, namespace, pod template) of everything that makes pods."""
    for document in built(overlay):
        namespace = document["metadata"].get("namespace", "")
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield label(document), namespace, document["spec"]["template"]
        if document["kind"] == "TrainingRuntime":
            for replicated in document["spec"]["template"]["spec"]["replicatedJobs"]:
                yield label(document), namespace, replicated["template"]["spec"]["template"]


def containers(template: Document) -> list[Document]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector holds for `labels`, by Kubernetes' rules for what is used here."""
    for rule in selector.get("matchExpressions", []):
        key, operator = rule["key"], rule["operator"]
        if operator == "Exists" and key not in labels:
            return False
        if operator == "In" and labels.get(key) not in rule["values"]:
            return False
        assert operator in ("Exists", "In"), operator
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def values_of(tree: Any, key: str) -> Iterator[Any]:
    """Every value of `key`, at any depth."""
    if isinstance(tree, dict):
        for name, inner in tree.items():
            if name == key:
                yield inner
            yield from values_of(inner, key)
    elif isinstance(tree, list):
        for inner in tree:
            yield from values_of(inner, key)


def expand(text: str, environment: dict[str, str]) -> str:
    """`$(NAME)` as the kubelet puts it in."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], text)


def environment(
    overlay: str, namespace: str, container: Document, secrets: dict[str, dict[str, str]]
) -> dict[str, str]:
    """What a container finds in its environment; of secrets what the caller gives."""
    told: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for document in of_kind(overlay, "ConfigMap"):
            here = (document["metadata"]["name"], document["metadata"]["namespace"])
            if here == (source["configMapRef"]["name"], namespace):
                told |= document["data"]
    for one in container.get("env", []):
        if "value" in one:
            told[one["name"]] = expand(one["value"], told)
        else:
            reference = one["valueFrom"]["secretKeyRef"]
            told[one["name"]] = secrets[reference["name"]][reference["key"]]
    return told
