"""What a step costs before it does anything: as a command, and as a Kubeflow task on this machine.

    python benchmarks/overheads.py [--repeats 3] [--out FILE.json]

Beside them a bare Python process, the least any step in a process of its own can cost. Seconds of the clock, the best
of the repeats.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

# kfp prints and patches the root logger: a process of its own.
EMPTY_PIPELINE = """
import sys
from kfp import dsl, local

@dsl.component(base_image="python", install_kfp_package=False)
def empty(text: str) -> str:
    return text

@dsl.pipeline
def chain(text: str = "a"):
    for _ in range(int({steps})):
        text = empty(text=text).output

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1])
chain()
"""


def best(call: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest of several calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def quietly(*command: str, folder: Path = ROOT) -> None:
    """Run a command, its output unseen; raises where it fails."""
    subprocess.run(command, cwd=folder, capture_output=True, check=True)


def pipeline_seconds(steps: int, folder: Path, repeats: int) -> float:
    """A chain of steps that do nothing, in kfp.local."""
    script = folder / f"chain{steps}.py"
    script.write_text(EMPTY_PIPELINE.format(steps=steps))
    return best(lambda: quietly(sys.executable, str(script), str(folder / "out"), folder=folder), repeats)


def measure(repeats: int) -> dict[str, float]:
    """All figures, in seconds."""
    reenact = str(Path(sys.executable).parent / "reenact")
    with tempfile.TemporaryDirectory() as name:
        one, six = (pipeline_seconds(steps, Path(name), repeats) for steps in (1, 6))
    return {
        "bare python process": best(lambda: quietly(sys.executable, "-c", "pass"), repeats),
        "reenact --version": best(lambda: quietly(reenact, "--version"), repeats),
        "reenact settings (reads all settings)": best(lambda: quietly(reenact, "settings"), repeats),
        "kfp.local: first step and start": one,
        "kfp.local: each further step": (six - one) / 5,
        "compile the pipeline": best(lambda: quietly(sys.executable, "-c", _COMPILE), repeats),
    }


_COMPILE = (
    "import tempfile, pathlib; from pipelines.compile import compile_all;compile_all(pathlib.Path(tempfile.mkdtemp()))"
)


def main() -> None:
    """Measure and print, or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    figures = {name: round(seconds, 3) for name, seconds in measure(options.repeats).items()}
    text = json.dumps({"seconds": figures, "machine": platform.platform()}, indent=1)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
