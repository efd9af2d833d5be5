"""DVC and Kubeflow run the same stages with the same edges, after loops and matrices are collapsed."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reenact.steps import FOLDERS, STEPS, code_hash
from reenact.training import keys

ROOT = Path(__file__).parent.parent
Edges = set[tuple[str, str]]

# Kubeflow hands these over by the results folder, a plain parameter, since `compare` has to run although a branch
# failed; the step it waits for is the whole loop. DVC names the folder as a dependency.
BY_RESULTS_FOLDER: Edges = {("train", "compare"), ("train", "register"), ("evaluate", "register")}

# Whether a new model is needed is asked by the pipeline that a schedule runs; `dvc repro` trains what changed.
REFRESH_ONLY = {"drift", "rescore"}
DVC_STAGES = [stage for stage in STEPS if stage not in REFRESH_ONLY]

# Pods make the shards one by one into a store, from which the stages then take them; DVC has the stages alone.
SHARD_LOOP = {"list_shards", "prepare_shard"}

# Pods bring what they made to the DVC remote; `dvc repro` leaves it in DVC's cache, for `dvc push`.
PUSHES = {"push_data", "push_outputs"}


@pytest.fixture(scope="module")
def dvc() -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return stages


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    """The training pipeline as the repository has it; that this is current, test_compiled.py says."""
    from pipelines.compile import COMPILED

    first: dict[str, Any] = next(iter(yaml.safe_load_all((COMPILED / "training.yaml").read_text())))
    return first


def paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def dvc_edges(stages: dict[str, Any]) -> Edges:
    """A stage follows the stages whose outputs are, or lie below, its dependencies."""
    made = {path: name for name, stage in stages.items() for path in paths(stage["outs"])}
    edges = set()
    for name, stage in stages.items():
        for need in paths(stage["deps"]):
            need = need.replace("${fetch_data.videos}", "out/rendered")
            edges |= {(maker, name) for path, maker in made.items() if path == need or path.startswith(need + "/")}
    return edges


def kfp_edges(spec: dict[str, Any]) -> tuple[set[str], Edges]:
    """Tasks and edges with sub-pipelines and loops opened: what goes into a group goes to the tasks that use it."""
    leaves: set[str] = set()
    edges: Edges = set()

    def stage(task: dict[str, Any]) -> str | None:
        component = spec["components"][task["componentRef"]["name"]]
        if "dag" in component:
            return None
        name: str = re.sub(r"^comp-|-\d+$", "", task["componentRef"]["name"]).replace("-", "_")
        return name

    def last(task: dict[str, Any]) -> set[str]:
        """Leaf stages of a group that nothing else in it follows."""
        if name := stage(task):
            return {name}
        inner = spec["components"][task["componentRef"]["name"]]["dag"]["tasks"]
        followed = {need for one in inner.values() for need in one.get("dependentTasks", [])}
        return set().union(*(last(one) for key, one in inner.items() if key not in followed))

    def walk(dag: dict[str, Any], given: dict[str, set[str]]) -> None:
        tasks = dag["tasks"]
        for task in tasks.values():
            sources: dict[str, set[str]] = {}
            for name, origin in task.get("inputs", {}).get("artifacts", {}).items():
                if "taskOutputArtifact" in origin:
                    sources[name] = last(tasks[origin["taskOutputArtifact"]["producerTask"]])
                else:
                    sources[name] = given.get(origin["componentInputArtifact"], set())
            after = set().union(*sources.values()) if sources else set()
            by_data = {
                origin["taskOutputArtifact"]["producerTask"]
                for origin in task.get("inputs", {}).get("artifacts", {}).values()
                if "taskOutputArtifact" in origin
            }
            for need in task.get("dependentTasks", []):
                if need not in by_data:
                    after |= last(tasks[need])
            if name := stage(task):
                leaves.add(name)
                edges.update((source, name) for source in after)
            else:
                walk(spec["components"][task["componentRef"]["name"]]["dag"], sources)

    walk(spec["root"]["dag"], {})
    return leaves, edges


def test_both_graphs_have_the_stages_of_the_table(dvc: dict[str, Any], compiled: dict[str, Any]) -> None:
    leaves, _ = kfp_edges(compiled)
    assert leaves >= SHARD_LOOP | PUSHES
    assert set(dvc) == leaves - SHARD_LOOP - PUSHES == set(DVC_STAGES)
    assert set(STEPS) == set(FOLDERS) == set(DVC_STAGES) | REFRESH_ONLY


def test_both_graphs_have_the_same_edges(dvc: dict[str, Any], compiled: dict[str, Any]) -> None:
    _, edges = kfp_edges(compiled)
    expected = dvc_edges(dvc)
    assert expected >= BY_RESULTS_FOLDER
    assert {("fetch_data", "list_shards"), ("prepare_shard", "extract_frames")} <= edges
    # They read what is there, and nothing stands on them.
    assert not {edge for edge in edges if edge[0] in PUSHES and edge[1] not in PUSHES}
    assert {edge for edge in edges if not (SHARD_LOOP | PUSHES) & set(edge)} == expected - BY_RESULTS_FOLDER
    assert ("evaluate", "compare") in edges
    assert {("compare", "register"), ("register", "gate")} <= edges


@pytest.mark.parametrize("stage", DVC_STAGES)
def test_dvc_tracks_what_a_stage_takes(dvc: dict[str, Any], stage: str) -> None:
    tracked = set(dvc[stage]["params"])
    for block in (stage, *STEPS[stage].blocks):
        assert {block, f"profiles.${{profile}}.{block}"} <= tracked
    code = {f"src/reenact/{name}" for name in STEPS[stage].code} | {f"src/reenact/stages/{stage}.py"}
    assert code == {path for path in dvc[stage]["deps"] if path.startswith("src/")}
    for path in code:
        assert (ROOT / path).exists(), path


# What every stage uses for reading settings, writing files and saying things; and the record kept beside the results.
EVERYWHERE = {"errors.py", "config.py", "atomic.py", "progress.py", "hashing.py", "process.py", "stages/result.py"}
RECORD = {"train": ("tracking/",), "evaluate": ("tracking/",), "compare": ("tracking/",)}


def module_file(name: str) -> Path | None:
    path = ROOT / "src" / Path(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imports_of(file: Path) -> set[Path]:
    """Files of this package that a module imports, at its top or inside functions; not what only types need."""
    found: set[Path | None] = set()
    todo: list[ast.AST] = [ast.parse(file.read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {module_file(name.name) for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {module_file(node.module), *(module_file(f"{node.module}.{name.name}") for name in node.names)}
        todo += ast.iter_child_nodes(node)
    return {path for path in found if path is not None and "reenact" in path.parts}


@pytest.mark.parametrize("stage", STEPS)
def test_a_stage_imports_nothing_that_its_hash_leaves_out(stage: str) -> None:
    seen: set[Path] = set()
    todo = {ROOT / "src" / "reenact" / "stages" / f"{stage}.py"}
    while todo:
        seen |= todo
        todo = set().union(*(imports_of(path) for path in todo)) - seen
    files = {path.relative_to(ROOT / "src" / "reenact").as_posix() for path in seen} - EVERYWHERE
    known = (*STEPS[stage].code, f"stages/{stage}.py", *RECORD.get(stage, ()))
    prefixes = tuple(name if name.endswith((".py", "/")) else f"{name}/" for name in known)
    assert [name for name in sorted(files) if not name.startswith(prefixes) and not name.endswith("__init__.py")] == []


def test_an_edit_in_evaluation_or_reports_trains_nothing_again() -> None:
    edited = ("evaluation/", "reports/", "tracking/", "cli/", "labelling/")
    for code in (STEPS["train"].code, keys.CODE):
        assert not [name for name in code if f"{name}/".startswith(edited)]
    assert not [name for name in STEPS["train_guide"].code if f"{name}/".startswith(edited)]
    # Nor does a network that only judges.
    for code in (STEPS["train"].code, STEPS["train_guide"].code, keys.CODE):
        assert "backbones" not in code


def test_the_key_of_a_training_covers_the_code_that_decides_its_weights() -> None:
    assert set(keys.CODE) == {*STEPS["train"].code, "stages/train.py"}


def test_code_hash_changes_with_the_stages_own_code_only() -> None:
    assert code_hash("train") == code_hash("train")
    assert len({code_hash(stage) for stage in STEPS}) == len(STEPS)


def test_steps_with_effects_outside_are_never_taken_from_a_cache(compiled: dict[str, Any]) -> None:
    tasks = {
        name: task
        for component in [{"dag": compiled["root"]["dag"]}, *compiled["components"].values()]
        for name, task in component.get("dag", {}).get("tasks", {}).items()
    }
    for name in ("train", "evaluate", "compare", "register", "gate"):
        assert not tasks[name].get("cachingOptions", {}).get("enableCache", False), name
    for name in ("render-clips", "extract-frames", "label-landmarks", "train-guide"):
        assert tasks[name]["cachingOptions"]["enableCache"], name
    assert tasks["train"]["retryPolicy"]["maxRetryCount"] >= 1
    assert tasks["compare"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
