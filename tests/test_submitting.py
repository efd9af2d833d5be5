"""What a submission is made of, and what is refused before anything is sent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_api import kfp_api, misgiven, misread
from reenact.cluster.arguments import RESULTS, pipeline_arguments
from reenact.cluster.local_files import FILES, setting, texts
from reenact.cluster.pod import WORK
from reenact.cluster.schedules import Schedule
from reenact.cluster.submitting import Submission, labelled, prepare, read_compiled
from reenact.errors import SettingsError, StorageError
from submitted_pipelines import compiled, settings
from tiny_project import ROOT


@pytest.fixture
def submit(tmp_path: Path):
    """Prepare a submission of the training pipeline with these overrides."""
    folder = compiled(tmp_path / "compiled")

    def prepared(*overrides: str, **more: Any) -> Submission:
        return prepare(settings(*overrides), pipeline="training", compiled=folder, here=tmp_path, **more)

    return prepared


def test_the_body_is_one_that_the_servers_own_model_reads(submit) -> None:
    body = submit().body("some-id")
    assert misread(body, "V2beta1Run") == ""
    assert misread({**body, "displayname": "x"}, "V2beta1Run") == "V2beta1Run has no displayname"
    assert body["service_account"] == "reenact-pipeline"
    assert misgiven(body) == ""
    assert body["runtime_config"]["parameters"]["results"] == RESULTS == "/reenact/runs/{run}"


def test_what_stages_are_told_goes_into_the_specification_since_arguments_may_not_be_long(submit) -> None:
    made = submit("train.samples=7")
    body = made.body("x")
    assert max(len(str(value)) for value in body["runtime_config"]["parameters"].values()) < 300
    asked = body["pipeline_spec"]["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
    given = {name: told["defaultValue"] for name, told in asked.items() if "defaultValue" in told}
    assert {**given, **body["runtime_config"]["parameters"]} == made.arguments
    assert len(replace(made, description="x" * 999).body("x")["description"]) == 255


@pytest.mark.parametrize(
    ("videos", "recurring", "cached"),
    [
        ("s3://bucket/new", False, False),  # without credentials, or anybody to ask
        ("/reenact/incoming", False, False),
        ("/reenact/incoming", True, False),
        (f"dvc+s3://bucket/faces?md5={'a' * 32}.dir", False, True),
        ("", False, True),
    ],
)
def test_a_source_without_a_version_is_fetched_anew_by_each_run_and_never_looked_at_from_here(
    tmp_path: Path, videos: str, recurring: bool, cached: bool
) -> None:
    given, folder = settings(f"fetch_data.videos={json.dumps(videos)}"), ROOT / "pipelines" / "compiled"
    made = prepare(given, pipeline="training", compiled=folder, here=tmp_path, recurring=recurring)
    tasks = made.spec["pipeline_spec"]["root"]["dag"]["tasks"]
    assert tasks["fetch-data"]["cachingOptions"] == ({"enableCache": True} if cached else {})
    assert tasks["extract-frames"]["cachingOptions"] == {"enableCache": True}
    assert ("contents" in json.loads(made.arguments["fetch_data_told"])) == (cached and bool(videos))


def test_both_documents_are_sent_with_the_images_of_the_settings(submit) -> None:
    spec = submit("cluster.images.train=ghcr.example/me/reenact-train@sha256:abc", "cluster.images.data=mine:7").spec
    images = [one["container"]["image"] for one in spec["pipeline_spec"]["deploymentSpec"]["executors"].values()]
    assert images == ["mine:7", "ghcr.example/me/reenact-train@sha256:abc", "reenact-tools:0.1.0", "alpine:3"]
    assert set(spec) == {"pipeline_spec", "platform_spec"}


def test_every_pod_says_where_its_run_comes_from_and_keeps_its_own_labels(submit, monkeypatch) -> None:
    monkeypatch.setenv("REENACT_GIT_COMMIT", "0123456789abcdef")
    platform = submit().spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert sorted(platform) == ["exec-0", "exec-1", "exec-2", "exec-3"]
    labels = [one["podMetadata"]["labels"] for one in platform.values()]
    assert labels[0]["reenact.dev/step"] == "fetch"
    assert {one["reenact.dev/commit"] for one in labels} == {"0123456789ab"}
    assert len({one["reenact.dev/settings"] for one in labels}) == 1


def test_trainings_name_who_sent_them_and_a_schedule_stays_whoever_looks_at_it(submit) -> None:
    made = submit(trainer="Ana Lyst")
    containers = [one["container"] for one in made.spec["pipeline_spec"]["deploymentSpec"]["executors"].values()]
    assert [one["env"] for one in containers] == [[{"name": "REENACT_TRAINER", "value": "Ana Lyst"}]] * 4
    assert made.description.endswith("by Ana Lyst")
    assert made.fingerprint == submit().fingerprint


def test_a_cluster_asks_for_pods_as_the_settings_say(submit) -> None:
    given = submit("cluster.gpus=2", "cluster.train.memory=64Gi", "cluster.node_selector={pool: a100}").arguments
    assert (given["gpus"], given["train_memory"], given["node_selector"]) == (2, "64Gi", {"pool": "a100"})


def test_names_are_readable_and_differ_with_what_runs(submit, monkeypatch) -> None:
    first, second = submit(), submit("train.samples=7")
    assert first.name.startswith("training-20")
    assert first.name[-6:] != second.name[-6:]
    assert first.fingerprint == submit().fingerprint
    monkeypatch.setenv("REENACT_GIT_COMMIT", "fedcba9876543210")
    assert submit().fingerprint == first.fingerprint  # the images hold the code, and they are the same
    assert submit().spec != first.spec
    assert submit("cluster.images.train=new:1").fingerprint != first.fingerprint
    assert submit(name="my run").name == "my run"
    with pytest.raises(SettingsError, match="no name for a run"):
        submit(name="../x")


def test_batches_that_processes_can_not_share_are_refused_before_hours_of_labelling(submit) -> None:
    assert submit("train.batch=12", "cluster.gpus=4")
    with pytest.raises(SettingsError, match=r"^train\.batch: 12 .* 8 processes"):
        submit("train.batch=12", "cluster.gpus=4", "cluster.nodes=2")
    with pytest.raises(SettingsError, match=r"^systems\.facegan\.landmark_batch: 31 "):
        submit("train.batch=12", "cluster.gpus=2", "fanout.systems=[facegan]", "fanout.variants=[full]",
               "systems.facegan.landmark_batch=31")  # fmt: skip


PLACES = {  # settings whose names sound like places, and that are none of this machine's, or are put on the volume
    "fetch_data.videos", "fetch_data.exclude", "fetch_data.cache", "evaluate.cache", "evaluate.networks.cache",
    "checkpoints.uri", "tracking.uri", "tracking.artifacts",
}  # fmt: skip
SOUND = {"file", "folder", "cache", "uri", "path", "paths", "pairs", "predictions", "exclude", "videos", "artifacts",
         "root", "directory", "place", "weights_file", "out"}  # fmt: skip


def paths_in_settings() -> set[str]:
    """Settings that hold a path, or would by their name."""
    plain = settings().plain()
    named = set()

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else key)
        elif name.rpartition(".")[2] in SOUND and isinstance(value, str | list):
            named.add(name)

    walk(plain, "")
    written = {name for name, text in texts(plain) if "/" in text and not name.startswith("cluster.")}
    return named | written


def test_every_setting_that_names_a_place_is_known_to_be_refused_or_moved() -> None:
    assert paths_in_settings() == {*FILES, *PLACES}


def test_what_pods_write_lies_on_their_volume_and_runs_are_recorded_at_a_server() -> None:
    given = pipeline_arguments(settings())
    for name, text in texts({key: json.loads(told) for key, told in given.items() if key.endswith("_told")}):
        if name.rpartition(".")[2] in ("cache", "uri", "artifacts") and text:
            assert text.startswith((f"{WORK}/", "http://mlflow:")), name
    kept = pipeline_arguments(settings("checkpoints.uri=s3://b/c", "tracking.uri=https://m.example"))["train_told"]
    assert "s3://b/c" in kept
    assert "https://m.example" in kept


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_this_machine_is_refused(submit, name: str) -> None:
    many = isinstance(setting(settings().plain(), name), list)
    complete = ["train.features.network=vgg19", f"train.features.sha256={'a' * 64}"] if "features" in name else []
    with pytest.raises(SettingsError, match=rf"^{name}: /home/me/x is a file of this machine.*volume"):
        submit(f"{name}={json.dumps(['/home/me/x'] if many else '/home/me/x')}", *complete)


def test_files_on_the_volume_are_taken_and_addresses_advised_where_there_are_any(submit) -> None:
    checksum = f"evaluate.networks.arcface.sha256={'a' * 64}"
    submit("evaluate.networks.arcface.file=/reenact/weights/arcface.onnx", checksum)
    with pytest.raises(SettingsError, match=r"or give its address and checksum \(evaluate.networks.arcface.url\)"):
        submit("evaluate.networks.arcface.file=mine.onnx", checksum)


def test_a_list_of_exclusions_has_to_lie_with_the_data(submit, tmp_path: Path) -> None:
    submit("fetch_data.exclude=leave_out.txt")
    (tmp_path / "leave_out.txt").write_text("a\n")
    with pytest.raises(SettingsError, match="put it into the folder of the data"):
        submit("fetch_data.exclude=leave_out.txt")


def test_passwords_never_become_arguments(submit) -> None:
    with pytest.raises(SettingsError, match=r"^tracking.uri: holds a password") as refused:
        submit("tracking.uri=https://ana:hunter2@mlflow.example")
    assert "hunter2" not in str(refused.value)


def test_a_folder_of_ours_becomes_its_version_in_the_remote(submit, tmp_path: Path, monkeypatch) -> None:
    from reenact.cluster import lock_versions

    asked: list[Any] = []
    version = f"dvc+s3://bucket/dvc?md5={'ab' * 16}.dir"

    def versioned(videos: str, *, repo: Path, allow_dirty: bool, settings: Any) -> str:
        asked.append((videos, repo, allow_dirty))
        return version

    monkeypatch.setattr(lock_versions, "versioned_videos", versioned)
    made = submit("fetch_data.videos=clips", allow_dirty=True)
    assert asked == [("clips", tmp_path, True)]
    assert json.loads(made.arguments["fetch_data_told"])["settings"]["videos"] == version
    labels = made.spec["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-1"]
    assert labels["podMetadata"]["labels"]["reenact.dev/data"] == lock_versions.data_hash(version) != ""
    monkeypatch.setattr(lock_versions, "versioned_videos", lambda videos, **_: videos)
    with pytest.raises(SettingsError, match="pods can't reach clips"):
        submit("fetch_data.videos=clips")
    with pytest.raises(SettingsError, match="pods can't reach dvc://"):
        submit("fetch_data.videos=dvc://https://git.example/faces?path=clips")


def test_a_schedule_takes_what_it_finds_and_no_version(submit) -> None:
    made = submit("fetch_data.videos=s3://bucket/new", name="nightly", recurring=True)
    assert "contents" not in json.loads(made.arguments["fetch_data_told"])  # and nobody was asked what is there
    with pytest.raises(SettingsError, match="every run of a schedule would see the same"):
        submit(f"fetch_data.videos=dvc+s3://b/p?md5={'a' * 32}.dir", name="nightly", recurring=True)


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n", "just text"])
def test_a_file_that_is_no_compiled_pipeline_is_one_sentence(submit, tmp_path: Path, text: str) -> None:
    (tmp_path / "compiled" / "training.yaml").write_text(text)
    with pytest.raises(StorageError, match="make compile"):
        submit()


def test_a_pipeline_compiled_by_another_version_is_refused(tmp_path: Path) -> None:
    folder = compiled(tmp_path, wings={"parameterType": "STRING"})
    with pytest.raises(StorageError, match=r"compiled by another version \(wings\)"):
        prepare(settings(), pipeline="training", compiled=folder, here=tmp_path)
    folder = compiled(tmp_path, wings={"parameterType": "STRING", "defaultValue": "2"})
    prepare(settings(), pipeline="training", compiled=folder, here=tmp_path)
    with pytest.raises(SettingsError, match="there is no such pipeline"):
        prepare(settings(), pipeline="trainng", compiled=folder, here=tmp_path)


def test_the_specification_is_what_kfps_own_client_would_send() -> None:
    from google.protobuf.json_format import ParseDict
    from kfp.client.client import _extract_pipeline_yaml
    from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

    path = ROOT / "pipelines" / "compiled" / "training.yaml"
    theirs, ours = _extract_pipeline_yaml(str(path)), read_compiled(path, images={})
    assert ParseDict(ours["pipeline_spec"], PipelineSpec()) == theirs.pipeline_spec
    assert ParseDict(ours["platform_spec"], PlatformSpec()) == theirs.platform_spec
    pods = labelled(ours, {"reenact.dev/commit": "abc"})["platform_spec"]
    told = ParseDict(pods, PlatformSpec()).platforms["kubernetes"].deployment_spec.executors
    assert {dict(one["podMetadata"]["labels"])["reenact.dev/commit"] for one in told.values()} == {"abc"}


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines" / "compiled").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_compiled_pipeline_takes_what_the_settings_say(path: Path, tmp_path: Path) -> None:
    changed = [f"cluster.images.{role}=elsewhere.example/reenact-{role}:9" for role in ("data", "train", "tools")]
    made = prepare(settings(*changed), pipeline=path.stem, compiled=path.parent, here=tmp_path)
    assert misread(made.body("some-id"), "V2beta1Run") == misgiven(made.body("some-id")) == ""
    images = [one["container"]["image"] for one in made.spec["pipeline_spec"]["deploymentSpec"]["executors"].values()]
    assert [image for image in images if not image.startswith("elsewhere.example/")] == []


@pytest.mark.filterwarnings("ignore")
def test_kfps_own_client_sends_the_same_bodies(submit, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    from kfp import Client

    made = submit(name="tonight")
    ours = made.body("x")
    file = tmp_path / "theirs.yaml"
    file.write_text(yaml.safe_dump_all([ours["pipeline_spec"][key] for key in ("pipeline_spec", "platform_spec")]))
    with kfp_api() as server:
        client = Client(host=server.uri, existing_token=server.token, namespace="faces")
        experiment = client.create_experiment("faces", namespace="faces").experiment_id
        told = {"params": ours["runtime_config"]["parameters"], "service_account": made.service_account}
        client.run_pipeline(experiment, "tonight", str(file), **told)
        client.create_recurring_run(
            experiment, "tonight", cron_expression="0 0 3 * * *", no_catchup=True, pipeline_package_path=str(file),
            **told,
        )  # fmt: skip
        (run,), (recurring,) = server.asked("POST", "runs"), server.asked("POST", "recurringruns")
    assert_same(run, made.body(experiment))
    assert_same(recurring, Schedule(submission=made, cron="0 0 3 * * *").body(experiment, on=True))


def assert_same(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Equal but for what only ours say, and for empty parts of the specification."""
    from google.protobuf.json_format import ParseDict
    from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

    for kind, key in ((PipelineSpec, "pipeline_spec"), (PlatformSpec, "platform_spec")):
        assert ParseDict(theirs["pipeline_spec"][key], kind()) == ParseDict(ours["pipeline_spec"][key], kind())
    plain = {key: str(value) for key, value in ours.items() if key not in ("pipeline_spec", "description")}
    assert {key: str(value) for key, value in theirs.items() if key != "pipeline_spec"} == plain
