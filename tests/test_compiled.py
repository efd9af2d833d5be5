"""The compiled pipelines: what a cluster would be told, in both documents of each file."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pipelines.catalogue import PIPELINES
from pipelines.compile import COMPILED

from reenact.cluster.arguments import RESULTS, STORE, pipeline_arguments
from reenact.cluster.names import label_value
from reenact.params import parse, read_raw

ROOT = Path(__file__).parent.parent
GPU_STEPS = {"train_guide", "train", "evaluate", "gate", "rescore"}
NEVER_CACHED = {
    "train", "evaluate", "compare", "register", "gate", "prepare_shard", "drift", "rescore", "push_data",
    "push_outputs",
}  # fmt: skip
TRIED_AGAIN = {"fetch_data", "prepare_shard", "train", "register", "push_data", "push_outputs"}
IMAGES = {
    "reenact-data:0.1.0": {
        "render_clips", "fetch_data", "extract_frames", "label_landmarks", "label_actions", "label_segments",
        "validate_data", "list_shards", "prepare_shard",
    },
    "reenact-train:0.1.0": {"train_guide", "train", "evaluate", "register", "gate", "rescore"},
    "reenact-tools:0.1.0": {"compare", "drift", "push_data", "push_outputs"},
}  # fmt: skip
TYPES = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "LIST": list, "STRUCT": dict, "BOOLEAN": bool}


class Compiled:
    """One file of pipelines/compiled, taken apart."""

    def __init__(self, name: str) -> None:
        self.text = (COMPILED / f"{name}.yaml").read_text()
        self.spec, self.platform = yaml.safe_load_all(self.text)
        self.components: dict[str, Any] = {"root": self.spec["root"], **self.spec["components"]}
        self.pods: dict[str, Any] = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    def tasks(self) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Name of the component whose graph it stands in, the task, the component it runs."""
        for outer, component in self.components.items():
            for task in component.get("dag", {}).get("tasks", {}).values():
                yield outer, task, self.components[task["componentRef"]["name"]]

    def steps(self) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]]:
        """Step, component around it, task, container, pod: of everything that runs."""
        for outer, task, component in self.tasks():
            if label := component.get("executorLabel"):
                container = self.spec["deploymentSpec"]["executors"][label]["container"]
                function = container["args"][container["args"].index("--function_to_execute") + 1]
                yield function, outer, task, container, self.pods[label]


@pytest.fixture(scope="module", params=PIPELINES)
def compiled(request: pytest.FixtureRequest) -> Compiled:
    return Compiled(request.param)


def params(**how: Any) -> Any:
    return parse(read_raw(ROOT / "params.yaml", **how))


def test_files_are_current_and_the_same_bytes_from_any_process(tmp_path: Path) -> None:
    program = "from pathlib import Path; from pipelines.compile import compile_all; compile_all(Path({!r}))"
    for seed in ("1", "5"):  # the head that kfp itself writes differs between the two
        command = [sys.executable, "-W", "ignore", "-c", program.format(str(tmp_path / seed))]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True)
    assert {path.stem for path in COMPILED.glob("*.yaml")} == set(PIPELINES)
    for name in PIPELINES:
        first, second = ((tmp_path / seed / f"{name}.yaml").read_bytes() for seed in ("1", "5"))
        assert first == second
        assert first == (COMPILED / f"{name}.yaml").read_bytes(), "run `make compile`"


@pytest.mark.parametrize("name", PIPELINES)
def test_settings_give_exactly_the_input_parameters(name: str) -> None:
    given = pipeline_arguments(params(), pipeline=name)
    wanted = Compiled(name).spec["root"]["inputDefinitions"]["parameters"]
    assert set(given) == set(wanted)
    for key, parameter in wanted.items():
        assert type(given[key]) is TYPES[parameter["parameterType"]], key
    local = pipeline_arguments(params(), pipeline=name, results="runs/a", store="runs/.shards", pods=False)
    assert set(local) == {key for key, parameter in wanted.items() if "defaultValue" not in parameter}


def test_defaults_are_those_of_the_settings_file(compiled: Compiled) -> None:
    given = pipeline_arguments(params())
    for key, parameter in compiled.spec["root"]["inputDefinitions"]["parameters"].items():
        if "defaultValue" in parameter:
            assert given[key] == parameter["defaultValue"], key


def test_every_parameter_that_a_task_reads_reaches_it(compiled: Compiled) -> None:
    for outer, task, component in compiled.tasks():
        there = set(compiled.components[outer].get("inputDefinitions", {}).get("parameters", {}))
        inputs = task.get("inputs", {}).get("parameters", {})
        read = {origin["componentInputParameter"] for origin in inputs.values() if "componentInputParameter" in origin}
        pod = {}
        if label := component.get("executorLabel"):
            pod = compiled.pods[label]
            executor = compiled.spec["deploymentSpec"]["executors"][label]
            placeholders = set(re.findall(r"\$\.inputs\.parameters\['([^']+)'\]", str(executor) + str(inputs)))
            assert placeholders <= set(inputs), outer
        read |= set(re.findall(r"'componentInputParameter': '([^']+)'", str(pod)))
        assert read <= there, outer


def test_no_step_installs_anything_or_runs_an_unknown_image(compiled: Compiled) -> None:
    assert "pip install" not in compiled.text
    for step, _, _, container, _ in compiled.steps():
        (image,) = [image for image, steps in IMAGES.items() if step in steps]
        assert container["image"] == image, step
        assert not image.endswith(":latest")


