"""The steps `drift` and `rescore` against a real registry: what is a need, and what is none, night after night."""

import json

import numpy as np
import pandas as pd
import pytest

from evaluation_corpus import write_corpus
from reenact.atomic import write_json
from reenact.config import Runtime
from reenact.corpus.frame_tables import FrameTable
from reenact.corpus.shards import read_stage, write_stage
from reenact.corpus.tables import FORMAT
from reenact.errors import BadInput
from reenact.evaluation.profile import PROFILE, make_profile
from reenact.review.settings import GateSettings, RescoreSettings
from reenact.stages.drift import DriftSettings, drift
from reenact.stages.evaluate import EvaluateSettings, PairSettings
from reenact.stages.gate import gate
from reenact.stages.rescore import rescore
from reenact.stages.result import StageResult
from reenact.steps import STEPS, code_hash
from reenact.tracking.registry import RegistrySettings
from registered_versions import add_version, weights_folder
from test_compare import Lazy
from test_protocols import Mover

pytest_plugins = ["registry_fixtures"]
# MLflow's database is made once.
pytestmark = [pytest.mark.xdist_group("registered_versions"), pytest.mark.usefixtures("drawn")]

DRAWERS = {"mover": Mover, "lazy": Lazy, "mover that became lazy": Mover}  # by what a version's weights are
COUNTS = PairSettings(sources=1, self_pairs=6, cross_pairs=2, lsim=1, sequences=0)
EVALUATE = EvaluateSettings(val=COUNTS, test=COUNTS, bootstrap=50, samples=2, judge_size=64, cache="")
RULES = {"metrics": {"pose_angle": {"protocol": "self", "effect": 0.5}}, "alarms": []}
RUNTIME = Runtime(threads=1, device="cpu")


def profile(people=14, *, yaw=0.0):
    """Of made-up frames: as many people, a head turned by so much."""
    rng = np.random.default_rng(people)
    table = pd.DataFrame({
        "clip": np.repeat([f"clip {n}" for n in range(people)], 30), "found": True,
        "yaw": np.repeat(rng.normal(0.0, 8.0, people), 30) + rng.normal(0.0, 3.0, 30 * people) + yaw,
    })  # fmt: skip
    names = {f"clip {n}": f"person {n}" for n in range(people)}
    return make_profile([FrameTable((("shard", len(table)),), table)], names)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("refresh-corpus"))


@pytest.fixture
def version(client, model, tmp_path, folders, tracking):
    """Register a version whose training left a profile; as the champion, with what the gate attaches, where asked."""

    def made(name, trained_on=None, *, champion=False):
        number = add_version(client, model, tmp_path / "models", weights=name.encode(), gate="")
        if trained_on is not None:
            write_json(tmp_path / PROFILE, trained_on.plain())
            client.log_artifact(client.get_model_version(model, number).run_id, str(tmp_path / PROFILE), "train")
        if champion:
            registered = tmp_path / "registered"
            write_json(registered / "version.json", {"model": model, "version": number})
            write_stage(registered, kind="registered", model=model, version=number)
            gate(**folders, registered=registered, guide=tmp_path, out=tmp_path / "gate", tracking=tracking,
                 settings=GateSettings.parse(RULES, where="gate"), evaluate=EVALUATE,
                 registry=RegistrySettings(model=model), runtime=RUNTIME)  # fmt: skip
            client.set_registered_model_alias(model, "champion", number)
        return number

    return made


@pytest.fixture
def compared(tmp_path, model, tracking):
    """Hold data against the champion's training: (what the stage returned, drift.json)."""

    def asked(now, **limits):
        validated, out = tmp_path / "validated", tmp_path / "drift"
        write_json(validated / PROFILE, now.plain())
        write_stage(validated, kind="validated")
        settings = DriftSettings.parse({"repeats": 200, **limits}, where="drift")
        result = drift(validated=validated, out=out, settings=settings, tracking=tracking,
                       registry=RegistrySettings(model=model))  # fmt: skip
        return result, json.loads((out / "drift.json").read_text())

    return asked


@pytest.fixture
def decide(compared, folders, model, tracking, tmp_path):
    """Drift, then the champion scored again: (what the stage returned, decision.json)."""

    def asked(now, **limits):
        compared(now, **limits)
        out = tmp_path / "rescored"
        result = rescore(**folders, drift=tmp_path / "drift", out=out, tracking=tracking, runtime=RUNTIME,
                         settings=RescoreSettings.parse(RULES, where="rescore"), evaluate=EVALUATE,
                         registry=RegistrySettings(model=model))  # fmt: skip
        return result, json.loads((out / "decision.json").read_text())

    return asked


def test_without_a_champion_a_model_is_needed_and_nothing_is_scored(decide, tmp_path, model):
    result, decision = decide(profile())
    assert result.counts["needed"] == 1
    assert decision["reasons"] == [f'"{model}" has no champion']
    assert not (tmp_path / "rescored" / "champion").exists()
    assert "there is no champion" in (tmp_path / "drift" / "drift.html").read_text()


