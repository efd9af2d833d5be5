"""Compiled pipelines small enough to read, and settings to send them with."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from reenact.cluster.arguments import pipeline_arguments
from reenact.params import Params, parse, read_raw
from tiny_project import ROOT

IMAGES = ("registry.example/faces/reenact-data:1", "reenact-train:0.1.0", "reenact-tools:0.1.0", "alpine:3")


@cache
def settings(*overrides: str) -> Params:
    """The settings file as it stands, with changes."""
    return parse(read_raw(ROOT / "params.yaml", overrides=overrides))


def compiled(folder: Path, pipeline: str = "training", **changes: Any) -> Path:
    """`folder` with a compiled pipeline of one step per image, which asks for what that pipeline is told."""
    kinds = {str: "STRING", list: "LIST", dict: "STRUCT", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}
    given = pipeline_arguments(settings(), pipeline=pipeline)
    asked = {name: {"parameterType": kinds[type(value)]} for name, value in given.items()} | changes
    executors = {f"exec-{number}": {"container": {"image": image}} for number, image in enumerate(IMAGES)}
    spec = {
        "components": {},
        "deploymentSpec": {"executors": executors},
        "pipelineInfo": {"name": pipeline},
        "root": {"dag": {"tasks": {}}, "inputDefinitions": {"parameters": asked}},
        "schemaVersion": "2.1.0",
    }
    labelled = {"exec-0": {"podMetadata": {"labels": {"reenact.dev/step": "fetch"}}}}
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": labelled}}}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{pipeline}.yaml").write_text(yaml.safe_dump_all([spec, platforms]))
    return folder