def test_no_pod_is_root_or_without_limits_or_runs_for_ever(compiled: Compiled) -> None:
    for step, _, _, container, pod in compiled.steps():
        assert pod["securityContext"] == {"runAsUser": "1000", "runAsGroup": "1000", "runAsNonRoot": True}, step
        for amount in ("Cpu", "Memory"):
            limit = container["resources"][f"resource{amount}Limit"]
            assert limit == container["resources"][f"resource{amount}Request"], step
            assert "pipelinechannel--" in limit, step
        assert int(pod["activeDeadlineSeconds"]) > 0, step


def test_steps_that_compute_with_networks_have_accelerator_toleration_and_shared_memory(compiled: Compiled) -> None:
    for step, _, _, container, pod in compiled.steps():
        mounts = {mount["mountPath"]: mount for mount in pod["emptyDirMounts"]}
        on_gpu = step in GPU_STEPS
        assert ("accelerator" in container["resources"]) == ("tolerations" in pod) == ("nodeSelector" in pod) == on_gpu
        if on_gpu:
            assert set(container["resources"]["accelerator"]) == {"resourceType", "resourceCount"}
        if container["image"].startswith("reenact-data") or on_gpu:
            assert mounts["/dev/shm"]["medium"] == "Memory", step
            assert mounts["/dev/shm"]["sizeLimit"] == "8Gi", step
        assert "/tmp" in mounts, step


def test_steps_find_the_shared_volume_and_know_their_run(compiled: Compiled) -> None:
    for step, _, _, _, pod in compiled.steps():
        (mount,) = pod["pvcMount"]
        assert mount["mountPath"] == "/reenact", step
        assert {entry["name"] for entry in pod["fieldPathAsEnv"]} == {"KFP_RUN_ID", "REENACT_DATA_VERSION"}, step
        assert pod["podMetadata"]["labels"]["reenact.dev/pipeline"] == compiled.spec["pipelineInfo"]["name"]
        assert pod["podMetadata"]["labels"]["reenact.dev/step"] == label_value(step.replace("_", "-"))
        assert all(secret["optional"] for secret in (*pod["secretAsEnv"], *pod["configMapAsEnv"])), step


def test_only_what_has_no_effects_comes_from_a_cache_and_what_may_recover_is_tried_again(compiled: Compiled) -> None:
    for step, _, task, _, _ in compiled.steps():
        looked_at_anew = step == "fetch_data" and compiled.spec["pipelineInfo"]["name"] == "refresh"
        cached = task.get("cachingOptions", {}).get("enableCache", False)
        assert cached == (step not in NEVER_CACHED and not looked_at_anew), step
        if step in TRIED_AGAIN:
            assert task["retryPolicy"]["maxRetryCount"] >= 1, step
            assert task["retryPolicy"]["backoffDuration"] == "60s", step
        if "metrics" in compiled.components[task["componentRef"]["name"]].get("outputDefinitions", {}):
            assert task["taskInfo"]["name"][0].isupper(), step  # shown to people
        assert task["taskInfo"]["name"] != step, step


def test_a_refresh_trains_only_behind_its_decision() -> None:
    refresh = Compiled("refresh")
    conditions = {outer: task["triggerPolicy"]["condition"] for outer, task, _ in refresh.tasks()
                  if "condition" in task.get("triggerPolicy", {})}  # fmt: skip
    assert list(conditions.values()) == ["inputs.parameter_values['pipelinechannel--rescore-Output'] == true"]
    outside = {step for step, outer, _, _, _ in refresh.steps() if outer == "root"}
    assert {"fetch_data", "validate_data", "drift", "rescore"} <= outside
    assert not {"train_guide", "train", "evaluate", "compare", "register", "gate"} & outside


def test_the_comparison_runs_although_a_branch_failed(compiled: Compiled) -> None:
    (compare,) = [task for step, _, task, _, _ in compiled.steps() if step == "compare"]
    assert compare["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert compare["dependentTasks"] == ["branches"]


def test_in_pods_our_caches_and_checkpoints_lie_on_the_volume_and_the_experiment_stays_the_same() -> None:
    pods = pipeline_arguments(params())
    here = pipeline_arguments(params(), results="runs/a", store="runs/.shards", pods=False)
    assert (pods["results"], pods["store"]) == (RESULTS, STORE)
    assert "/reenact/checkpoints" in pods["train_told"]
    assert "/reenact/judged" in pods["evaluate_told"]
    assert "/reenact/fetched" in pods["fetch_data_told"]
    for told in ("train_told", "evaluate_told", "gate_told", "fetch_data_told"):
        for folder in ("out/checkpoints", "out/judged", "out/weights", "out/fetched"):
            assert folder not in pods[told], told
    assert "out/checkpoints" in here["train_told"]
    experiments = {json.loads(given["compare_told"])["params_hash"] for given in (pods, here)}
    assert len(experiments) == 1
    elsewhere = pipeline_arguments(params(overrides=["checkpoints.uri=s3://faces/checkpoints"]))
    assert "s3://faces/checkpoints" in elsewhere["train_told"]


def test_a_pod_that_only_watches_a_job_of_several_nodes_holds_no_accelerator() -> None:
    given = pipeline_arguments(params(overrides=["cluster.gpus=4", "cluster.nodes=2"]))
    assert (given["gpus"], given["nodes"], given["train_gpus"], given["score_gpus"]) == (4, 2, 0, 1)


def test_how_pods_are_asked_for_makes_no_other_experiment() -> None:
    more = pipeline_arguments(params(overrides=["cluster.gpus=4", "cluster.train.memory=96Gi", "cluster.volume=other"]))
    usual = pipeline_arguments(params())
    assert {key for key in usual if usual[key] != more[key]} == {"gpus", "train_gpus", "train_memory", "volume"}
