"""A run's outputs, pushed from folders as a pod has them, become entries of dvc.lock that DVC itself agrees with."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dvc_projects import command, environment, make_repository, name_committer, write_files
from reenact.cluster.adopt import adopt, message
from reenact.cluster.arguments import pipeline_arguments
from reenact.cluster.lock_fragment import FRAGMENT, push_data, push_outputs
from reenact.cluster.lock_versions import versioned_videos
from reenact.errors import BadInput, NewerFormat, ReenactError, SettingsError, StorageError
from reenact.params import Params, parse, read_raw
from s3_server import s3

__all__ = ["s3"]
pytestmark = pytest.mark.xdist_group("adopt")

ROOT = Path(__file__).parent.parent
BRANCHES = ("cgan-full-0", "cgan-no_features-0")
# The graph of dvc.yaml, cut down; a stage that runs fails, so nothing may run.
GRAPH: dict[str, tuple[str, list[str], list[str]]] = {
    "render_clips": ("rendered", [], ["render_clips"]),
    "fetch_data": ("videos", ["${fetch_data.videos}"], ["fetch_data"]),
    "extract_frames": ("frames", ["out/videos"], ["extract_frames", "runtime"]),
    "train": ("train", ["out/frames"], ["train", "profiles.${profile}.train"]),
    "evaluate": ("evaluate", ["out/frames", "@train"], ["evaluate"]),
    "compare": ("comparison", ["out/branches"], ["compare", "fanout"]),
}
DATA = {"render_clips": "rendered", "fetch_data": "videos", "extract_frames": "frames"}


def dvc_yaml() -> str:
    stages: dict[str, Any] = {}
    for name, (folder, reads, params) in GRAPH.items():
        branch = "out/branches/${item.system}-${item.variant}-${item.seed}"
        inside = name in ("train", "evaluate")
        stages[name] = {
            "cmd": "false ${item.system}" if inside else "false",
            "deps": [*(f"{branch}/train" if need == "@train" else need for need in reads), "code"],
            "params": params,
            "outs": [f"{branch}/{folder}" if inside else f"out/{folder}"],
        }
        if inside:
            matrix = {each: f"${{fanout.{each}s}}" for each in ("system", "variant", "seed")}
            stages[name] = {"matrix": matrix, **stages[name]}
        if name in ("extract_frames", "train"):
            stages[name]["outs"] = [{stages[name]["outs"][0]: {"persist": True}}]
        if name == "compare":
            stages[name]["outs"] = [{"out/comparison": {"cache": False}}]
    return yaml.safe_dump({"stages": stages}, sort_keys=False)


@dataclass
class Run:
    """A repository, and a run of its commit somewhere else."""

    repo: Path
    results: Path
    work: Path  # what DVC would find in out/ had the run been here

    @property
    def fragment(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.results / FRAGMENT).read_text())
        return read


def settings(folder: Path, *overrides: str) -> Params:
    return parse(read_raw(folder / "params.yaml", overrides=overrides))


@pytest.fixture(scope="module")
def run(s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    patch = pytest.MonkeyPatch()
    environment(patch, s3)
    patch.setenv("KFP_RUN_ID", "run-1234")
    base = tmp_path_factory.mktemp("adopt")
    repo = make_repository(base / "repo", s3, prefix="team")
    shutil.copy(ROOT / "params.yaml", repo)
    (repo / "dvc.yaml").write_text(dvc_yaml())
    (repo / ".gitignore").write_text("/out/\n")
    write_files(repo / "code", {"a.py": b"code"})
    command(repo, "git", "add", "-A")
    command(repo, "git", "commit", "-qm", "Graph")
    work, results = base / "work", base / "results"
    for stage, folder in DATA.items():
        write_files(work / folder, {"stage.json": stage.encode(), "a/b.bin": stage.encode() * 100})
    for branch in BRANCHES:
        write_branch(results / "branches" / branch)
    write_files(results / "comparison", {"table.md": b"| a |", "stage.json": b"{}"})
    shutil.copytree(results, work, dirs_exist_ok=True)
    made = told(repo)
    push_data(made, {stage: work / folder for stage, folder in DATA.items()}, results)
    push_outputs(made, results)
    yield Run(repo=repo, results=results, work=work)
    patch.undo()


def write_branch(folder: Path, status: str = "trained") -> None:
    record = json.dumps({"status": status, "reason": "not finite"})
    write_files(folder / "train", {"status.json": record.encode(), "model.safetensors": folder.name.encode()})
    write_files(folder / "evaluate", {"stage.json": b"{}", "metrics.json": folder.name.encode()})


def told(repo: Path, *overrides: str) -> dict[str, Any]:
    """As the driver tells it: on the pods' volume, with the remote."""
    given = pipeline_arguments(settings(repo, "cluster.data_remote=s3://bucket/team", *overrides))
    made: dict[str, Any] = json.loads(given["push_told"])
    made["told"] = {stage: each for stage, each in made["told"].items() if stage in GRAPH}
    return made


def clone(run: Run, folder: Path) -> Path:
    command(folder, "git", "clone", "-q", str(run.repo), "clone")
    name_committer(folder / "clone")
    return folder / "clone"


