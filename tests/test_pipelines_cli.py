"""`reenact pipelines` as people and scripts meet it: what it sends and prints, its exit codes, its sentences."""

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_api import TOKEN, Fault, KfpApi, kfp_api, misread
from reenact import cli
from reenact.cluster import connection
from reenact.cluster.connection import Away
from reenact.cluster.credentials import Access, find_access
from reenact.cluster.runs import wait
from reenact.errors import SettingsError, StorageError
from submitted_pipelines import compiled
from tiny_project import ROOT

pytestmark = pytest.mark.xdist_group("kfp_api")


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[KfpApi]:
    """The API, and a project folder to send things from."""
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KF_PIPELINES_TOKEN", TOKEN)
    monkeypatch.setenv("REENACT_GIT_COMMIT", "0123456789abcdef")
    monkeypatch.setenv("REENACT_TRAINER", "ana")
    monkeypatch.setattr(connection, "PAUSE", 0.01)
    (tmp_path / "params.yaml").symlink_to(ROOT / "params.yaml")
    compiled(tmp_path / "pipelines" / "compiled")
    monkeypatch.chdir(tmp_path)
    with kfp_api() as api:
        yield api


@pytest.fixture
def run(server: KfpApi, monkeypatch, capsys):
    """Run a command of `reenact pipelines` in this process: (exit code, stdout, stderr)."""

    def command(name: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        there = [] if name in ("compile", "run") or "--host" in arguments else ["--host", server.uri]
        monkeypatch.setattr(sys, "argv", ["reenact", "pipelines", name, *arguments, *there])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        assert TOKEN not in out + err
        if code > 2:
            assert err.startswith("reenact: ")
            assert len(err.splitlines()) == 1
            assert "Traceback" not in err
        return code, out, err

    return command


def finished(server: KfpApi, state: str = "SUCCEEDED", **more: Any) -> None:
    """Let the newest run have ended."""
    list(server.kept["runs"].values())[-1].update(state=state, **more)


def told(sent: dict[str, Any], name: str) -> str:
    """A long argument of a run that was sent."""
    asked = sent["pipeline_spec"]["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
    text = asked[name]["defaultValue"]
    assert isinstance(text, str)
    return text


def test_a_submission_makes_the_experiment_and_says_where_to_look(server: KfpApi, run) -> None:
    code, out, _ = run("submit", "--service-account", "runner", "--experiment", "faces", "-S", "train.samples=7",
                       "-S", "cluster={experiment: of a file, gpus: 2}")  # fmt: skip
    assert code == 0
    (sent,) = server.asked("POST", "runs")
    (experiment,) = server.kept["experiments"].values()
    assert (experiment["display_name"], experiment["namespace"]) == ("faces", "reenact")
    assert (sent["experiment_id"], sent["service_account"]) == (experiment["experiment_id"], "runner")
    assert sent["runtime_config"]["parameters"]["gpus"] == 2
    assert '"samples": 7' in told(sent, "train_told")
    assert "commit 0123456789ab" in sent["description"]
    assert sent["description"].endswith("by ana")
    (made,) = server.kept["runs"]
    assert f"{server.uri}/#/runs/details/{made}" in out
    assert run("submit", "--experiment", "faces")[0] == 0
    assert len(server.kept["experiments"]) == 1
    assert len(server.kept["runs"]) == 2


def test_a_name_is_given_once(server: KfpApi, run) -> None:
    assert run("submit", "--name", "first try")[0] == 0
    code, _, err = run("submit", "--name", "first try")
    assert (code, len(server.kept["runs"])) == (2, 1)
    assert "there is a run of that name" in err


def test_a_dry_run_asks_nobody_and_prints_what_would_be_sent(server: KfpApi, run) -> None:
    code, out, _ = run("submit", "--dry-run", "--token", TOKEN, "-S", "cluster.images.train=mine:9")
    assert (code, server.requests) == (0, [])
    body = yaml.safe_load(out)
    assert misread(body, "V2beta1Run") == ""
    assert body["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]["exec-1"]["container"] == {
        "image": "mine:9",
        "env": [{"name": "REENACT_TRAINER", "value": "ana"}],
    }
    assert "Bearer ***" in out
    code, out, _ = run("schedule", "nightly", "--cron", "0 3 * * *", "--pipeline", "training", "--dry-run")
    assert (code, server.requests) == (0, [])
    assert misread(yaml.safe_load(out), "V2beta1RecurringRun") == ""


def test_programs_get_json(server: KfpApi, run) -> None:
    made = json.loads(run("submit", "--json")[1])
    assert made["run_id"] in server.kept["runs"]
    finished(server)
    assert json.loads(run("status", made["run_id"], "--json")[1])["state"] == "SUCCEEDED"
    assert json.loads(run("status", "--json")[1])[0]["run_id"] == made["run_id"]
    run("schedule", "nightly", "--cron", "0 3 * * *", "--pipeline", "training")
    assert json.loads(run("schedule", "--list", "--json")[1])[0]["cron"] == "0 0 3 * * *"


def test_a_schedule_from_making_to_deleting(server: KfpApi, run) -> None:
    nightly = ("schedule", "nightly", "--pipeline", "training", "--cron", "0 3 * * *")
    assert "made" in run(*nightly)[1]
    assert "unchanged" in run(*nightly)[1]
    assert "replaced" in run(*nightly, "-S", "train.samples=7")[1]
    assert "switched off" in run("schedule", "nightly", "--off")[1]
    assert run("schedule", "--list")[1].split()[0] == "off"
    assert "deleted" in run("schedule", "nightly", "--delete")[1]
    assert "No schedules" in run("schedule", "--list")[1]
    assert run("schedule", "nightly", "--cron", "0 3 * *")[0] == 2
    assert run("schedule", "nightly")[0] == 2
    assert run("schedule", "nightly", "--delete", "--off")[0] == 2


TASKS = {
    "task_details": [
        {"task_id": "3", "display_name": "train-driver", "state": "SUCCEEDED"},
        {"task_id": "2", "display_name": "train", "state": "FAILED", "start_time": "2026-01-01T00:01:00Z",
         "end_time": "2026-01-01T00:02:30Z", "error": {"code": 9, "message": "out of\nmemory"},
         "child_tasks": [{"pod_name": "training-abc-train"}]},
        {"task_id": "1", "display_name": "fetch-data", "state": "SUCCEEDED", "start_time": "2026-01-01T00:00:00Z",
         "end_time": "2026-01-01T00:00:20Z"},
    ]
}  # fmt: skip


def test_a_failed_run_is_told_by_the_step_that_failed(server: KfpApi, run) -> None:
    run("submit", "--name", "tonight")
    assert misread(TASKS, "V2beta1RunDetails") == ""
    link = {"mlflow": {"entries": {"run": {"value": "http://mlflow:5000/#/runs/1", "render_type": "URL"}}}}
    finished(server, "FAILED", run_details=TASKS, plugins_output=link)
    code, out, err = run("status", "tonight")
    assert code == 13
    assert "tonight failed (train: out of memory)" in err
    lines = out.splitlines()
    assert [line.split()[-1] for line in lines if " s  " in line] == ["fetch-data", "train"]
    assert "driver" not in out
    assert "pod training-abc-train" in out
    assert "http://mlflow:5000/#/runs/1" in out
    assert run("status")[0] == 0  # a list is no verdict
    assert run("status", "another")[0] == 12


def test_waiting_tells_each_change_and_outlives_a_server_that_is_away() -> None:
    def seen(state: str, count: int) -> dict[str, Any]:
        return {"state": state, "run_details": {"task_details": TASKS["task_details"][-count:]}}

    answers = [seen("RUNNING", 1), *[Away("away")] * 9, seen("RUNNING", 2), seen("FAILED", 2)]

    class Server:
        def get_run(self, run: str) -> dict[str, Any]:
            answer = answers.pop(0)
            if isinstance(answer, Away):
                raise answer
            return answer

    told: list[str] = []
    assert wait(Server(), "id", deadline=60, every=0, tell=told.append)["state"] == "FAILED"
    assert [line.split() for line in told] == [["succeeded", "fetch-data"], ["failed", "train"]]
    assert answers == []


def test_waiting_ends_with_the_run_or_the_deadline(server: KfpApi, run) -> None:
    run("submit", "--name", "tonight")
    finished(server, "RUNNING")
    code, _, err = run("status", "tonight", "--wait", "--deadline", "1")
    assert code == 6
    assert "still at work after 1 s" in err
    finished(server, "CANCELED")
    assert run("status", "tonight", "--wait")[0] == 13
    finished(server)
    assert run("status", "tonight", "--wait")[0] == 0
    assert run("status", "--wait")[0] == 2


PAGE = "<html><body>Sign in</body></html>"


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (Fault("GET", ".", times=99, status=401, body='{"message": "no user"}'), 12, "token is not accepted.*no user"),
        (Fault("GET", ".", times=99, status=403, body='{"error": "ana may not"}'), 12, "not allowed.*ana may not"),
        (Fault("GET", ".", times=99, status=404, body=PAGE, kind="text/html"), 12, "nothing is there"),
        (Fault("GET", ".", times=99, status=302, location="https://login.example/?x"), 12, "login page"),
        (Fault("GET", ".", times=99, status=200, body=PAGE, kind="text/html"), 12, "a web page came"),
        (Fault("GET", ".", times=99, status=200, body="[1]"), 12, "something else than JSON"),
        (Fault("GET", ".", times=99, status=503, body=PAGE), 6, "away for now .HTTP 503"),
        (Fault("GET", ".", times=99, reset=True), 6, "out of reach"),
        (Fault("POST", "/experiments", status=403, body="{}"), 12, "not allowed"),
        (Fault("POST", "/runs", status=400, body='{"message": "bad ' + "x" * 999 + '"}'), 12, r"HTTP 400 .*x\.\.\."),
        (Fault("POST", "/runs", status=500, body=f'{{"message": "said {TOKEN}"}}'), 12, r"said \*\*\*"),
    ],
)  # fmt: skip
def test_troubles_are_one_sentence(server: KfpApi, run, fault: Fault, code: int, says: str) -> None:
    server.faults = [fault]
    ended, _, err = run("submit")
    assert ended == code
    assert re.search(says, err)
    assert server.kept["runs"] == {}