def test_the_same_data_and_a_healthy_champion_need_nothing_night_after_night(decide, version):
    version("mover", profile(), champion=True)
    for _ in range(2):
        result, decision = decide(profile())
        assert result.counts["needed"] == 0
        assert (decision["reasons"], decision["notes"]) == ([], [])
        assert {line["loss"] for line in decision["figures"]} == {0.0}, "the same pairs, the same figures"
        assert {line["chance"] for line in decision["figures"]} == {0.0}, "known as the same by what the gate attached"


def test_other_data_is_a_need_with_its_sentence_and_pages(decide, compared, version, tmp_path):
    version("mover", profile(), champion=True)
    result, found = compared(profile(yaw=30.0))
    assert result.counts == {"needed": 1.0, "columns": 3.0, "drifted": 2.0}
    assert found["drift"]["columns"][0]["name"] == "yaw"
    for file in ("drift.md", "drift.html"):
        assert "yaw has moved" in (tmp_path / "drift" / file).read_text()
    assert read_stage(tmp_path / "drift", kind="drift")["needed"] is True
    result, decision = decide(profile(yaw=30.0))
    assert result.counts["needed"] == 1
    assert decision["reasons"][0].startswith("yaw has moved")
    assert "# A new model is needed" in (tmp_path / "rescored" / "decision.md").read_text()


def test_a_need_that_a_later_version_answers_is_none_any_more(decide, version, client, model):
    version("mover", profile(), champion=True)
    later = version("lazy", profile(yaw=30.0))
    result, decision = decide(profile(yaw=30.0))
    assert result.counts["needed"] == 0
    assert decision["answered"]["version"] == later
    assert f"version {later} was trained on data like this already" in " ".join(decision["notes"])
    assert decide(profile(yaw=-30.0))[0].counts["needed"] == 1, "data that nobody was trained on"
    client.delete_registered_model_alias(model, "champion")
    assert decide(profile(yaw=30.0))[0].counts["needed"] == 0, "nobody was promoted; training again changes nothing"


def test_a_champion_without_profile_is_unknown_and_no_need_unless_asked_for(decide, version):
    version("mover", champion=True)
    result, decision = decide(profile())
    assert result.counts["needed"] == 0
    assert "left no profile" in decision["notes"][0]
    result, decision = decide(profile(), without_profile=True)
    assert result.counts["needed"] == 1
    assert "left no profile" in decision["reasons"][0]


def test_a_champion_that_draws_worse_than_at_the_gate_is_a_need(decide, version, monkeypatch):
    version("mover that became lazy", profile(), champion=True)
    monkeypatch.setitem(DRAWERS, "mover that became lazy", Lazy)
    result, decision = decide(profile())
    assert result.counts["needed"] == 1
    assert decision["reasons"][0].startswith("pose_angle on self")
    assert decision["figures"][0]["worse"]


def test_a_champion_that_was_never_gated_has_nothing_to_be_held_against(decide, version, client, model):
    client.set_registered_model_alias(model, "champion", version("mover", profile()))
    result, decision = decide(profile())
    assert result.counts["needed"] == 0
    assert "attached nothing" in decision["notes"][0]


def test_a_champion_that_cannot_be_scored_is_a_need(decide, version, client, model):
    number = version("mover", profile(), champion=True)
    (weights_folder(client, model, number) / "model.safetensors").write_bytes(b"lazy")
    result, decision = decide(profile())
    assert result.counts["needed"] == 1
    assert f"version {number} can't be scored any more" in decision["reasons"][0]


@pytest.mark.parametrize("needed", [True, False])
def test_the_component_hands_the_decision_on_as_a_bool(tmp_path, monkeypatch, needed):
    from components.rescore import rescore as component
    from kfp import dsl

    def run_step(stage, *, out, folders, **_):
        assert set(folders) == set(STEPS[stage].inputs)
        write_json(out / "decision.md", "")
        return StageResult(stage=stage, counts={"needed": float(needed)})

    monkeypatch.setattr("reenact.component.run_step", run_step)
    names = ("drifted", "videos", "frames", "landmarks", "actions", "segments", "validated")
    artifacts = {name: dsl.Artifact(uri=str(tmp_path / name)) for name in (*names, "rescored", "decision")}
    told, metrics = json.dumps({"code": code_hash("rescore")}), dsl.Metrics(uri=str(tmp_path / "metrics"))
    found = component.python_func(told=told, results="", metrics=metrics, **artifacts)
    assert found is needed


def test_what_is_no_record_of_drift_is_refused(decide, tmp_path, folders, tracking, model):
    write_stage(tmp_path / "drift", kind="drift")
    (tmp_path / "drift" / "drift.json").write_text(json.dumps({"format": FORMAT}))
    with pytest.raises(BadInput, match="drift again"):
        rescore(**folders, drift=tmp_path / "drift", out=tmp_path / "out", tracking=tracking, runtime=RUNTIME,
                settings=RescoreSettings(), evaluate=EVALUATE, registry=RegistrySettings(model=model))  # fmt: skip