def take_over(run: Run, repo: Path, **more: Any) -> Any:
    return adopt(run.results / FRAGMENT, **{"params": settings(repo), "repo": repo, **more})


def test_an_adopted_run_is_up_to_date_and_its_record_is_the_one_that_dvc_writes(run: Run, tmp_path: Path) -> None:
    repo = clone(run, tmp_path)
    done = take_over(run, repo)
    branches = {f"{stage}@{name}" for stage in ("train", "evaluate") for name in BRANCHES}
    assert set(done.stages) == {*DATA, *branches, "compare"}
    assert command(repo, "git", "status", "--porcelain") == ""
    assert command(repo, "git", "show", "--stat", "--format=", "HEAD").split()[0] == "dvc.lock"
    # Nothing of the data was here until now but the comparison, which DVC keeps no copy of.
    assert {path.name for path in (repo / "out").iterdir()} <= {"comparison", "fetched"}
    command(repo, "dvc", "pull", "-q")
    assert (repo / "out/branches/cgan-full-0/train/model.safetensors").read_bytes() == b"cgan-full-0"
    assert "up to date" in command(repo, "dvc", "status")
    assert "up to date" in command(repo, "dvc", "repro", "--dry")
    # What was adopted has a version, as anything that DVC recorded.
    assert versioned_videos("out/videos", repo=repo).endswith(f"?md5={run.fragment['folders']['out/videos']['md5']}")
    # What DVC itself writes of the same folders, had they been made here.
    other = tmp_path / "other"
    command(tmp_path, "git", "clone", "-q", str(run.repo), "other")
    shutil.copytree(run.work, other / "out")
    command(other, "dvc", "commit", "-q", "--force")
    ours, theirs = (yaml.safe_load((folder / "dvc.lock").read_text()) for folder in (repo, other))
    assert ours == theirs


def refused(run: Run, repo: Path, kind: type[ReenactError] = SettingsError) -> str:
    before = (repo / "dvc.lock").read_bytes() if (repo / "dvc.lock").exists() else None
    with pytest.raises(kind) as caught:
        take_over(run, repo)
    assert "\n" not in str(caught.value)
    assert before == ((repo / "dvc.lock").read_bytes() if (repo / "dvc.lock").exists() else None)
    return str(caught.value)


def change(repo: Path, **changes: Any) -> None:
    path = repo / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for name, values in changes.items():
        params[name] |= values
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def test_other_settings_other_data_and_changed_records_are_refused(run: Run, tmp_path: Path) -> None:
    repo = clone(run, tmp_path)
    change(repo, train={"samples": 77}, extract_frames={"size": 77})
    assert "extract_frames: extract_frames.size is 77 here" in refused(run, repo)
    command(repo, "git", "checkout", "-q", "params.yaml")
    change(repo, fetch_data={"videos": "s3://bucket/other"})
    assert "the run had out/rendered, here it is s3://bucket/other" in refused(run, repo)
    command(repo, "git", "checkout", "-q", "params.yaml")
    # Where things lie and how many work at a time makes no difference.
    change(repo, checkpoints={"uri": "elsewhere"}, tracking={"uri": "http://localhost:1"}, runtime={"workers": 7})
    take_over(run, repo, commit=False)
    assert "?? dvc.lock" in command(repo, "git", "status", "--porcelain")
    assert "dvc.lock has changes" in refused(run, repo)
    take_over(run, repo, allow_dirty=True)


def test_other_code_is_refused_with_the_commit_to_check_out(run: Run, tmp_path: Path) -> None:
    repo = clone(run, tmp_path)
    changed = {**run.fragment, "git_commit": "abc123"}
    changed["told"]["train"]["code"] = "of another commit"
    (tmp_path / "f.json").write_text(json.dumps(changed))
    with pytest.raises(SettingsError, match=r"train: the code here is not the run's.*abc123"):
        adopt(tmp_path / "f.json", params=settings(repo), repo=repo)


def with_a_sick_branch(run: Run, results: Path) -> dict[str, Any]:
    shutil.copytree(run.results, results)
    write_branch(results / "branches" / BRANCHES[1], status="failed")
    return push_outputs(told(run.repo), results)


def test_a_sick_branch_is_left_out_and_the_comparison_with_it(run: Run, tmp_path: Path) -> None:
    fragment = with_a_sick_branch(run, tmp_path / "results")
    assert fragment["left_out"] == {BRANCHES[1]: "not finite"}
    assert set(fragment["stages"]) - set(DATA) == {f"train@{BRANCHES[0]}", f"evaluate@{BRANCHES[0]}"}
    assert f"{BRANCHES[1]}: not finite" in message(fragment)


@pytest.mark.slow
def test_dvc_trains_the_branch_that_was_left_out_and_no_other(run: Run, tmp_path: Path) -> None:
    with_a_sick_branch(run, tmp_path / "results")
    repo = clone(run, tmp_path)
    adopt(tmp_path / "results" / FRAGMENT, params=settings(repo), repo=repo)
    command(repo, "dvc", "pull", "-q", "--allow-missing")
    status = command(repo, "dvc", "status")
    assert BRANCHES[0] not in status
    assert f"train@{BRANCHES[1]}" in status


