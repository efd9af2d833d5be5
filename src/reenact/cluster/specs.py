"""What is put into a compiled pipeline when it is sent: images, where it comes from, long arguments."""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any

# As components/image.py names them, whatever registry and tag stand around.
_OURS = re.compile(r"(?:^|/)reenact-(?P<role>data|train|tools)(?::[^/@]+)?(?:@[^/]+)?$")


def with_images(spec: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """A compiled pipeline (its first YAML document) with other images; images: by role, data, train and tools.

    What is not given stays as it was compiled, and so do images that are not ours.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(spec))
    for executor in changed.get("deploymentSpec", {}).get("executors", {}).values():
        container = executor.get("container", {})
        if ours := _OURS.search(container.get("image", "")):
            container["image"] = images.get(ours["role"]) or container["image"]
    return changed


def with_labels(platforms: Mapping[str, Any], labels: Mapping[str, str], *, executors: Iterable[str]) -> dict[str, Any]:
    """What is said of Kubernetes (the second YAML document), with labels on every pod beside those compiled in.

    executors: names of all of the first document, since one without a word on Kubernetes is missing in the second.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(platforms))
    place = changed.setdefault("platforms", {}).setdefault("kubernetes", {}).setdefault("deploymentSpec", {})
    said = place.setdefault("executors", {})
    for name in executors:
        said.setdefault(name, {}).setdefault("podMetadata", {}).setdefault("labels", {}).update(labels)
    return changed


def with_defaults(spec: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A compiled pipeline (its first YAML document) whose parameters have these values unless others are given."""
    changed: dict[str, Any] = copy.deepcopy(dict(spec))
    asked = changed["root"]["inputDefinitions"]["parameters"]
    for name, value in values.items():
        asked[name] = {**asked[name], "defaultValue": value, "isOptional": True}  # as kfp marks those with one
    return changed


def without_cache(spec: Mapping[str, Any], component: str) -> dict[str, Any]:
    """A compiled pipeline (its first YAML document) in which a component runs each time, whatever a cache remembers."""
    changed: dict[str, Any] = copy.deepcopy(dict(spec))
    for outer in (changed["root"], *changed.get("components", {}).values()):
        for task in outer.get("dag", {}).get("tasks", {}).values():
            if task["componentRef"]["name"] == f"comp-{component}":
                task["cachingOptions"] = {}
    return changed


def with_environment(spec: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A compiled pipeline (its first YAML document) whose pods have these variables."""
    changed: dict[str, Any] = copy.deepcopy(dict(spec))
    for executor in changed.get("deploymentSpec", {}).get("executors", {}).values():
        if "container" in executor:
            own = [one for one in executor["container"].get("env", []) if one["name"] not in values]
            told = [{"name": name, "value": value} for name, value in values.items()]
            executor["container"]["env"] = own + told
    return changed
