"""`python -m pipelines.compile`: every pipeline to YAML, the same bytes for the same code."""

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from pipelines.catalogue import PIPELINES, pipeline_named
from reenact.cluster.specs import with_labels

COMPILED = Path(__file__).parent / "compiled"
PIPELINE_LABEL = "reenact.dev/pipeline"
Document = dict[str, Any]


def compile_all(folder: Path = COMPILED) -> list[Path]:
    """Write `NAME.yaml` of every pipeline; returns the files in the order of the catalogue."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in PIPELINES:
        path = folder / f"{name}.yaml"
        path.write_text(as_text(*compiled(name)), encoding="utf-8")
        written.append(path)
    return written


def compiled(name: str) -> tuple[Document, Document]:
    """Both documents of a compiled pipeline: its specification, and what its pods are like on Kubernetes."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "compiled.yaml")
        compiler.Compiler().compile(pipeline_named(name), str(path))
        spec, platform = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return spec, with_labels(platform, {PIPELINE_LABEL: name}, executors=spec["deploymentSpec"]["executors"])


def as_text(spec: Document, platform: Document) -> str:
    """The two documents as one file, keys sorted: kfp's own head lists defaults in an order that changes."""
    head = [f"# {spec['pipelineInfo']['name']}: made by `make compile`; input parameters:"]
    for name, parameter in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        default = parameter.get("defaultValue")
        kind = parameter["parameterType"].lower().removeprefix("number_")
        head.append(f"#   {name}: {kind}" + ("" if default is None else f" [{json.dumps(default, sort_keys=True)}]"))
    body = yaml.safe_dump_all([spec, platform], sort_keys=True, width=100)
    return "\n".join(head) + "\n" + body


if __name__ == "__main__":
    for path in compile_all():
        print(path)
