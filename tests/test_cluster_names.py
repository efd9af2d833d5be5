"""Names for Kubernetes, and the folders of each run."""

import re
from pathlib import Path

import pytest

from reenact.cluster.arguments import pipeline_arguments
from reenact.cluster.names import k8s_name, label_value
from reenact.component import of_this_run
from reenact.errors import SettingsError
from reenact.params import Params, parse, read_raw

PARAMS = Path(__file__).parent.parent / "params.yaml"
TEXTS = ["cgan-full-0", "Cgan_Full.0", "", "---", "x" * 200, "Ünï cödé", "a" * 62 + "-b", "9", "no_features"]


def params(*overrides: str) -> Params:
    return parse(read_raw(PARAMS, overrides=overrides))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("limit", [63, 40, 20])
def test_names_and_labels_are_what_kubernetes_takes(text: str, limit: int) -> None:
    name, label = k8s_name(text, limit), label_value(text, limit)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", label)
    assert max(len(name), len(label)) <= limit


def test_different_texts_stay_different_and_good_ones_as_they_are() -> None:
    assert k8s_name("cgan-full-0") == "cgan-full-0"
    assert label_value("cgan-no_features-0") == "cgan-no_features-0"
    assert label_value("") == ""
    assert len({k8s_name(text) for text in TEXTS}) == len(TEXTS)
    assert k8s_name("x" * 100 + "a") != k8s_name("x" * 100 + "b")
    assert k8s_name("a_b") != k8s_name("a-b")


def test_each_run_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_RUN_ID", "0f-12")
    assert of_this_run("/reenact/runs/{run}") == "/reenact/runs/0f-12"
    assert of_this_run("runs/mine") == "runs/mine"
    monkeypatch.delenv("KFP_RUN_ID")
    assert of_this_run("") == ""
    with pytest.raises(SettingsError, match="KFP_RUN_ID"):
        of_this_run("/reenact/runs/{run}")


def test_a_pipeline_that_there_is_not_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match='"training"'):
        pipeline_arguments(params(), pipeline="trainign")
