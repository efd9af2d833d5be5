"""Amounts as parameters, in a loop of a sub-pipeline: it runs on one machine, and the branches that survive count."""

import os
import subprocess
import sys
from pathlib import Path

PIPELINE = """
import sys
from pathlib import Path
from kfp import dsl, local
from pipelines.local import retry_soon
from pipelines.pods import POD, retried, tools_pod, train_pod

@dsl.component(base_image="reenact-train:0.1.0", install_kfp_package=False)
def train(results: str, name: str, gpus: int) -> None:
    from pathlib import Path
    with Path(results, "tries-" + name).open("a") as stream:
        stream.write("x")
    if name == "dies":
        raise RuntimeError("no")
    Path(results, "trained-" + name).write_text(str(gpus))

@dsl.component(base_image="reenact-tools:0.1.0", install_kfp_package=False)
def compare(results: str) -> None:
    from pathlib import Path
    found = sorted(path.name for path in Path(results).glob("trained-*"))
    Path(results, "comparison").write_text(" ".join(found))

@dsl.pipeline(name="loop")
def loop(results: str, names: list, volume: str, train_cpu: str, train_memory: str, accelerator: str, gpus: int,
         tolerations: list, node_selector: dict):
    place = dict(volume=volume, train_cpu=train_cpu, train_memory=train_memory, accelerator=accelerator, gpus=gpus,
                 tolerations=tolerations, node_selector=node_selector)
    with dsl.ParallelFor(names) as each:
        retried(train_pod(train(results=results, name=each.branch, gpus=gpus), place, gpus="gpus"), 1)

@dsl.pipeline(name="small")
def small(results: str, names: list, volume: str = POD["volume"], train_cpu: str = POD["train_cpu"],
          train_memory: str = POD["train_memory"], tools_cpu: str = POD["tools_cpu"],
          tools_memory: str = POD["tools_memory"], accelerator: str = POD["accelerator"], gpus: int = 3,
          tolerations: list = POD["tolerations"], node_selector: dict = POD["node_selector"]):
    done = loop(results=results, names=names, volume=volume, train_cpu=train_cpu, train_memory=train_memory,
                accelerator=accelerator, gpus=gpus, tolerations=tolerations, node_selector=node_selector)
    last = compare(results=results).after(done).ignore_upstream_failure()
    tools_pod(last, dict(volume=volume, tools_cpu=tools_cpu, tools_memory=tools_memory))

retry_soon(small)
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1] + "/steps")
small(results=sys.argv[1], names=[{"branch": "a"}, {"branch": "dies"}, {"branch": "b"}])
"""


def test_a_loop_of_pods_runs_here_and_what_follows_sees_the_branches_that_survived(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PIPELINE)
    command = [sys.executable, "-W", "ignore", str(program), str(tmp_path)]
    root = str(Path(__file__).parent.parent)
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (tmp_path / "comparison").exists(), done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "comparison").read_text() == "trained-a trained-b"
    assert (tmp_path / "trained-a").read_text() == "3"
    assert (tmp_path / "tries-dies").read_text() == "xx", "tried once more, and soon"
    assert done.returncode != 0
    assert "FAILURE" in done.stderr
