"""The step `gate`: both versions are scored again on the test pairs, and the version gets its verdict."""

import pandas as pd
import pytest

from evaluation_corpus import write_corpus
from reenact.atomic import write_json
from reenact.config import Runtime
from reenact.corpus.shards import read_stage, write_stage
from reenact.errors import BadInput, StorageError
from reenact.evaluation.records import read_metrics
from reenact.hashing import hash_file
from reenact.review.history import history
from reenact.review.settings import GateSettings
from reenact.review.verdict import read_verdict
from reenact.stages.evaluate import EvaluateSettings, PairSettings
from reenact.stages.exam import reduced
from reenact.stages.gate import gate
from reenact.tracking.registry import RegistrySettings
from registered_versions import add_version, aliases, tags, weights_folder
from test_compare import Lazy
from test_protocols import Mover

pytest_plugins = ["registry_fixtures"]
# MLflow's database is made once.
pytestmark = [pytest.mark.xdist_group("registered_versions"), pytest.mark.usefixtures("drawn")]

DRAWERS = {"mover": Mover, "lazy": Lazy}  # by what a version's weights are
COUNTS = PairSettings(sources=1, self_pairs=6, cross_pairs=2, lsim=1, sequences=0)
# Four test persons: their exact test has no p below 0.125.
RULES = {"metrics": {"pose_angle": {"protocol": "self", "effect": 0.5, "bound": 1.0}}, "level": 0.2, "alarms": []}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("gate-corpus"))


@pytest.fixture
def ask(folders, model, tracking, tmp_path):
    """Ask the gate about a version: (what the stage returned, the folder that it wrote)."""

    def asked(version, *, promote=False, counts=COUNTS, **rules):
        registered, out = tmp_path / "registered", tmp_path / "gate"
        write_json(registered / "version.json", {"model": model, "version": version})
        write_stage(registered, kind="registered", model=model, version=version)
        result = gate(
            **folders, registered=registered, guide=tmp_path, out=out, tracking=tracking,
            settings=GateSettings.parse({**RULES, **rules}, where="gate"),
            evaluate=EvaluateSettings(val=COUNTS, test=counts, bootstrap=50, samples=2, judge_size=64, cache=""),
            registry=RegistrySettings(model=model, auto_promote=promote), runtime=Runtime(threads=1, device="cpu"),
        )  # fmt: skip
        return result, out

    return asked


@pytest.fixture
def version(client, model, tmp_path):
    """Register a version that draws as one of DRAWERS; as the champion where that is asked."""

    def made(name, *, champion=False, gate=""):
        number = add_version(client, model, tmp_path / "models", weights=name.encode(), gate=gate)
        if champion:
            client.set_registered_model_alias(model, "champion", number)
        return number

    return made


def test_without_a_champion_the_version_is_marked_and_nobody_is_promoted(ask, version, client, model):
    number = version("mover")
    result, out = ask(number)
    assert result.counts["passed"] == 1
    assert read_stage(out, kind="gate")["passed"] is True
    verdict, facts = read_verdict(out / "verdict.json")
    assert (verdict.passed, verdict.champion) == (True, "")
    assert facts["challenger"]["version"] == number
    assert facts["champion"] is None
    marked = tags(client, model, number)
    assert (marked["gate"], marked["gate.champion"]) == ("passed", "")
    assert marked["gate.sha256"] == hash_file(out / "verdict.json")
    assert "champion" not in aliases(client, model)
    assert not (out / "champion").exists()


def test_a_better_challenger_passes_against_a_champion_that_is_scored_again(ask, version, client, model):
    first, second = version("lazy", champion=True), version("mover")
    result, out = ask(second)
    verdict, facts = read_verdict(out / "verdict.json")
    assert verdict.passed, result.notes
    assert (verdict.challenger, verdict.champion) == (f"challenger (version {second})", f"champion (version {first})")
    (rule,) = [rule for rule in verdict.rules if rule.kind == "metric"]
    assert rule.better
    assert rule.difference < -0.5
    assert facts["champion"]["version"] == first
    records = [read_metrics(out / role) for role in ("challenger", "champion")]
    assert records[0]["pairs_sha256"] == records[1]["pairs_sha256"]
    assert records[0]["pairs_sha256"].keys() == {"test"}
    assert verdict.pairs_sha256 == records[0]["pairs_sha256"]["test"]
    for role in ("challenger", "champion"):
        faces = pd.read_parquet(out / role / "faces.parquet")
        assert set(faces["split"]) == {"test"}
        assert (out / role / "samples.parquet").exists()
    page = (out / "review.html").read_text()
    assert "gate passed" in page
    for name in (verdict.challenger, verdict.champion):
        assert f"drawn by {name}, a synthetic face" in page
    marked = tags(client, model, second)
    assert (marked["gate"], marked["gate.champion"]) == ("passed", first)
    assert marked["review.page"].endswith("/review.html")
    assert aliases(client, model)["champion"] == first, "a person decides"


