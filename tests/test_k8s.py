"""The files for a cluster build, fit the Kubernetes schemas, and keep the rules that docs/kubernetes.md states."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from cluster_files import (
    OVERLAYS,
    ROOT,
    STEPS,
    built,
    compiled,
    containers,
    each_overlay,
    label,
    named,
    of_kind,
    pod_templates,
    selects,
    values_of,
)
from reenact.cluster.settings import ClusterSettings

KUBERNETES = "1.37"


def names(overlay: str, kind: str, namespace: str) -> set[str]:
    return {one["metadata"]["name"] for one in of_kind(overlay, kind) if one["metadata"].get("namespace") == namespace}


@each_overlay
def test_every_document_fits_the_schema_of_its_kind(overlay: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for document in built(overlay):
        if document["kind"] != "TrainingRuntime":  # Kubeflow's own, below
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{overlay}" for overlay in OVERLAYS)])
def test_kustomize_warns_of_nothing(folder: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", str(ROOT / "k8s" / folder)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_training_runtime_survives_the_trainers_own_models() -> None:
    models = pytest.importorskip("kubeflow_trainer_api.models")
    (runtime,) = of_kind("cloud-gpu", "TrainingRuntime")
    # They ignore keys they don't know: only what comes back the same was understood.
    assert models.TrainerV1alpha1TrainingRuntime.from_dict(runtime).to_dict() == runtime


def test_the_training_runtime_is_one_that_the_controller_knows_as_torch() -> None:
    (runtime,) = of_kind("cloud-gpu", "TrainingRuntime")
    assert runtime["metadata"]["name"] == "reenact-torch"
    assert runtime["metadata"]["labels"]["trainer.kubeflow.org/framework"] == "torch"
    assert runtime["spec"]["mlPolicy"] == {"numNodes": 1, "torch": {}}
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    assert node["name"] == "node"
    assert node["template"]["metadata"]["labels"]["trainer.kubeflow.org/trainjob-ancestor-step"] == "trainer"
    (container,) = node["template"]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "node"
    shm = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}["/dev/shm"]
    volumes = {volume["name"]: volume for volume in node["template"]["spec"]["template"]["spec"]["volumes"]}
    assert volumes[shm]["emptyDir"]["medium"] == "Memory"


@each_overlay
def test_the_namespace_is_held_to_the_restricted_standard(overlay: str) -> None:
    labels = named(overlay, "Namespace", "reenact")["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def assert_restricted(what: str, template: dict[str, Any]) -> None:
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True, what
    assert spec["securityContext"]["runAsUser"] > 0, what
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, what
    assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), what
    for volume in spec.get("volumes", []):
        kinds = {"emptyDir", "persistentVolumeClaim", "projected", "configMap", "secret"}
        assert set(volume) - {"name"} <= kinds, (what, volume)
    for container in containers(template):
        held = container["securityContext"]
        assert held["allowPrivilegeEscalation"] is False, (what, container["name"])
        assert held["capabilities"] == {"drop": ["ALL"]}, (what, container["name"])
        assert "privileged" not in held, (what, container["name"])


@each_overlay
def test_every_pod_keeps_the_restricted_standard(overlay: str) -> None:
    for what, _, template in pod_templates(overlay):
        assert_restricted(what, template)


@each_overlay
def test_every_container_states_what_it_needs(overlay: str) -> None:
    for what, _, template in pod_templates(overlay):
        for container in containers(template):
            resources = container["resources"]
            assert set(resources["requests"]) >= {"cpu", "memory"}, (what, container["name"])
            assert "memory" in resources["limits"], (what, container["name"])


@each_overlay
def test_every_image_is_pinned(overlay: str) -> None:
    for what, _, template in pod_templates(overlay):
        for container in containers(template):
            _, colon, tag = container["image"].rpartition("/")[2].partition(":")
            assert "@sha256:" in container["image"] or (colon and tag != "latest"), (what, container["image"])


@each_overlay
def test_only_pods_that_need_the_kubernetes_api_hold_a_token(overlay: str) -> None:
    for what, _, template in pod_templates(overlay):
        assert template["spec"]["automountServiceAccountToken"] is False, what
    accounts = {one["metadata"]["name"]: one for one in of_kind(overlay, "ServiceAccount")}
    with_token = {name for name, one in accounts.items() if one.get("automountServiceAccountToken") is not False}
    assert with_token == {"reenact-pipeline"}


@each_overlay
def test_no_secret_lies_in_the_files(overlay: str) -> None:
    assert not of_kind(overlay, "Secret")
    plain = re.compile("password|secret|token|access_?key", re.IGNORECASE)
    for what, _, template in pod_templates(overlay):
        for container in containers(template):
            for one in container.get("env", []):
                if plain.search(one["name"]):
                    assert "valueFrom" in one, (what, one["name"])
    for document in of_kind(overlay, "ConfigMap"):
        assert not [key for key in document["data"] if plain.search(key)], label(document)


@each_overlay
def test_every_secret_is_one_that_the_example_says_how_to_make(overlay: str) -> None:
    example = (ROOT / "k8s/secrets.example").read_text()
    made = {
        found[1]: set(re.findall(r"--from-literal=(\w+)=", found[0]))
        for found in re.finditer(r"create secret generic (\S+) .*", example)
    }
    used = [reference for _, _, template in pod_templates(overlay) for reference in values_of(template, "secretKeyRef")]
    assert used
    for reference in used:
        assert reference["key"] in made[reference["name"]]
    for document in compiled():
        for reference in [one for found in values_of(document, "secretAsEnv") for one in found]:
            keys = {one["secretKey"] for one in reference["keyToEnv"]}
            assert keys <= made[reference["secretName"]], reference


@each_overlay
def test_what_the_compiled_pipelines_and_the_settings_name_is_there(overlay: str) -> None:
    settings, place = ClusterSettings(), STEPS[overlay]
    assert settings.service_account in names(overlay, "ServiceAccount", place)
    assert settings.volume in names(overlay, "PersistentVolumeClaim", place)
    for document in compiled():
        for reference in [one for found in values_of(document, "configMapAsEnv") for one in found]:
            maps = {one["metadata"]["name"]: one["data"] for one in of_kind(overlay, "ConfigMap")}
            keys = {one["configMapKey"] for one in reference["keyToEnv"]}
            assert set(maps[reference["configMapName"]]) <= keys, "a key of the config map reaches no step"


@each_overlay
def test_every_volume_and_config_map_of_a_pod_is_in_its_namespace(overlay: str) -> None:
    for what, namespace, template in pod_templates(overlay):
        claims = {found["claimName"] for found in values_of(template, "persistentVolumeClaim")}
        assert claims <= names(overlay, "PersistentVolumeClaim", namespace), what
        maps = {found["name"] for found in values_of(template, "configMapRef")}
        assert maps <= names(overlay, "ConfigMap", namespace), what
        account = template["spec"].get("serviceAccountName", "default")
        assert account in names(overlay, "ServiceAccount", namespace) | {"default"}, what


@each_overlay
def test_roles_name_every_right_and_are_bound_to_an_account_that_is_there(overlay: str) -> None:
    assert not of_kind(overlay, "ClusterRole", "ClusterRoleBinding")
    for role in of_kind(overlay, "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], label(role)
            if "secrets" in rule["resources"]:
                assert rule["resourceNames"], "every secret of the namespace would be open"
                assert rule["verbs"] == ["get"]
            # Who may make pods or enter them may do all that any account of the namespace may.
            assert not {"pods/exec", "pods/attach"} & set(rule["resources"]), label(role)
            assert not ("pods" in rule["resources"] and "create" in rule["verbs"]), label(role)
    for binding in of_kind(overlay, "RoleBinding"):
        namespace = binding["metadata"]["namespace"]
        assert binding["roleRef"]["name"] in names(overlay, "Role", namespace)
        for subject in binding["subjects"]:
            assert subject["namespace"] == namespace
            assert subject["name"] in names(overlay, "ServiceAccount", namespace)


@each_overlay
def test_selectors_find_their_pods(overlay: str) -> None:
    pods = [(namespace, template["metadata"]["labels"]) for _, namespace, template in pod_templates(overlay)]
    for document in of_kind(overlay, "Deployment", "StatefulSet"):
        assert selects(document["spec"]["selector"], document["spec"]["template"]["metadata"]["labels"])
    for service in of_kind(overlay, "Service"):
        home = service["metadata"]["namespace"]
        found = [
            labels
            for where, labels in pods
            if where == home and selects({"matchLabels": service["spec"]["selector"]}, labels)
        ]
        assert len(found) == 1, label(service)
        ports = {
            port["name"]
            for _, where, template in pod_templates(overlay)
            if where == home and template["metadata"]["labels"] in found
            for container in containers(template)
            for port in container.get("ports", [])
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, label(service)


@each_overlay
def test_mlflow_lets_in_the_names_it_is_called_by_with_port_and_without(overlay: str) -> None:
    (settings,) = [
        one for one in of_kind(overlay, "ConfigMap") if one["metadata"]["name"].startswith("mlflow-settings")
    ]
    allowed = settings["data"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    (service,) = [one for one in of_kind(overlay, "Service") if one["metadata"]["name"] == "mlflow"]
    home, port = service["metadata"]["namespace"], service["spec"]["ports"][0]["port"]
    for name in ("mlflow", f"mlflow.{home}", f"mlflow.{home}.svc", f"mlflow.{home}.svc.cluster.local", "localhost"):
        assert name in allowed
        assert f"{name}:{port}" in allowed
    assert not [name for name in allowed if "*" in name]
    (steps,) = [one for one in of_kind(overlay, "ConfigMap") if one["metadata"]["name"] == "reenact"]
    assert steps["metadata"]["namespace"] == STEPS[overlay]
    assert steps["data"]["tracking_uri"].removeprefix("http://") in allowed


@each_overlay
def test_mlflow_is_not_told_its_port_by_its_own_service(overlay: str) -> None:
    # A service `mlflow` gives pods MLFLOW_PORT=tcp://..., which is the server's own setting for --port.
    spec = named(overlay, "Deployment", "mlflow")["spec"]["template"]["spec"]
    assert spec["enableServiceLinks"] is False


def test_the_refresh_shows_a_token_that_only_kubeflow_pipelines_takes() -> None:
    job = named("cloud-gpu", "Job", "register-refresh")["spec"]["template"]["spec"]
    (container,) = job["containers"]
    assert container["command"] == ["reenact", "pipelines", "schedule"]
    # The token is for Kubeflow Pipelines and nobody else, and lies where the command is told.
    (token,) = [one["projected"]["sources"][0]["serviceAccountToken"] for one in job["volumes"] if "projected" in one]
    assert token["audience"] == "pipelines.kubeflow.org"
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert f"--token-file={mounts['token']}/{token['path']}" in container["args"]


@each_overlay
def test_the_settings_of_an_overlay_are_settings_and_name_its_images_and_its_namespace(overlay: str) -> None:
    folder = ROOT / "k8s/overlays" / overlay
    told = yaml.safe_load((folder / "cluster.yaml").read_text())
    settings = ClusterSettings.parse(told, where="cluster")
    replaced = yaml.safe_load((folder / "kustomization.yaml").read_text())["images"]
    images = {f"reenact-{role}": name for role, name in settings.images.plain().items()}
    assert images == {one["name"]: f"{one.get('newName', one['name'])}:{one['newTag']}" for one in replaced}
    assert settings.namespace == STEPS[overlay]
    hard = named(overlay, "ResourceQuota", "reenact")["spec"]["hard"]
    if STEPS[overlay] == "reenact":
        assert settings.gpus <= int(hard["requests.nvidia.com/gpu"])


def test_the_guide_names_every_overlay_secret_and_setting_that_has_to_be_filled_in() -> None:
    guide = (ROOT / "docs/kubernetes.md").read_text()
    for overlay in OVERLAYS:
        assert f"k8s/overlays/{overlay}" in guide
    for secret in re.findall(r"create secret generic (\S+)", (ROOT / "k8s/secrets.example").read_text()):
        assert secret in guide
    for file in re.findall(r"`(k8s/[^`* ]+)`", guide):
        assert (ROOT / file).exists(), file


def test_the_volume_is_made_ready_for_the_user_and_at_the_place_of_the_steps() -> None:
    spec = named("cloud-gpu", "Job", "prepare-volume")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (mount,) = container["volumeMounts"]
    for document in compiled():
        for held in values_of(document, "securityContext"):
            assert spec["securityContext"]["fsGroup"] == int(held["runAsGroup"]) == int(held["runAsUser"])
        for mounts in values_of(document, "pvcMount"):
            assert mount["mountPath"] in {one["mountPath"] for one in mounts}
    made = [word for word in container["command"] if word.startswith("/")]
    assert made
    assert all(word.startswith(f"{mount['mountPath']}/") for word in made)


def test_the_pod_to_look_with_keeps_the_standard_too() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    look = yaml.safe_load((ROOT / "k8s/look.yaml").read_text())
    kubernetes_validate.validate(look, KUBERNETES, strict=True)
    assert_restricted("look", look)


def test_the_doctor_stands_where_a_step_would() -> None:
    """Same user, volume, network policies, and every variable that steps get from settings and secrets."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    from pipelines.pods import CONFIG, SECRETS, USER

    from reenact.cluster.pod import WORK

    job = yaml.safe_load((ROOT / "k8s/doctor.yaml").read_text())
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    template = job["spec"]["template"]
    assert_restricted("doctor", template)
    spec, (container,) = template["spec"], template["spec"]["containers"]
    assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == USER
    assert {WORK, "/tmp", "/dev/shm"} == {mount["mountPath"] for mount in container["volumeMounts"]}
    assert "reenact.dev/pipeline" in template["metadata"]["labels"], "the policies of steps go by this label"
    told = {one["name"]: next(iter(one["valueFrom"].values())) for one in container["env"]}
    for secret, keys in SECRETS.items():
        for key, name in keys.items():
            assert (told[name]["name"], told[name]["key"]) == (secret, key)
    for key in ("tracking_uri", "s3_endpoint", "region"):
        assert (told[CONFIG[key]]["name"], told[CONFIG[key]]["key"]) == ("reenact", key)
    assert all(one["optional"] for one in told.values())


def test_what_a_train_job_patches_leaves_the_runtimes_pods_restricted_and_selected() -> None:
    from reenact.cluster.trainjob import Place, train_job

    place = Place(image="x", nodes=2, gpus=1, accelerator="nvidia.com/gpu", deadline=60, claim=ClusterSettings().volume)
    job = train_job(place, run="1", branch="a-b-0", step={}, file=ROOT / "job.json", namespace="reenact")
    (patch,) = job["spec"]["runtimePatches"]
    (patched,) = patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
    pod = patched["template"]["spec"]["template"]
    ((_, _, template),) = [one for one in pod_templates("cloud-gpu") if one[0].startswith("TrainingRuntime")]
    # Whether it is merged into the runtime's or stands in its place.
    assert pod["spec"]["securityContext"].items() <= template["spec"]["securityContext"].items()
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not set(pod["metadata"]["labels"]) & set(template["metadata"]["labels"])
    assert pod["spec"]["serviceAccountName"] == template["spec"]["serviceAccountName"]
