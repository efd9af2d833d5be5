"""The settings file: complete, strict, overlaid in order."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from reenact.config import Settings
from reenact.errors import SettingsError
from reenact.evaluation.rule import ChooseSettings
from reenact.params import BLOCKS, PROFILED, parse, read_raw, settings_class

PARAMS = Path(__file__).parent.parent / "params.yaml"


def load(path: Path = PARAMS, **how: Any) -> Any:
    return parse(read_raw(path, **how))


def changed(tmp_path: Path, text: str) -> Path:
    """The project's file with a block's text appended or replaced."""
    raw = {**yaml.safe_load(PARAMS.read_text()), **yaml.safe_load(text)}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@pytest.mark.parametrize("profile", ["demo", "showcase", "paper"])
def test_every_profile_reads(profile: str) -> None:
    params = load(profile=profile)
    assert params.profile == profile
    assert set(params.blocks) == set(BLOCKS)


def test_demo_is_the_file_as_it_stands() -> None:
    raw = yaml.safe_load(PARAMS.read_text())
    plain = load(profile="demo").plain()
    for block in BLOCKS:
        assert plain[block] == (raw[block] or {}), block


def test_every_setting_stands_in_the_file() -> None:
    raw = yaml.safe_load(PARAMS.read_text())

    def missing(model: type[Settings], values: Any, where: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if name not in (values or {}):
                found.append(f"{where}.{name}")
            elif isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
                found += missing(field.annotation, values[name], f"{where}.{name}")
        return found

    assert [name for block in BLOCKS for name in missing(settings_class(block), raw[block], block)] == []


def test_every_profile_names_every_block_that_dvc_tracks() -> None:
    raw = yaml.safe_load(PARAMS.read_text())
    for name, profile in raw["profiles"].items():
        assert set(profile) == set(PROFILED), name


def test_no_profile_says_how_pods_are_asked_for(tmp_path: Path) -> None:
    path = changed(tmp_path, "profiles: {demo: {cluster: {gpus: 8}}}")
    with pytest.raises(SettingsError, match=r"profiles\.demo\.cluster"):
        load(path)


def test_block_then_profile_then_override(tmp_path: Path) -> None:
    profiles = {"demo": {}, "other": {"train": {"samples": 7, "batch": 3}}}
    path = changed(tmp_path, yaml.safe_dump({"train": {"samples": 5, "size": 32}, "profiles": profiles}))
    assert load(path).plain()["train"]["samples"] == 5
    train = load(path, profile="other", overrides=["train.samples=9"]).plain()["train"]
    assert (train["samples"], train["batch"], train["size"]) == (9, 3, 32)
    assert load(path, overrides=["profile=other"]).plain()["train"]["samples"] == 7


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "0.1e-3", "+1.e-4", "0.0001"])
def test_rates_may_be_written_as_people_write_them(text: str) -> None:
    assert load(overrides=[f"systems.cgan.learning_rate={text}"]).plain()["systems"]["cgan"]["learning_rate"] == 1e-4


def test_override_reaches_deep_settings() -> None:
    params = load(overrides=["systems.cgan.weights.pixel=0.5", "fanout.seeds=[3, 4]", "runtime.device=cpu"])
    assert params.plain()["systems"]["cgan"]["weights"]["pixel"] == 0.5
    assert [branch["seed"] for branch in params.branches()] == [3, 4, 3, 4]
    assert params.runtime.device == "cpu"


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("train.sampels=5", ("train.sampels", '"samples"')),
        ("trian.samples=5", ("trian", '"train"')),
        ("extract_frames.detect.min_fase=5", ("extract_frames.detect.min_fase", '"min_face"')),
        ("systems.cgam.width=5", ("systems.cgam", '"cgan"')),
        ("systems.cgan.widht=5", ("systems.cgan.widht", '"width"')),
        ("systems.cgan.weights.pixle=5", ("pixle", '"pixel"')),
        ("fanout.variants=[ful]", ("ful", '"full"')),
        ("fanout.systems=[cgn]", ("cgn", '"cgan"')),
        ("profile=demoo", ("demoo", '"demo"')),
        ("train.samples=many", ("train.samples", "many")),
        ("train.samples", ("block.key=value",)),
        ("cluster=", ("cluster=", "nothing")),
        ("fanout.seeds=[]", ("fanout", "seeds")),
        ("fanout.seeds=[-1]", ("fanout.seeds",)),
        ("fanout.variants=[full, full]", ("variants", "once")),
        ("fanout.variants=full", ("fanout.variants", "a list", "full")),
        ("profiles.demo.train.samples=3", ("profiles.demo.train.samples",)),
        ("runtime.threads=0", ("runtime.threads",)),
        ("runtime.device=gpu", ("runtime.device", "cuda:N", "gpu")),
        ("runtime.precision=64", ("runtime.precision", "bf16-mixed")),
        ("extract_frames.size=0", ("extract_frames.size",)),
        ("extract_frames.crop_scale=.inf", ("extract_frames.crop_scale",)),
        ("extract_frames.detect.every=0", ("extract_frames.detect.every",)),
        ("label_landmarks.enlarge_to=0", ("label_landmarks.enlarge_to",)),
        ("validate_data.critical.min_found=3", ("validate_data.critical.min_found",)),
        ("validate_data.split.test=0.9", ("validate_data.split", "nothing to train on")),
        ("evaluate.batch=0", ("evaluate.batch",)),
        ("cluster.gpu=2", ("cluster.gpu", '"gpus"')),
        ("cluster.gpus=-1", ("cluster.gpus",)),
        ("cluster.nodes=0", ("cluster.nodes",)),
        ("cluster.train.memory=24GB", ("cluster.train.memory", "8Gi", "24GB")),
        ("cluster.train.cpu=two", ("cluster.train.cpu", "500m")),
        ("cluster.train.memory=96", ("cluster.train.memory", "8Gi", "96")),
        ("cluster.train.cpu=true", ("cluster.train.cpu", "True")),
        ("cluster.volume=Work_1", ("cluster.volume", "Work_1")),
        ("cluster.host=kubeflow.example", ("cluster", "http://")),
        ("cluster.images.train=reenact-train:latest", ("cluster.images", "latest")),
        ("cluster.tolerations=[{kye: a}]", ("cluster.tolerations", '"key"')),
        ("cluster.tolerations=[{operator: Exists, effect: Never}]", ("effect", "NoSchedule")),
        ("cluster.node_selector={pool: [a]}", ("cluster.node_selector",)),
        ("cluster.deadline_hours=0.0", ("cluster.deadline_hours",)),
        ("cluster.deadline_hours=336", ("cluster.deadline_hours",)),  # its pod would be ended first
        ("cluster.data_remote=/mnt/data", ("cluster.data_remote", "s3://")),
        ("compare.choose.metric=pose", ("compare.choose.metric", "pose_angle")),
    ],
)
def test_a_mistake_is_named_with_the_nearest_known_word(override: str, names: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as caught:
        load(overrides=[override])
    for name in names:
        assert name in str(caught.value)


def test_the_winner_can_be_chosen_by_every_metric() -> None:
    from reenact.evaluation.metrics.catalogue import METRICS

    for name in METRICS:
        assert load(overrides=[f"compare.choose.metric={name}"]).blocks["compare"].choose.metric == name
    (names,) = [field.annotation for key, field in ChooseSettings.model_fields.items() if key == "metric"]
    assert set(get_args(names)) == set(METRICS)


def test_unknown_block_of_a_profile_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, "profiles: {demo: {trein: {samples: 3}}}")
    with pytest.raises(SettingsError, match=r'profiles\.demo\.trein.*"train"'):
        load(path)


def test_a_profile_cannot_choose_the_videos(tmp_path: Path) -> None:
    # DVC reads fetch_data.videos from the block itself: a profile's would be ignored there.
    path = changed(tmp_path, "profiles: {demo: {fetch_data: {videos: /elsewhere}}}")
    with pytest.raises(SettingsError, match="videos"):
        load(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [\n", "train: 5\n"])
def test_a_file_that_is_no_settings_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"params\.yaml"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("block", ["extract_frames", "label_landmarks", "label_actions"])
def test_a_backend_that_there_is_not_is_said_before_anything_is_run(block: str) -> None:
    slip, meant = {"label_actions": ("opnface", "openface")}.get(block, ("dlip", "dlib"))
    with pytest.raises(SettingsError, match=rf'{block}\.backend: no backend "{slip}"; did you mean "{meant}"'):
        load(overrides=[f"{block}.backend={slip}"])


def test_amounts_of_pods_may_be_numbers_as_the_shell_leaves_them() -> None:
    found = load(overrides=["cluster.train.cpu=4", "cluster.data.cpu=0.5", "cluster.tools.memory=512Mi"])
    cluster = found.blocks["cluster"]
    assert (cluster.train.cpu, cluster.data.cpu, cluster.tools.memory) == ("4", "0.5", "512Mi")