def test_a_worse_challenger_fails_and_the_step_ends_well(ask, version, client, model):
    first, second = version("mover", champion=True), version("lazy")
    result, out = ask(second, promote=True)
    assert (result.counts["passed"], result.counts["promoted"]) == (0, 0)
    assert "pose_angle on self" in result.notes[0]
    assert "# Gate: FAILED" in (out / "verdict.md").read_text()
    assert tags(client, model, second)["gate"] == "failed"
    assert aliases(client, model)["champion"] == first


def test_what_passes_is_promoted_where_the_settings_say_so_and_that_is_written_down(ask, version, client, model):
    first, second = version("lazy"), version("mover")
    assert ask(first, promote=True)[0].counts["promoted"] == 1
    assert aliases(client, model) == {"champion": first}
    assert ask(second, promote=True)[0].counts["promoted"] == 1
    assert aliases(client, model) == {"champion": second, "previous": first}
    decided = [line.decision for line in history(client, model) if line.decision]
    assert [(one.by, one.action, one.version) for one in decided] == [
        ("auto", "approve", first), ("auto", "approve", second),
    ]  # fmt: skip


def test_the_champion_itself_is_scored_and_left_as_it_is(ask, version, client, model):
    number = version("mover", champion=True)
    before = tags(client, model, number)
    result, out = ask(number, promote=True)
    assert "is the champion already" in result.notes[1]
    assert read_verdict(out / "verdict.json")[0].champion == ""
    assert tags(client, model, number) == before
    assert aliases(client, model) == {"champion": number}


def test_a_champion_whose_weights_were_changed_fails_the_gate(ask, version, client, model):
    first, second = version("lazy", champion=True), version("mover")
    (weights_folder(client, model, first) / "model.safetensors").write_bytes(b"mover")
    _, out = ask(second)
    verdict, _ = read_verdict(out / "verdict.json")
    assert [rule.name for rule in verdict.failed] == ["comparison with the champion"]
    assert verdict.champion == f"champion (version {first})"
    assert tags(client, model, second)["gate.champion"] == first


def test_a_challenger_whose_weights_were_changed_is_refused_and_gets_no_mark(ask, version, client, model):
    number = version("lazy")
    (weights_folder(client, model, number) / "model.safetensors").write_bytes(b"mover")
    with pytest.raises(BadInput, match="registered"):
        ask(number)
    assert "gate" not in tags(client, model, number)


def test_whoever_is_stopped_while_the_page_is_attached_leaves_no_mark(ask, version, client, model, monkeypatch):
    number = version("mover", gate="passed")

    def away(*_, **__):
        raise StorageError("MLflow is away")

    monkeypatch.setattr("reenact.review.attach.attach", away)
    with pytest.raises(StorageError):
        ask(number)
    assert "gate" not in tags(client, model, number), "the mark of an older verdict"


def test_a_champion_of_an_earlier_gate_is_not_left_behind(ask, version, client, model):
    version("lazy", champion=True)
    second = version("mover")
    _, out = ask(second)
    assert (out / "champion").exists()
    client.delete_registered_model_alias(model, "champion")
    ask(second)
    assert not (out / "champion").exists()


def test_without_test_pairs_there_is_no_verdict(ask, version):
    none = PairSettings(self_pairs=0, cross_pairs=0, cross_truth=0, lsim=0, sequences=0)
    with pytest.raises(BadInput, match="no test pairs"):
        ask(version("mover"), counts=none)


def test_what_no_rule_looks_at_is_not_drawn():
    full = EvaluateSettings.parse(
        {"shot_curve": [1, 4], "finetune": ["self"], "sweeps": {"people": 3}, "backgrounds": {"pairs": 9}, "seed": 4},
        where="evaluate",
    )
    less = reduced(full)
    assert (less.shot_curve, less.retarget, less.finetune) == ((), (), ())
    assert (less.sweeps.people, less.backgrounds.pairs) == (0, 0)
    assert less.seed == 4
