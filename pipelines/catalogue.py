"""The pipelines by name."""

from importlib import import_module
from typing import Any

from reenact.cluster.arguments import PIPELINES

__all__ = ["PIPELINES", "pipeline_named"]


def pipeline_named(name: str) -> Any:
    """The kfp pipeline of that name: `pipelines.NAME.NAME`; raises KeyError where there is none."""
    if name not in PIPELINES:
        raise KeyError(name)
    return getattr(import_module(f"pipelines.{name}"), name)
