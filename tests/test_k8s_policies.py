"""Who may speak to whom by the network policies of the cluster files, worked out by Kubernetes' own rules."""

from typing import Any

from cluster_files import STEPS, compiled, each_overlay, label, of_kind, pod_templates, selects, values_of

# What the pods of a run are labelled with: by Argo all of them, by pipelines/pods.py our steps.
STEP_LABELS = {
    "workflows.argoproj.io/workflow": "training-x",
    "reenact.dev/pipeline": "training",
    "reenact.dev/step": "train",
}
DRIVER_LABELS = {"workflows.argoproj.io/workflow": "training-x"}


def policies_of(overlay: str, namespace: str, labels: dict[str, str]) -> list[dict[str, Any]]:
    return [
        policy
        for policy in of_kind(overlay, "NetworkPolicy")
        if policy["metadata"]["namespace"] == namespace and selects(policy["spec"]["podSelector"], labels)
    ]


def may_reach(overlay: str, source: tuple[str, dict[str, str]], target: tuple[str, dict[str, str]], port: int) -> bool:
    """Whether policies let a connection through: out of the source, and into the target."""

    def let_through(here: tuple[str, dict[str, str]], there: tuple[str, dict[str, str]], way: str, peers: str) -> bool:
        applied = [one for one in policies_of(overlay, *here) if way in one["spec"]["policyTypes"]]
        if not applied:
            return True  # a pod that no policy selects is open
        for rule in [rule for one in applied for rule in one["spec"].get(way.lower(), [])]:
            ports = rule.get("ports")
            if ports and port not in [one["port"] for one in ports]:
                continue
            for peer in rule.get(peers, [None]):
                if peer is None:
                    return True
                if "ipBlock" in peer:
                    continue  # the addresses of pods are not known here; what needs pods names them
                if "namespaceSelector" in peer:
                    space = {"kubernetes.io/metadata.name": there[0]}
                    if not selects(peer["namespaceSelector"], space):
                        continue
                elif here[0] != there[0]:
                    continue
                if selects(peer.get("podSelector", {}), there[1]):
                    return True
        return False

    return let_through(source, target, "Egress", "to") and let_through(target, source, "Ingress", "from")


def pod(overlay: str, name: str) -> tuple[str, dict[str, str]]:
    (found,) = [
        (namespace, template["metadata"]["labels"])
        for _, namespace, template in pod_templates(overlay)
        if template["metadata"]["labels"]["app.kubernetes.io/name"] == name
    ]
    return found


@each_overlay
def test_policies_select_pods_that_there_are(overlay: str) -> None:
    known = [(namespace, template["metadata"]["labels"]) for _, namespace, template in pod_templates(overlay)]
    known += [(STEPS[overlay], STEP_LABELS), (STEPS[overlay], DRIVER_LABELS)]
    # Made by Kubeflow Pipelines' profile controller in a namespace that is a profile.
    known += [("reenact", {"app": "ml-pipeline-ui-artifact"})]
    for policy in of_kind(overlay, "NetworkPolicy"):
        here = policy["metadata"]["namespace"]
        if here == STEPS["cloud-gpu"] and overlay == "local" and policy["metadata"]["name"] == "workflows":
            continue  # runs are elsewhere
        assert any(here == where and selects(policy["spec"]["podSelector"], labels) for where, labels in known), label(
            policy
        )


@each_overlay
def test_who_may_speak_to_whom(overlay: str) -> None:
    step = (STEPS[overlay], STEP_LABELS)
    driver = (STEPS[overlay], DRIVER_LABELS)
    stranger = ("default", {"app": "stranger"})
    mlflow, refresh = pod(overlay, "mlflow"), pod(overlay, "register-refresh")
    dns, api = ("kube-system", {"k8s-app": "kube-dns"}), ("kubeflow", {"app": "ml-pipeline"})
    assert may_reach(overlay, step, mlflow, 5000)
    assert may_reach(overlay, step, api, 8887)
    assert may_reach(overlay, refresh, api, 8888)
    assert may_reach(overlay, driver, api, 8887)
    for one in (step, driver, refresh, mlflow):
        assert may_reach(overlay, one, dns, 53)
    assert not may_reach(overlay, stranger, mlflow, 5000)
    assert not may_reach(overlay, refresh, mlflow, 5000)
    assert not may_reach(overlay, step, mlflow, 22)
    assert not may_reach(overlay, mlflow, step, 8080)
    assert not may_reach(overlay, stranger, step, 29500)


def test_only_mlflow_reaches_the_database_and_both_it_and_steps_the_object_store() -> None:
    step, mlflow = ("kubeflow", STEP_LABELS), pod("local", "mlflow")
    postgres, s3 = pod("local", "postgres"), pod("local", "s3")
    assert may_reach("local", mlflow, postgres, 5432)
    assert may_reach("local", mlflow, s3, 9000)
    assert may_reach("local", step, s3, 9000)
    assert not may_reach("local", step, postgres, 5432)
    assert not may_reach("local", s3, postgres, 5432)
    assert not may_reach("local", postgres, s3, 9000)


def test_pods_of_one_training_meet_on_any_port_and_nobody_else_comes_in() -> None:
    training, step = pod("cloud-gpu", "reenact-training"), ("reenact", STEP_LABELS)
    assert may_reach("cloud-gpu", training, training, 29500)
    assert may_reach("cloud-gpu", training, training, 41234)
    assert may_reach("cloud-gpu", training, pod("cloud-gpu", "mlflow"), 5000)
    assert not may_reach("cloud-gpu", step, training, 29500)


def test_the_labels_that_policies_go_by_are_on_every_compiled_step() -> None:
    labels = [one["labels"] for document in compiled() for one in values_of(document, "podMetadata")]
    assert labels
    for one in labels:
        assert "reenact.dev/pipeline" in one
