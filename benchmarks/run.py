"""Runs every benchmark beside this file and puts the figures together: JSON and a table with machine facts.

    python benchmarks/run.py [--out build/bench] [NAME ...]

Each benchmark is a script of its own that takes `--out FILE.json`; a new one is found by lying here.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBRARIES = ("numpy", "opencv-python-headless", "dlib-bin", "torch", "lightning-fabric", "kfp", "dvc", "mlflow")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    facts: dict[str, Any] = {"platform": platform.platform(), "python": platform.python_version()}
    facts["cores"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts["load"] = [round(value, 2) for value in os.getloadavg()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        facts["processor"] = names[0] if names else platform.machine()
    facts["libraries"] = {name: version(name) for name in LIBRARIES}
    return facts


def run_one(script: Path, out: Path) -> dict[str, Any]:
    """Figures of one benchmark, or why there are none."""
    file = out / f"{script.stem}.json"
    file.unlink(missing_ok=True)
    # One core each, so that figures are per core.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), "--out", str(file)], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode or not file.exists():
        return {"failed": (done.stderr or done.stdout).strip().splitlines()[-1:]}
    figures: dict[str, Any] = json.loads(file.read_text())
    return figures


def rows(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The figures of a nested record, each with its path."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from rows(value, f"{path} / {name}" if path else str(name))
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from rows(value, f"{path} / {number}")
    elif isinstance(values, float):
        yield path, f"{values:,.4g}"
    else:
        yield path, str(values)


def table(results: Mapping[str, Any]) -> str:
    """A Markdown table of everything."""
    lines = ["| figure | value |", "| --- | --- |"]
    lines += [f"| {path} | {value} |" for path, value in rows(results)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run, write `bench.json` and `bench.md`, print the table; exit code 1 where a benchmark failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="benchmarks to run; all without")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": machine()}
    for script in sorted(HERE.glob("*.py")):
        if script.stem == "run" or (options.names and script.stem not in options.names):
            continue
        print(f"{script.stem} ...", file=sys.stderr, flush=True)
        results[script.stem] = run_one(script, options.out)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "bench.md").write_text(table(results))
    print(table(results))
    if any("failed" in result for result in results.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
