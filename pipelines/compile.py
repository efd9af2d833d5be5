"""`python -m pipelines.compile`: every pipeline to YAML, the same bytes for the same code."""

from pathlib import Path

from kfp import compiler

from pipelines.training import training

COMPILED = Path(__file__).parent / "compiled"


def compile_all(folder: Path = COMPILED) -> list[Path]:
    """Write `training.yaml`; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "training.yaml"
    compiler.Compiler().compile(training, str(path))
    return [path]


if __name__ == "__main__":
    for written in compile_all():
        print(written)