def test_reading_is_repeated_where_the_server_is_away_for_a_moment(server: KfpApi, run) -> None:
    server.faults = [Fault("GET", ".", status=503), Fault("GET", ".", reset=True), Fault("GET", ".", status=429)]
    assert run("submit")[0] == 0
    assert len(server.kept["runs"]) == 1


@pytest.mark.parametrize("fault", [{"reset": True}, {"status": 502}, {"status": 504}])
def test_a_run_whose_answer_was_lost_is_found_and_not_made_twice(server: KfpApi, run, fault: dict[str, Any]) -> None:
    server.faults = [Fault("POST", "/runs$", after=True, **fault)]
    code, out, _ = run("submit", "--name", "tonight")
    assert code == 0
    assert next(iter(server.kept["runs"])) in out
    assert len(server.asked("POST", "runs")) == 1


def test_a_run_that_is_not_found_is_not_sent_again_by_itself(server: KfpApi, run) -> None:
    server.faults = [Fault("POST", "/runs$", reset=True)]
    code, _, err = run("submit", "--name", "tonight")
    assert code == 6
    assert "not known whether the run tonight was made" in err
    assert len(server.asked("POST", "runs")) == 1


def test_an_experiment_that_somebody_made_meanwhile_is_taken(server: KfpApi, run) -> None:
    server.faults = [Fault("POST", "/experiments$", after=True, status=409, body='{"message": "exists"}')]
    assert run("submit")[0] == 0
    server.kept["experiments"][next(iter(server.kept["experiments"]))]["storage_state"] = "ARCHIVED"
    code, _, err = run("submit")
    assert code == 12
    assert "archived" in err


