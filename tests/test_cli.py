"""The command line as people meet it: in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reenact.cli.pipeline import scratch_of
from reenact.cli.stages import forget_failed
from reenact.cli.watch import Watch
from tiny_project import REENACT, ROOT, make_project


def reenact(*arguments: str, cwd: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    import os

    env = {**os.environ, **environment}
    return subprocess.run([REENACT, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_version() -> None:
    from reenact import __version__

    assert reenact("--version").stdout.strip() == __version__


def test_systems_as_json_is_a_list_of_objects() -> None:
    done = reenact("systems", "--json")
    assert done.returncode == 0
    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert found["cgan"]["seed"] == "000"
    assert {"full", "no_pixel", "no_consistency", "no_features"} <= set(found["cgan"]["variants"])
    assert found["cgan"]["labels"] == ["landmarks"]
    assert set(found["cgan"]) == {"name", "seed", "variants", "labels"}


def test_systems_for_people_names_them() -> None:
    assert "cgan" in reenact("systems").stdout


def test_an_unknown_setting_is_one_sentence_and_exit_code_2() -> None:
    done = reenact("settings", "-S", "train.sampels=3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip() == 'reenact: train.sampels: unknown setting; did you mean "samples"?'


def test_repro_on_an_address_says_how_dvc_can_watch_it(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("videos: out/rendered", "videos: s3://key:secret@faces/all", 1)
    (tmp_path / "params.yaml").write_text(text)
    done = reenact("repro", cwd=tmp_path)
    assert done.returncode == 2
    assert "reenact data pin" in done.stderr
    assert "secret" not in done.stderr


def test_settings_are_printed_as_arguments_of_a_pipeline() -> None:
    given = json.loads(reenact("settings", "--pipeline", "ablation", "-S", "cluster.gpus=2").stdout)
    assert given["gpus"] == 2
    assert json.loads(given["train_told"])["checkpoints"]["uri"] == "/reenact/checkpoints"
    assert "register_told" not in given


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in reenact("--debug", "settings", "-S", "train.sampels=3").stderr
    assert "Traceback" in reenact("settings", "-S", "train.sampels=3", REENACT_DEBUG="1").stderr


def test_a_folder_without_settings_is_said(tmp_path: Path) -> None:
    done = reenact("settings", cwd=tmp_path)
    assert done.returncode == 2
    assert "params.yaml" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["run", "--videos", "nowhere"], 2, "nowhere"),
        (["train", "--branch", "cgan"], 2, "SYSTEM-VARIANT-SEED"),
        (["train", "--branch", "cgam-full-0"], 2, "cgam"),
        (["train", "--branch", "cgan-ful-0"], 2, '"full"'),
        (["run", "--name", "../elsewhere"], 2, "../elsewhere"),
        (["settings", "--pipeline", "ablatoin"], 2, '"ablation"'),
        (["repro", "-S", "train.samples=3"], 2, "params.yaml"),
        (["extract-frames", "--out", "nowhere"], 3, "nowhere"),
        (["label-landmarks", "--out", "nowhere"], 3, "Run extract-frames first"),
        (["render-clips", "-S", "render_clips.identities=1", "--out", "a-file"], 6, "a-file"),
        (["compare", "--out", "/proc/nowhere"], 1, "/proc/nowhere"),
    ],
)
def test_mistakes_have_a_sentence_and_a_code(arguments: list[str], code: int, names: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    done = reenact(*arguments, "--params", str(ROOT / "params.yaml"), cwd=tmp_path)
    assert done.returncode == code
    assert names in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_read_back_to_the_same_settings(tmp_path: Path) -> None:
    import yaml

    from reenact.params import parse, read_raw

    printed = reenact("settings", "-S", "train.samples=123").stdout
    path = tmp_path / "params.yaml"
    path.write_text(printed)
    assert yaml.safe_load(printed)["train"]["samples"] == 123
    assert parse(read_raw(path)).plain() == yaml.safe_load(printed)


def test_threads_are_set_before_numpy_is_loaded() -> None:
    code = (
        "from pathlib import Path; from reenact.cli.options import load; import os, sys;"
        "assert 'numpy' not in sys.modules and 'torch' not in sys.modules;"
        "load(Path('params.yaml'), '', ['runtime.threads=1']); import torch;"
        "print(os.environ['OPENBLAS_NUM_THREADS'], torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_a_failed_branch_is_forgotten_and_a_trained_one_kept(tmp_path: Path) -> None:
    for name, status in (("sick", "failed"), ("well", "trained")):
        folder = tmp_path / name / "train"
        folder.mkdir(parents=True)
        (folder / "status.json").write_text(json.dumps({"status": status}))
    forget_failed(tmp_path)
    assert not (tmp_path / "sick" / "train" / "status.json").exists()
    assert (tmp_path / "sick" / "train" / "status.failed.json").exists()
    assert (tmp_path / "well" / "train" / "status.json").exists()


class _Ended:
    """A child process that is over."""

    def __init__(self, returncode: int) -> None:
        self.returncode = returncode

    def poll(self) -> int:
        return self.returncode


def test_steps_behind_a_decision_are_skipped_and_not_cached(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    fact = {"kind": "step", "name": "rescore", "state": "done", "seconds": 1.0, "time": 9.0}
    events.write_text(json.dumps(fact) + "\n")
    watch = Watch(["draw", "rescore", "train a", "register"], events, maybe=("train a", "register"))
    watch.follow(_Ended(0))  # type: ignore[arg-type]
    states = {name: seen.state for name, seen in watch.steps.items()}
    assert states == {"draw": "cached", "rescore": "done", "train a": "skipped", "register": "skipped"}


def watched(tmp_path: Path, facts: list[dict[str, object]], code: int) -> Watch:
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps({"time": 10.0, **fact}) + "\n" for fact in facts))
    watch = Watch(["draw", "train a", "compare", "register"], events)
    watch.follow(_Ended(code))  # type: ignore[arg-type]
    return watch


def test_watch_tells_cached_dead_and_failed_steps_apart(tmp_path: Path) -> None:
    facts: list[dict[str, object]] = [
        {"kind": "step", "name": "train a", "state": "running"},
        {"kind": "step", "name": "compare", "state": "running"},
        {"kind": "step", "name": "compare", "state": "failed", "seconds": 1.0, "reason": "one missing", "code": 8},
    ]
    watch = watched(tmp_path, facts, 1)
    assert {name: seen.state for name, seen in watch.steps.items()} == {
        "draw": "cached",
        "train a": "failed",
        "compare": "failed",
        "register": "skipped",
    }
    assert watch.code() == 8
    assert "one missing" in watch.failure()


def test_watch_takes_nothing_for_cached_because_of_what_runs_beside_the_steps(tmp_path: Path) -> None:
    reason = "containers: the image is not here."
    facts: list[dict[str, object]] = [
        {"kind": "step", "name": "containers", "state": "failed", "seconds": 0.0, "reason": reason, "code": 6},
    ]
    watch = watched(tmp_path, facts, 1)
    assert {name: seen.state for name, seen in watch.steps.items() if name != "containers"} == dict.fromkeys(
        ("draw", "train a", "compare", "register"), "skipped"
    )
    assert watch.failure() == reason  # and not "containers: containers: ..."
    assert watch.code() == 6


def test_watch_counts_a_retried_step_once_with_all_its_time(tmp_path: Path) -> None:
    facts: list[dict[str, object]] = [
        {"kind": "step", "name": "train a", "state": "running", "time": 10.0},
        {"kind": "step", "name": "train a", "state": "running", "time": 15.0},
        {"kind": "step", "name": "train a", "state": "done", "seconds": 2.0, "time": 17.0},
    ]
    watch = watched(tmp_path, facts, 0)
    assert watch.steps["train a"].state == "done"
    assert watch.steps["train a"].seconds == pytest.approx(7.0)
    assert watch.steps["draw"].state == "cached"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_ended_run_leaves_no_process_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    command = [REENACT, "run", "--name", "ended", "--params", str(ROOT / "params.yaml")]
    # Where tests run in the background of a shell, SIGINT is ignored and would be so in here.
    run = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    events = tmp_path / "runs" / "ended" / "events.jsonl"
    until = time.monotonic() + 60
    while not events.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert events.exists()
    run.send_signal(number)
    _, said = run.communicate(timeout=30)
    assert run.returncode == code
    assert b"Traceback" not in said
    assert not [one for one in _command_lines() if str(tmp_path).encode() in one]


def _command_lines() -> list[bytes]:
    """Of all processes; one may end while we read."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes())
    return found


def test_where_no_pipelines_are_a_run_says_so_and_leaves_no_folder_behind(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    for _ in range(2):
        done = reenact("run", "--name", "mine", cwd=project, PYTHONPATH=str(project / "src"))
        assert "no pipelines/training.py here" in done.stderr
    assert not (project / "runs" / "mine").exists()


@pytest.mark.parametrize("deep", ["run", "a-folder-of-a-long-name" * 5])
def test_processes_of_a_run_meet_however_deep_its_folder_lies(tmp_path: Path, deep: str) -> None:
    (tmp_path / deep).mkdir()
    meet = "import multiprocessing as m; print(m.Manager().dict(met='yes')['met'])"
    with scratch_of(tmp_path / deep) as place:
        told = {**os.environ, "TMPDIR": str(place)}
        done = subprocess.run([sys.executable, "-c", meet], env=told, capture_output=True, text=True, check=False)
        (place / "left").touch()
        assert (tmp_path / deep / "tmp" / "left").exists(), "elsewhere there may be no room"
    assert done.stdout == "yes\n", done.stderr
    assert not place.exists()
    assert not (tmp_path / deep / "tmp").exists()
