"""The TrainJob of a training on several machines, and who watches it, against a stand-in for the Kubernetes API."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import yaml
from kubeflow_trainer_api.models import TrainerV1alpha1TrainingRuntime, TrainerV1alpha1TrainJob

from kube_api import kube_api
from reenact.cluster.job_files import STEP, step_of, write_end, write_result
from reenact.cluster.jobs_api import Jobs
from reenact.cluster.launcher import train_on_nodes, waits_for
from reenact.cluster.parallel import Machines, shared, train_on
from reenact.cluster.signals import pause
from reenact.cluster.trainjob import HASH, NODE, RUNTIME, job_name, place_beside, train_job
from reenact.errors import ApiRefused, BadInput, ProcessLost, SettingsError, StorageError
from reenact.stages.result import StageResult

ROOT = Path(__file__).parent.parent
RUN = "5f0c2d4e-9b1a-4b7e-8f3d-0a1b2c3d4e5f"
BRANCH = "fewshot_heads-full-0"
NAME = job_name(RUN, BRANCH)
OWNER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "training-x", "uid": "1-2"}
RESULT = StageResult(stage="train", counts={"samples": 24.0, "seconds": 1.5}, notes=("a note",))

POD = {
    "metadata": {"name": "training-x-1", "ownerReferences": [{**OWNER, "controller": True}]},
    "spec": {
        "containers": [
            {"name": "wait", "image": "argoexec:1"},
            {
                "name": "main", "image": "example.com/reenact-train@sha256:" + "0" * 64,
                "resources": {"limits": {"cpu": "4", "memory": "24Gi"}},
                "volumeMounts": [{"name": "claim", "mountPath": "/reenact"}],
                "env": [
                    {"name": "MLFLOW_TRACKING_URI",
                     "valueFrom": {"configMapKeyRef": {"name": "reenact", "key": "tracking_uri", "optional": True}}},
                    {"name": "REENACT_TRAINER", "value": "ana"},
                    {"name": "KFP_RUN_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['runid']"}}},
                    {"name": "KFP_POD_NAME", "value": "training-x-1"},
                ],
            },
        ],
        "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": "reenact-work"}}],
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
        ],
        "nodeSelector": {"pool": "gpu"},
    },
}  # fmt: skip


def place(pod=POD, **changes):
    asked = {"nodes": 2, "gpus": 4, "accelerator": "nvidia.com/gpu", "deadline_hours": 24.0, "run": RUN}
    return place_beside(pod, **{**asked, **changes})


def a_job(where=None, **step):
    told = {"stage": "train", "told": {"threads": 2}, **step}
    file = Path("/reenact/runs/r/jobs/b/step.json")
    return train_job(where or place(), run=RUN, branch=BRANCH, step=told, file=file, namespace="reenact")


def test_the_job_is_one_as_trainers_own_models_know_it_and_loses_nothing_there():
    job = a_job()
    assert TrainerV1alpha1TrainJob.from_dict(job).to_dict() == job
    bare = a_job(place({**POD, "spec": {**POD["spec"], "tolerations": [], "nodeSelector": None}}, gpus=0))
    assert TrainerV1alpha1TrainJob.from_dict(bare).to_dict() == bare
    assert bare["spec"]["trainer"]["numProcPerNode"] == 1


def test_the_jobs_pods_know_the_version_of_the_data_from_the_label_of_the_pod_that_starts_them():
    labelled = {**POD, "metadata": {**POD["metadata"], "labels": {"reenact.dev/data": "0" * 32}}}
    env = a_job(place(labelled))["spec"]["trainer"]["env"]
    assert {"name": "REENACT_DATA_VERSION", "value": "0" * 32} in env


def test_the_jobs_pods_are_like_the_pod_that_starts_them_with_the_accelerator_beside():
    job = a_job()
    trainer, patch = job["spec"]["trainer"], job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]
    assert trainer["image"] == POD["spec"]["containers"][1]["image"]
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 4)
    assert trainer["command"] == ["torchrun", "-m", "reenact.cluster.worker", "/reenact/runs/r/jobs/b/step.json"]
    wanted = {"cpu": "4", "memory": "24Gi", "nvidia.com/gpu": "4"}
    assert trainer["resourcesPerNode"] == {"requests": wanted, "limits": wanted}
    assert {each["name"] for each in trainer["env"]} == {"MLFLOW_TRACKING_URI", "REENACT_TRAINER", "KFP_RUN_ID"}
    assert trainer["env"][-1] == {"name": "KFP_RUN_ID", "value": RUN}
    (replicated,) = patch["template"]["spec"]["replicatedJobs"]
    template = replicated["template"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"sidecar.istio.io/inject": "false"}
    assert template["spec"]["tolerations"] == POD["spec"]["tolerations"][:1]
    assert template["spec"]["nodeSelector"] == {"pool": "gpu"}
    assert template["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "reenact-work"}
    assert job["metadata"]["ownerReferences"] == [OWNER]
    assert job["spec"]["activeDeadlineSeconds"] == 24 * 3600


def test_the_runtime_of_the_cluster_files_has_what_the_job_patches():
    runtime = yaml.safe_load((ROOT / "k8s/base/training/runtime.yaml").read_text())
    assert TrainerV1alpha1TrainingRuntime.from_dict(runtime).to_dict() == runtime
    assert runtime["metadata"]["name"] == RUNTIME == a_job()["spec"]["runtimeRef"]["name"]
    (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    pod = replicated["template"]["spec"]["template"]["spec"]
    assert (replicated["name"], [each["name"] for each in pod["containers"]]) == (NODE, [NODE])


def test_name_and_hash_say_which_job_it_is():
    assert len(NAME) <= 44
    assert a_job()["metadata"] == a_job()["metadata"]
    assert job_name(RUN, "cgan-full-0") != NAME != job_name("another", BRANCH)
    hashes = {
        job["metadata"]["annotations"][HASH]
        for job in (a_job(), a_job(told={"threads": 4}), a_job(place(nodes=3)), a_job(place(gpus=1)))
    }
    assert len(hashes) == 4


def test_without_a_volume_that_pods_share_there_are_no_several_nodes():
    bare = {**POD, "spec": {**POD["spec"], "volumes": []}}
    with pytest.raises(SettingsError, match=r"cluster\.nodes: 2, but no volume .* at /reenact"):
        place(bare)


def jobs_of(api, patience=20.0):
    from kubernetes import client

    configuration = client.Configuration(host=api.uri)
    configuration.retries = 0
    return Jobs(client.ApiClient(configuration), "reenact", patience=patience, pause=0.01)


def launch(api, folder, *, where=None, patience=20.0, **step):
    told = step_of("train", told=step, folders={}, branch=None, out=folder / "out")
    return train_on_nodes(
        where or place(), jobs=jobs_of(api, patience), job=folder / "job", run=RUN, branch=BRANCH, step=told, every=0.02
    )


def finishing(folder, *, after=3):
    """A controller whose job runs, and is complete at the `after`th look."""

    def play(api, job, looks):
        name = job["metadata"]["name"]
        if looks == 1:
            api.add_pod(name, f"{name}-node-0-1-b", index=1)
            api.add_pod(name, f"{name}-node-0-0-a")
            api.logs[f"{name}-node-0-1-b"] = ["2030-01-01T00:00:00.000000000Z second machine"]
        api.logs[f"{name}-node-0-0-a"] = [f"2030-01-01T00:00:0{n}.5Z line {n}" for n in range(min(looks, 9))]
        if looks >= after and not job["status"]:
            write_result(folder / "job", RESULT)
            api.end(job)

    return play


def test_a_job_is_made_watched_and_left_to_its_owner_and_its_first_log_is_shown_once(tmp_path, capfd):
    with kube_api(play=finishing(tmp_path)) as api:
        assert launch(api, tmp_path) == RESULT
        assert list(api.jobs) == [NAME]
    said = capfd.readouterr().err
    assert [said.count(f"line {n}\n") for n in range(3)] == [1, 1, 1]
    assert "second machine" not in said
    assert "2030-01" not in said


def test_a_job_without_an_owner_is_tidied_away(tmp_path):
    with kube_api(play=finishing(tmp_path)) as api:
        orphan = place({**POD, "metadata": {"name": "x"}})
        assert launch(api, tmp_path, where=orphan) == RESULT
        assert not api.jobs


def test_who_comes_again_takes_over_the_job_that_is_there_and_the_one_that_is_done(tmp_path):
    with kube_api(play=finishing(tmp_path, after=6)) as api:
        threads = [threading.Thread(target=launch, args=(api, tmp_path))]
        threads[0].start()
        while not api.jobs:
            time.sleep(0.01)
        assert launch(api, tmp_path) == RESULT
        threads[0].join()
        assert launch(api, tmp_path) == RESULT
        assert [method for method, path in api.requests if path.endswith("trainjobs")].count("POST") == 1


def test_another_step_and_a_failed_job_are_made_anew(tmp_path):
    with kube_api(play=finishing(tmp_path)) as api:
        launch(api, tmp_path)
        launch(api, tmp_path, samples=2)
        assert json.loads((tmp_path / "job" / STEP).read_text())["told"] == {"samples": 2}
        api.end(api.jobs[NAME], "Failed")
        launch(api, tmp_path, samples=2)
        (tmp_path / "job" / "result.json").unlink()
        launch(api, tmp_path, samples=2)
        methods = [method for method, path in api.requests if "trainjobs" in path]
        assert (methods.count("POST"), methods.count("DELETE")) == (4, 3)


def test_hiccups_of_the_api_and_a_lost_answer_do_not_matter(tmp_path):
    with kube_api(play=finishing(tmp_path), faults=[503, 0, 429, 500], lost=1) as api:
        assert launch(api, tmp_path) == RESULT
        assert len(api.jobs) == 1


def test_an_api_that_stays_away_refuses_or_has_no_trainer_is_a_sentence(tmp_path):
    with kube_api(faults=[503] * 99) as api, pytest.raises(StorageError, match="the Kubernetes API is away"):
        launch(api, tmp_path, patience=0.1)
    with kube_api(faults=[403]) as api, pytest.raises(ApiRefused, match=r"403: etcd.*role reenact-launcher"):
        launch(api, tmp_path)
    with kube_api(trainer=False) as api, pytest.raises(ApiRefused, match=r"needs Kubeflow Trainer 2\.2"):
        launch(api, tmp_path)


def failing(folder, *, write=None, **reason):
    def play(api, job, looks):
        pod = api.pods.get("first") or api.add_pod(job["metadata"]["name"], "first")
        if looks == 2:
            if write:
                write_end(folder / "job", 0, write)
            elif "oom" in reason:
                ended = {"exitCode": 137, "reason": "OOMKilled"}
                pod["status"]["containerStatuses"] = [{"name": "node", "state": {"terminated": ended}}]
            api.end(job, "Failed", **{key: value for key, value in reason.items() if key != "oom"})

    return play


def test_a_failed_job_is_the_error_of_its_first_process_or_what_the_cluster_says(tmp_path):
    with kube_api(play=failing(tmp_path, write=BadInput("clips/ana.mp4: no face."))) as api:
        with pytest.raises(BadInput, match=r"clips/ana.mp4: no face\."):
            launch(api, tmp_path)
        assert NAME in api.jobs, "a failed job is left for whoever wants to look"
    late = {"reason": "DeadlineExceeded", "message": "job was active longer than specified deadline"}
    with kube_api(play=failing(tmp_path, **late)) as api, pytest.raises(ProcessLost, match=r"cluster\.deadline_hours"):
        launch(api, tmp_path)
    short = "jobset failed; the pod first had too little memory"
    with (
        kube_api(play=failing(tmp_path, oom="1", message="jobset failed")) as api,
        pytest.raises(ProcessLost, match=short),
    ):
        launch(api, tmp_path)


def test_a_job_that_is_deleted_or_never_ends_is_a_sentence(tmp_path, monkeypatch):
    def deleted(api, job, looks):
        if looks == 3:
            api.jobs.clear()

    with kube_api(play=deleted) as api, pytest.raises(ProcessLost, match="somebody deleted its TrainJob"):
        launch(api, tmp_path)
    monkeypatch.setattr("reenact.cluster.launcher._GRACE", 0.1)
    with kube_api() as api:
        with pytest.raises(ProcessLost, match=r"did not end within cluster\.deadline_hours"):
            launch(api, tmp_path, where=place(deadline_hours=0.0))
        assert not api.jobs


def test_a_signal_to_end_deletes_the_job(tmp_path):
    def play(api, job, looks):
        if looks == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with kube_api(play=play) as api:
        with pytest.raises(SystemExit) as ended:
            launch(api, tmp_path)
        assert ended.value.code == 143
        assert not api.jobs
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_log_goes_on_with_the_pod_that_takes_the_place_of_a_lost_one(tmp_path, capfd):
    def play(api, job, looks):
        name = job["metadata"]["name"]
        api.add_pod(name, "old")
        stamp = "2030-01-01T00:00:00.000000001Z"
        api.logs["old"] = [f"{stamp} a", f"{stamp} b", *([f"{stamp} c"] if looks > 1 else [])]
        if looks > 2:
            api.add_pod(name, "new", created=5, phase="Pending" if looks == 3 else "Running")
            api.logs["new"] = ["2029-01-01T00:00:00Z again a"]
        if looks == 6:
            write_result(tmp_path / "job", RESULT)
            api.end(job)

    with kube_api(play=play) as api:
        launch(api, tmp_path)
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if line in "abc" or line == "again a"] == ["a", "b", "c", "again a"]


def test_what_pods_wait_for_is_said():
    stuck = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient nvidia.com/gpu"}
    assert waits_for([{"metadata": {"name": "p"}, "status": {"conditions": [stuck]}}]) == (
        "p waits for a node (0/3 nodes: Insufficient nvidia.com/gpu)"
    )
    absent = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    said = waits_for([{"metadata": {"name": "p"}, "status": {"containerStatuses": [absent]}}])
    assert said == "p does not start (ImagePullBackOff: not found)"


def on(machines, folder, out, **changes):
    told = {"told": {"threads": 1}, "branch": {"system": "cgan", "variant": "full", "seed": 0}, "out": out}
    return train_on(Machines(**machines), folders={"frames": folder / "frames"}, results=str(folder / "run"), **told)


def test_a_step_on_two_nodes_brings_its_inputs_to_the_volume_and_fetches_what_was_trained(tmp_path, monkeypatch):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "stage.json").write_text("{}")
    job = tmp_path / "run" / "jobs" / "cgan-full-0"

    def play(api, found, looks):
        command = found["spec"]["trainer"]["command"]
        step = json.loads(Path(command[-1]).read_text()) if looks == 1 else {}
        if looks == 1:
            assert Path(step["folders"]["frames"], "stage.json").read_text() == "{}"
            Path(step["out"]).mkdir()
            Path(step["out"], "status.json").write_text("trained")
            write_result(job, RESULT)
            api.end(found)

    with kube_api(play=play) as api:
        api.pods["launcher"] = {"job": "", **POD}
        monkeypatch.setenv("KFP_POD_NAME", "launcher")
        monkeypatch.setenv("HOSTNAME", "laun")  # cut, as those of long names
        monkeypatch.setenv("KFP_RUN_ID", RUN)
        monkeypatch.setattr("reenact.cluster.jobs_api.jobs_here", lambda: jobs_of(api))
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        assert on({"nodes": 2}, tmp_path, tmp_path / "model") == RESULT
        assert list(api.jobs) == [job_name(RUN, "cgan-full-0")]
    assert (tmp_path / "model" / "status.json").read_text() == "trained"


def test_inputs_on_the_volume_are_brought_once_and_never_replaced(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name)
    for name in "ab":
        assert (shared(tmp_path / name, tmp_path / "to" / "frames") / "which").read_text() == "a"
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["frames"]


@pytest.mark.parametrize("gpus", [1, 2])
def test_a_pods_training_keeps_the_deadline_and_leaves_nobody(tmp_path, monkeypatch, gpus):
    pids = tmp_path / "pid"
    command = ["sh", "-c", f"echo $$ > {pids}; exec sleep 60"]
    monkeypatch.setattr("reenact.cluster.parallel.run_step", lambda *_, **__: time.sleep(60))
    monkeypatch.setattr("reenact.cluster.processes.torchrun", lambda *_: command)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    machines = {"gpus": gpus, "deadline_hours": 0.5 / 3600}
    with pytest.raises(ProcessLost, match=r"train cgan-full-0: not over after .* hours \(cluster\.deadline_hours\)"):
        on(machines, tmp_path, tmp_path / "model")
    if gpus == 2:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pids.read_text()), 0)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    monkeypatch.setattr("reenact.cluster.parallel.run_step", lambda *_, **__: time.sleep(1) or RESULT)
    assert on({**machines, "gpus": 1}, tmp_path, tmp_path / "model") == RESULT


def test_a_pause_ends_with_a_signal():
    began = time.monotonic()
    pause(30.0, [15])
    assert time.monotonic() - began < 1
    pause(0.05, [])
    assert time.monotonic() - began >= 0.05