def test_nobody_there_and_no_such_machine_and_no_answer(server: KfpApi, run, monkeypatch) -> None:
    code, _, err = run("status", "--host", "http://127.0.0.1:9")
    assert (code, "connection refused" in err.lower()) == (6, True)
    code, _, err = run("status", "--host", "http://nowhere.invalid")
    assert (code, "no machine named nowhere.invalid" in err) == (6, True)
    monkeypatch.setattr(connection, "TIMEOUT", 0.2)
    server.faults = [Fault("GET", ".", times=99, seconds=1)]
    code, _, err = run("status")
    assert (code, "no answer within 0.2 s" in err) == (6, True)


def test_https_to_a_server_without_is_said(run, server: KfpApi) -> None:
    code, _, err = run("status", "--host", server.uri.replace("http:", "https:"))
    assert (code, "does not speak https" in err) == (6, True)


def test_a_page_whose_server_is_not_ready_is_not_taken_for_one_without_namespaces(run, server: KfpApi) -> None:
    server.faults = [Fault("GET", "healthz", times=9, status=200, body='{"apiServerReady": false}')]
    code, _, err = run("submit")
    assert (code, "not ready yet" in err) == (6, True)
    assert not server.asked("POST", "runs")


def test_a_certificate_nobody_knows_is_not_talked_over(run, tmp_path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    code, _, err = run("status", "--ca-file", "ca.pem")
    assert (code, "no certificates in it" in err) == (6, True)
    assert run("status", "--ca-file", "missing.pem")[0] == 2


def self_signed(file: Path) -> Path:
    """A certificate for 127.0.0.1 that only it itself vouches for, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    return file


def test_https_asks_for_a_certificate_that_is_trusted(run, tmp_path, monkeypatch) -> None:
    certificate = self_signed(tmp_path / "server.pem")
    with kfp_api(certificate=certificate) as server:
        code, _, err = run("status", "--host", server.uri)
        assert (code, "its certificate is not trusted here" in err) == (6, True)
        assert server.requests == []
        assert run("status", "--host", server.uri, "--ca-file", str(certificate))[0] == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert run("status", "--host", server.uri)[0] == 0


def test_a_proxy_of_the_environment_is_used(server: KfpApi, run, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", server.uri)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert run("status", "--host", "http://kfp.invalid")[0] == 0
    assert server.requests


def test_a_redirect_is_never_shown_the_token(server: KfpApi, run) -> None:
    server.faults = [Fault("GET", "healthz", status=307, location=f"{server.uri}/login?state=x")]
    assert run("status")[0] == 12
    assert [path for _, path, _ in server.requests] == ["/apis/v2beta1/healthz"]


def test_where_the_address_and_the_token_come_from(tmp_path: Path) -> None:
    file, projected = tmp_path / "token", tmp_path / "projected"
    file.write_text("from-file\n")
    projected.write_text("from-pod")
    env = {"KF_PIPELINES_ENDPOINT": "https://kfp.example/pipeline/"}
    assert find_access(environment=env, projected=tmp_path / "none") == Access(host="https://kfp.example/pipeline")
    assert find_access(environment=env, projected=projected).bearer() == "from-pod"
    env["KF_PIPELINES_SA_TOKEN_PATH"] = str(file)
    assert find_access(environment=env, projected=projected).bearer() == "from-file"
    env["KF_PIPELINES_TOKEN"] = "from-environment"
    found = find_access(environment=env, projected=projected)
    assert found.bearer() == "from-environment"
    assert "from-environment" not in repr(found)
    assert find_access(environment=env, token_file=file).bearer() == "from-file"
    assert find_access(environment=env, token="given", host="http://a:1").bearer() == "given"
    file.write_text("renewed")
    assert find_access(environment=env, token_file=file).bearer() == "renewed"
    with pytest.raises(SettingsError, match="KF_PIPELINES_ENDPOINT"):
        find_access(environment={})
    with pytest.raises(SettingsError, match="http://"):
        find_access(environment={}, host="localhost:8080")
    with pytest.raises(SettingsError, match="one of them"):
        find_access(environment=env, token="a", token_file=file)
    for text in ("", "two words", "line\nbreak"):
        file.write_text(text)
        with pytest.raises(StorageError, match="a token and nothing else"):
            find_access(environment=env, token_file=file).bearer()
    with pytest.raises(StorageError, match="No such file"):
        find_access(environment=env, token_file=tmp_path / "none").bearer()


def test_a_token_that_is_renewed_is_read_again(server: KfpApi, run, monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("KF_PIPELINES_TOKEN")
    assert run("status")[0] == 12
    (tmp_path / "token").write_text(TOKEN)
    assert run("status", "--token-file", "token")[0] == 0


COMPILER = """
from pathlib import Path
TEXT = "first"
def compile_all(folder):
    written = [folder / name for name in ("ablation.yaml", "training.yaml")]
    for file in written:
        file.write_text(TEXT)
    return written
"""


@pytest.fixture
def other_pipelines() -> Iterator[None]:
    """Room for a package of the name `pipelines` that is not ours."""

    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] == "pipelines"]

    kept = {name: sys.modules.pop(name) for name in ours()}
    yield
    for name in ours():
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.mark.usefixtures("other_pipelines")
def test_compiled_files_are_checked_against_the_code_that_is_here(run, monkeypatch, tmp_path) -> None:
    (tmp_path / "pipelines" / "compile.py").write_text(COMPILER)
    (tmp_path / "pipelines" / "__init__.py").touch()
    places = list(sys.path)
    code, out, _ = run("compile")
    assert (code, sys.path) == (0, places)
    files = [tmp_path / "pipelines" / "compiled" / name for name in ("ablation.yaml", "training.yaml")]
    assert [Path(line) for line in out.splitlines()] == files
    assert run("compile", "--check")[0] == 0
    monkeypatch.setattr(sys.modules["pipelines.compile"], "TEXT", "second")
    files[0].write_text("second")
    code, _, err = run("compile", "--check")
    assert (code, files[1].read_text()) == (1, "first")
    assert str(files[1]) in err
    assert str(files[0]) not in err
    files[1].unlink()
    assert run("compile", "--check")[0] == 1


def test_running_here_is_said_in_words(run) -> None:
    code, _, err = run("run")
    assert code == 2
    assert "--local" in err
    assert run("run", "--local", "--name", "../x")[0] == 2
    assert not os.path.lexists("runs")


def test_running_here_hands_settings_pipeline_and_kind_on(run, monkeypatch) -> None:
    asked: list[Any] = []

    def taken(params: Any, folder: Path, **more: Any) -> None:
        asked.append((params.fanout.seeds, folder, more))

    monkeypatch.setattr("reenact.cli.pipeline.run_pipeline", taken)
    local = ("run", "--local", "-S", "fanout.seeds=[3]", "--name", "x")
    assert run(*local, "--containers", "--pipeline", "ablation")[0] == 0
    assert run(*local)[0] == 0
    assert asked == [
        ((3,), Path("runs/x"), {"pipeline": "ablation", "containers": True}),
        ((3,), Path("runs/x"), {"pipeline": "training", "containers": False}),
    ]
