"""DVC and Kubeflow on this machine: equal results, nothing done twice, and the rest survives a branch that dies.

One tiny project serves all tests here, in order: later ones find the data stages done. Every process costs seconds of
imports, so each run serves as many questions as it answers.
"""

import json
import random
import resource
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from reenact.config import Runtime
from reenact.evaluation.reference_names import REFERENCES
from reenact.hashing import hash_file
from reenact.stages.render_clips import RenderClipsSettings, render_clips
from tiny_project import REENACT, TINY, call, make_project, set_params

pytestmark = [pytest.mark.xdist_group("callers"), pytest.mark.timeout(900)]
BRANCHES = ("cgan-full-0", "cgan-no_pixel-0")
LAST_STEP = TINY["train"]["samples"] // TINY["train"]["batch"] - 1
EVERY_OTHER_STEP = {"checkpoints": {"every_samples": 2 * TINY["train"]["batch"]}}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain as run by `dvc repro`, in which a training is killed at a random step and goes on in the next run."""
    folder = make_project(
        tmp_path_factory.mktemp("callers") / "project",
        {"fanout": {"variants": ["full", "no_pixel"]}, **EVERY_OTHER_STEP},
    )
    step = random.randint(1, LAST_STEP)
    killed = call(folder, "dvc", "repro", REENACT_FAULT=f"cgan-full-0:{step}:kill")
    assert killed.returncode != 0, killed.stdout
    assert "Running stage 'train@cgan-full-0'" in killed.stdout, killed.stdout
    check_continues(folder, ("dvc", "repro"), folder / "out/branches/cgan-full-0/train", step)
    return folder


def check_continues(folder: Path, command: tuple[str, ...], trained: Path, step: int) -> None:
    """After a kill before `step` the same command ends well, from the last checkpoint (one every other step)."""
    assert not (trained / "stage.json").exists(), "a killed training looks finished"
    done = call(folder, *command)
    assert done.returncode == 0, (step, done.stdout)
    assert json.loads((trained / "status.json").read_text())["continued_from"] == step // 2 * 2, step


@pytest.fixture(scope="module")
def run_folder(project: Path) -> Path:
    """The same settings as a Kubeflow pipeline, with a checkpoint store of its own: nothing trained is taken over."""
    done = call(project, REENACT, "run", "--name", "first", "-S", "checkpoints.uri=out/checkpoints-kfp")
    assert done.returncode == 0, done.stdout + (project / "runs" / "first" / "log.txt").read_text()[-4000:]
    return project / "runs" / "first"


def state_of_rows(folder: Path) -> dict[str, str]:
    """Row -> first word of its status (`missing: why`) in a comparison's table."""
    table = pd.read_parquet(folder / "table.parquet")
    return dict(zip(table["row"], table["status"].str.partition(":")[0], strict=True))


def test_tests_of_one_group_stay_on_one_worker(request: pytest.FixtureRequest) -> None:
    if getattr(request.config.option, "loadgroup", False):  # so it is in the workers of `make test`
        assert request.node.nodeid.endswith("@callers"), "pytest and pytest-xdist don't go together"


def test_second_repro_does_nothing_in_five_seconds(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (project / "out").rglob("*") if path.is_file()}
    start = processor_time_of_children()
    done = call(project, "dvc", "repro")
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert "up to date" in done.stdout
    assert processor_time_of_children() - start <= 5  # the clock's would measure what else the machine does
    assert {path: path.stat().st_mtime_ns for path in (project / "out").rglob("*") if path.is_file()} == before


def processor_time_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("branch", BRANCHES)
def test_both_callers_give_the_same_bits(project: Path, run_folder: Path, branch: str) -> None:
    ours, theirs = project / "out" / "branches" / branch, run_folder / "branches" / branch
    assert hash_file(ours / "train" / "model.safetensors") == hash_file(theirs / "train" / "model.safetensors")
    # Killed and continued here, trained in one go there.
    assert json.loads((theirs / "train/status.json").read_text())["continued_from"] == 0
    metrics = json.loads((ours / "evaluate" / "metrics.json").read_text())
    assert metrics == json.loads((theirs / "evaluate" / "metrics.json").read_text())
    assert hash_file(project / "out/guide/reader.safetensors") == hash_file(
        next((run_folder / "steps").glob("*/train-guide/guide/reader.safetensors"))
    )


def shards_below(folder: Path) -> dict[Path, int]:
    """Every shard of a corpus or a store, and when it was made."""
    return {path.parent: path.stat().st_mtime_ns for path in folder.glob("*/[!.]*/done.json")}


