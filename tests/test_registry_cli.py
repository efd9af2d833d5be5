"""`reenact registry` as people and scripts meet it: what it prints, and its exit codes."""

import json
import sys

import pytest

from reenact import cli
from reenact.cli.person import name_trainer
from tiny_project import ROOT

pytest_plugins = ["registry_fixtures"]
pytestmark = pytest.mark.xdist_group("registered_versions")


@pytest.fixture
def run(registry, monkeypatch, capsys):
    """Run a command of `reenact registry` in this process: (exit code, stdout, stderr)."""
    place = registry.tracking
    settings = ["--params", str(ROOT / "params.yaml"), "-S", f"tracking.uri={place.uri}",
                "-S", f"tracking.artifacts={place.artifacts}", "-S", f"tracking.experiment={place.experiment}",
                "-S", "runtime.threads=1"]  # fmt: skip

    def command(name, *arguments, model=registry.model):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["reenact", "registry", name, *arguments, *settings, "--model", model])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return command


def test_a_version_goes_from_challenger_to_champion_and_back(registry, run):
    first, second = registry.add(), registry.add(branch="caingan-full-0")
    registry.name("challenger", first)
    code, out, _ = run("approve", "challenger", "--by", "ana", "--reason", "sharper mouths")
    assert code == 0
    assert "decision 1 by ana: approve version 1" in out
    assert "champion: nobody -> version 1" in out
    assert run("approve", second, "--by", "ben", "--reason", "keeps the person")[0] == 0
    code, out, _ = run("rollback", "--by", "cem", "--reason", "flickers on video")
    assert code == 0
    assert "champion: version 2 -> version 1" in out
    code, out, _ = run("list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "champion" in lines["1"]
    assert "approved" in lines["1"]
    assert "previous" in lines["2"]
    assert "rolled back" in lines["2"]
    assert "caingan-full-0" in lines["2"]
    code, out, _ = run("history")
    assert [word for word in ("sharper mouths", "keeps the person", "flickers on video") if word not in out] == []
    assert out.index("sharper") < out.index("keeps") < out.index("flickers")
    assert run("reject", second, "--by", "ana", "--reason", "flickers")[0] == 0
    assert registry.aliases() == {"champion": first}


def test_programs_get_json(registry, run):
    version = registry.add()
    code, out, _ = run("approve", version, "--by", "ana", "--reason", "sharper", "--json")
    assert code == 0
    assert json.loads(out)["after"] == {"champion": version}
    (line,) = json.loads(run("history", "--json")[1])
    assert (line["kind"], line["decision"]["by"], line["finished"]) == ("decision", "ana", True)
    listed = json.loads(run("list", "--json")[1])
    assert listed["versions"][0]["aliases"] == ["champion"]
    assert listed["unexplained"] == []
    shown = json.loads(run("show", "champion", "--check", "--json")[1])
    assert (shown["version"], shown["review"], shown["weights_checked"]) == (version, "approved", True)
    assert shown["decisions"][0]["decision"]["reason"] == "sharper"


def test_show_tells_what_is_known_of_one_version(registry, run):
    first, second = registry.add(trainer="dua"), registry.add()
    registry.approve(first, reason="sharper")
    registry.approve(second, reason="even sharper")
    code, out, _ = run("show", first, "--check")
    assert code == 0
    assert "dua" in out
    assert "fetched and compared: the same" in out
    assert "sharper" in out
    assert "even sharper" not in out


def test_what_was_done_outside_is_shown(registry, run):
    registry.name("champion", registry.add())
    for command in ("list", "history"):
        assert "that was not decided here" in run(command)[1]
    assert json.loads(run("list", "--json")[1])["unexplained"]


def test_each_way_of_failing_has_its_exit_code_and_one_sentence(registry, run, monkeypatch):
    failed = registry.add(gate="failed")
    for wanted, arguments in (
        (2, ("approve", failed, "--by", "ana")),
        (2, ("approve", failed, "--by", " Auto\u200b", "--reason", "x")),
        (3, ("approve", "7", "--by", "ana", "--reason", "x")),
        (3, ("show", "champion")),
        (9, ("approve", failed, "--by", "ana", "--reason", "x")),
        (9, ("rollback", "--by", "ana", "--reason", "x")),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (wanted, ""), err
        assert err.splitlines()[-1].startswith("reenact: ")
        assert "Traceback" not in err
    assert registry.decided() == []
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: nobody listens
    code, _, err = run("approve", failed, "--by", "ana", "--reason", "x")
    assert code == 6
    assert "MLflow" in err


def test_the_loser_of_a_race_hears_of_it(registry, run, monkeypatch):
    from reenact.review import decisions

    first, second = registry.add(), registry.add()
    check = decisions.check_weights

    def meanwhile(client, version):
        monkeypatch.setattr(decisions, "check_weights", check)
        registry.approve(second, by="ben")

    monkeypatch.setattr(decisions, "check_weights", meanwhile)
    code, out, err = run("approve", first, "--by", "ana", "--reason", "sharper")
    assert (code, out) == (10, "")
    assert "ben" in err


def test_without_a_name_git_is_asked(registry, run, monkeypatch, tmp_path):
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Eda Kaya\n")
    for name, value in {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    assert run("approve", registry.add(), "--reason", "sharper")[0] == 0
    assert registry.decided()[0][0] == "Eda Kaya"
    (tmp_path / "gitconfig").write_text("")
    code, _, err = run("reject", registry.add(), "--reason", "blurred")
    assert code == 2
    assert "--by" in err


def test_pipelines_know_who_started_them(monkeypatch, tmp_path):
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Eda Kaya\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.chdir(tmp_path)
    for given, wanted in (({}, "Eda Kaya"), ({"REENACT_TRAINER": "Ana"}, "Ana"), ({"REENACT_TRAINER": ""}, "")):
        name_trainer(given)
        assert given == {"REENACT_TRAINER": wanted}


@pytest.mark.parametrize("name", ["faces/new", "faces:2", "it's", " ", "f" * 300])
def test_a_name_that_no_model_can_have_is_a_setting_that_is_wrong(run, name):
    code, _, told = run("list", model=name)
    assert code == 2
    assert "registry.model" in told
    assert "slash" in told
    assert "Traceback" not in told


def test_a_terminal_does_not_obey_what_somebody_wrote_into_a_tag(registry, run):
    version = registry.add(branch="a\x1b[31m\nb")
    registry.client.set_model_version_tag(registry.model, version, "gate", "passed\nfailed")
    registry.client.update_model_version(registry.model, version, "first\x1b]0;title\x07\n\nsecond")
    for command in (("list",), ("show", version), ("review", version)):
        code, told, _ = run(*command)
        assert code == 0
        assert "\x1b" not in told
        assert "\x07" not in told
    assert told == "first]0;title\n\nsecond\n"
    assert "passed failed" in run("list")[1]