def test_the_components_hand_over_folders_and_write_what_they_brought(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.push_data import push_data as data_step
    from components.push_outputs import push_outputs as last_step

    def artifact(path: Path) -> Any:
        shown: dict[str, Any] = {}
        return SimpleNamespace(path=str(path), metadata=shown, log_metric=shown.__setitem__)

    monkeypatch.setenv("KFP_RUN_ID", "a-run")
    names = ["rendered", "videos", "frames", "landmarks", "actions", "segments", "validated", "guide"]
    inputs = {name: artifact(write_files(tmp_path / "steps" / name, {"stage.json": name.encode()})) for name in names}
    results, made, fragment = str(tmp_path / "{run}"), artifact(tmp_path / "m.json"), artifact(tmp_path / "f.json")
    shutil.copytree(run.results, tmp_path / "a-run")
    asked = json.dumps(told(run.repo))
    data_step.python_func(told=asked, results=results, metrics=made, **inputs)
    last_step.python_func(told=asked, results=results, fragment=fragment)
    assert json.loads(Path(fragment.path).read_text()) == json.loads((tmp_path / "a-run" / FRAGMENT).read_text())
    assert fragment.metadata["videos"] == "out/rendered"
    assert made.metadata["bytes"] > 0
    (tmp_path / "a-run" / "pushed" / "data.json").unlink()
    with pytest.raises(StorageError, match="See the step push_data"):
        last_step.python_func(told=asked, results=results, fragment=fragment)


def test_the_store_is_the_one_that_dvc_was_told_of(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    repo = clone(run, tmp_path)
    assert take_over(run, repo).notes == ()
    assert (repo / "out/comparison/table.md").is_file()


def test_a_store_out_of_reach_is_said_once_and_what_to_do(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    repo = clone(run, tmp_path)
    (note,) = take_over(run, repo, params=settings(repo, "fetch_data.s3.attempts=1")).notes
    assert note.startswith("Not here: out/comparison.")
    assert "http://127.0.0.1:9 can't be reached" in note
    monkeypatch.undo()
    assert take_over(run, repo).notes == ()  # once more, when it is there again
    assert (repo / "out/comparison/table.md").is_file()


def test_files_that_are_no_fragment_are_one_sentence(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.json"

    def said(kind: type[ReenactError], text: str) -> str:
        path.write_text(text)
        with pytest.raises(kind) as caught:
            adopt(path, params=settings(run.repo), repo=run.repo)
        return str(caught.value)

    assert "no lock fragment" in said(BadInput, "[]")
    assert "no lock fragment" in said(BadInput, "{")
    assert "newer version" in said(NewerFormat, json.dumps({**run.fragment, "format": 99}))
    nothing = push_outputs({**told(run.repo), "remote": ""}, tmp_path)
    assert "cluster.data_remote" in said(SettingsError, json.dumps(nothing))


def test_data_of_ones_own_is_held_to_its_hash(run: Run, s3: dict[str, str], tmp_path: Path) -> None:
    repo = clone(run, tmp_path)
    write_files(repo / "faces", {"a.mp4": b"a"})
    change(repo, fetch_data={"videos": "faces"})
    command(repo, "dvc", "add", "-q", "faces")
    command(repo, "git", "add", "-A")
    command(repo, "git", "commit", "-qm", "Faces")
    md5 = (repo / "faces.dvc").read_text().partition("md5: ")[2].split()[0]
    results = tmp_path / "results"
    made = told(repo, f"fetch_data.videos=dvc+s3://bucket/team?md5={md5}")
    push_data(made, {stage: run.work / folder for stage, folder in DATA.items()}, results)
    push_outputs(made, results)
    # The data need not lie here: its record is enough.
    shutil.rmtree(repo / "faces")
    done = adopt(results / FRAGMENT, params=settings(repo), repo=repo)
    assert set(done.stages) == set(DATA)
    lock = yaml.safe_load((repo / "dvc.lock").read_text())["stages"]
    assert [dep["md5"] for dep in lock["fetch_data"]["deps"] if dep["path"] == "faces"] == [md5]
    write_files(repo / "faces", {"a.mp4": b"b"})
    command(repo, "dvc", "add", "-q", "faces")
    with pytest.raises(SettingsError, match=r"fetch_data\.videos: the run had dvc\+s3"):
        adopt(results / FRAGMENT, params=settings(repo), repo=repo)


def test_the_command_says_what_was_adopted_and_the_commit_where_it_comes_from(run: Run, tmp_path: Path) -> None:
    repo = clone(run, tmp_path)
    program = Path(sys.executable).with_name("reenact")
    asked = [str(program), "data", "adopt", str(run.results / FRAGMENT)]
    done = subprocess.run(asked, cwd=repo, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 stages adopted, commit" in done.stdout
    said = command(repo, "git", "log", "-1", "--format=%B")
    for fact in ("run-1234", "s3://bucket/team", run.fragment["params_hash"], *BRANCHES):
        assert fact in said
    assert take_over(run, repo).commit == ""