def test_both_callers_make_the_same_shards(project: Path, run_folder: Path) -> None:
    ours, store = shards_below(project / "out"), shards_below(run_folder.parent / ".shards")
    assert {path.name for path in ours} == {path.name for path in store}
    assert len(ours) >= 3 * 2  # frames, landmarks, actions of at least two


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_clip_added_to_a_hundred_redoes_one_shard_by_both_callers(tmp_path: Path) -> None:
    settings = RenderClipsSettings(identities=4, frames=4, size=192, yaw=10.0)
    render_clips(out=tmp_path / "drawn", settings=settings, runtime=Runtime(workers=2))
    drawn = sorted((tmp_path / "drawn").glob("*.mp4"))
    changes = {
        "fanout": {"variants": ["no_pixel"]}, "fetch_data": {"videos": "mine"}, "extract_frames": {"shard_clips": 8},
        "validate_data": {"duplicates": {"check": False}, "review_clips": 0},
    }  # fmt: skip
    folder = make_project(tmp_path / "project", changes)
    (folder / "mine").mkdir()
    for number in range(100):
        shutil.copy(drawn[number % 4], folder / "mine" / f"clip-{number:03d}.mp4")
    places = (folder / "out", folder / "runs" / ".shards")
    made_by_both(folder, "before")
    before = [shards_below(place) for place in places]
    shutil.copy(drawn[0], folder / "mine" / "clip-100.mp4")
    made_by_both(folder, "after")
    for place, were in zip(places, before, strict=True):
        now = shards_below(place)
        made = [path.parent.name for path, stamp in now.items() if were.get(path) != stamp]
        assert len(were) > 3 * 100 / 8
        assert len(made) == len(set(made)) == 3, "one shard: its frames, landmarks and actions"


def made_by_both(folder: Path, name: str) -> None:
    for command in (("dvc", "repro", "label_actions"), (REENACT, "run", "--name", name)):
        done = call(folder, *command)
        assert done.returncode == 0, done.stdout


def test_a_run_leaves_table_report_and_version(run_folder: Path) -> None:
    files = ("comparison/table.csv", "comparison/report.html", "registered/version.json", "gate/review.html", "log.txt")
    for file in files:
        assert (run_folder / file).stat().st_size > 0, file
    rows = state_of_rows(run_folder / "comparison")
    assert set(BRANCHES) | set(REFERENCES) <= set(rows)


def test_kubeflows_pages_show_report_and_table(run_folder: Path) -> None:
    (step,) = (run_folder / "steps").glob("*/compare")
    assert (step / "report").read_text().startswith("<!doctype html>")
    assert (step / "table").read_text().startswith("# Comparison")
    (step,) = (run_folder / "steps").glob("*/gate")
    assert (step / "page").read_text().startswith("<!doctype html>")
    assert (step / "verdict").read_text().startswith("# Gate")


def test_dvc_reads_the_comparisons_metrics_and_plots(project: Path) -> None:
    shown = call(project, "dvc", "metrics", "show", "--json")
    metrics = json.loads(shown.stdout)[""]["data"]["out/comparison/metrics.json"]["data"]
    assert set(metrics["all"]) == set(BRANCHES)
    assert metrics["chosen"]["self_mse"] > 0
    plots = json.loads(call(project, "dvc", "plots", "show", "--json").stdout)
    assert "errors" not in plots
    table = pd.read_csv(project / "out/comparison/table.csv")
    for name, count in (
        ("figures/self_mse", table["self_mse"].notna().sum()),
        ("losses/cgan-full-0", TINY["train"]["samples"] // 10),
    ):
        (chart,) = plots["data"][f"out/comparison/plots/{name}.csv"]
        assert len(chart["content"]["data"]["values"]) == count, name


def test_a_killed_branch_is_a_missing_row_of_a_red_pipeline_run(project: Path, run_folder: Path) -> None:
    command = (REENACT, "run", "--name", "killed", "-S", "fanout.seeds=[3]")
    done = call(project, *command, REENACT_FAULT="cgan-full-3:2:exit")
    folder = project / "runs" / "killed"
    assert done.returncode == 8, done.stdout
    rows = state_of_rows(folder / "comparison")
    assert rows["cgan-full-3"] == "missing"
    assert rows["cgan-no_pixel-3"] == "trained"
    assert (folder / "comparison" / "report.html").exists()
    assert not (folder / "registered").exists()
    assert "cached" in done.stdout  # the data stages of the run before


def test_a_killed_branch_is_a_missing_row_of_a_red_repro_and_a_sick_one_never_a_cache_hit(project: Path) -> None:
    set_params(project, {"fanout": {"seeds": [1]}})
    done = call(project, REENACT, "repro", REENACT_FAULT="cgan-full-1:2:exit")
    assert done.returncode == 8, done.stdout
    rows = state_of_rows(project / "out/comparison")
    assert (rows["cgan-full-1"], rows["cgan-no_pixel-1"]) == ("missing", "trained")
    assert done.stdout.count("> reenact train --branch cgan-full-1") == 2  # tried once more
    sick = call(project, "dvc", "repro", REENACT_FAULT="cgan-full-1:2:nan")
    assert sick.returncode != 0
    rows = state_of_rows(project / "out/comparison")
    assert (rows["cgan-full-1"], rows["cgan-no_pixel-1"]) == ("failed", "trained")
    again = call(project, "dvc", "repro")
    assert again.returncode == 0, again.stdout
    assert "Running stage 'train@cgan-full-1'" in again.stdout
    assert "Running stage 'train@cgan-no_pixel-1'" not in again.stdout
    assert state_of_rows(project / "out/comparison")["cgan-full-1"] == "trained"


@pytest.mark.slow
def test_an_ablation_compares_the_branches_that_survived_and_registers_nothing(project: Path, run_folder: Path) -> None:
    overrides = ["fanout.variants=[full, no_pixel]", "fanout.seeds=[4]"]
    program = f"""
import sys
from pathlib import Path
from reenact.cli.pipeline import RunFailed, run_pipeline
from reenact.params import parse, read_raw
try:
    params = parse(read_raw(Path("params.yaml"), overrides={overrides!r}))
    run_pipeline(params, Path("runs/ablation"), pipeline="ablation")
except RunFailed as error:
    sys.exit(error.exit_code)
"""
    done = call(project, sys.executable, "-c", program, REENACT_FAULT="cgan-no_pixel-4:2:exit")
    assert done.returncode == 8, done.stdout
    folder = run_folder.parent / "ablation"
    rows = state_of_rows(folder / "comparison")
    assert (rows["cgan-full-4"], rows["cgan-no_pixel-4"]) == ("trained", "missing")
    assert not (folder / "registered").exists()
    assert not (folder / "gate").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("system", "shots"), [("caingan", "2"), ("facegan", "1")])
def test_a_system_of_several_sources_or_phases_is_the_same_by_both_callers(
    project: Path, run_folder: Path, system: str, shots: str
) -> None:
    fanout = {"systems": [system], "variants": ["full"], "seeds": [0]}
    set_params(project, {"fanout": fanout, "checkpoints": {"uri": f"out/checkpoints-dvc-{system}"}})
    command = (REENACT, "run", "--name", system, "-S", f"checkpoints.uri=out/checkpoints-{system}")
    for each in (("dvc", "repro"), command):
        done = call(project, *each)
        assert done.returncode == 0, done.stdout
    places = (project / "out", run_folder.parent / system)
    branches = [place / f"branches/{system}-full-0" for place in places]
    assert len({hash_file(branch / "train/model.safetensors") for branch in branches}) == 1
    assert len({hash_file(branch / "evaluate/faces.parquet") for branch in branches}) == 1
    for place in places:
        assert state_of_rows(place / "comparison")[f"{system}-full-0"] == "trained"
        assert json.loads((place / "registered/version.json").read_text())["tags"]["shots"] == shots


@pytest.mark.slow
@pytest.mark.parametrize("caller", ["reenact train", "dvc repro"])
def test_killed_at_three_random_steps_a_training_ends_in_the_same_weights(
    project: Path, run_folder: Path, caller: str
) -> None:
    command: tuple[str, ...] = ("dvc", "repro", "train@cgan-full-0")
    store = {"checkpoints": {"uri": f"out/checkpoints-{caller.split()[0]}", **EVERY_OTHER_STEP["checkpoints"]}}
    set_params(project, {"fanout": {"variants": ["full"], "seeds": [0]}, **store})
    trained = project / "out/branches/cgan-full-0/train"
    if caller == "reenact train":
        command = (REENACT, "train", "--branch", "cgan-full-0")
    steps = sorted(random.sample(range(1, LAST_STEP + 1), 3))
    for step in steps:
        done = call(project, *command, REENACT_FAULT=f"cgan-full-0:{step}:kill")
        assert done.returncode != 0, (steps, done.stdout)
        assert not (trained / "stage.json").exists(), "a killed training looks finished"
    check_continues(project, command, trained, steps[-1])
    whole = run_folder / "branches/cgan-full-0/train/model.safetensors"
    assert hash_file(trained / "model.safetensors") == hash_file(whole), f"killed at {steps}"
