"""The real graph: what real stages made in one place is adopted in another, and DVC finds nothing to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dvc_projects import command, environment, name_committer
from reenact.cluster.adopt import adopt
from reenact.cluster.arguments import pipeline_arguments
from reenact.cluster.lock_fragment import FRAGMENT, push_data, push_outputs
from reenact.params import parse, read_raw
from reenact.steps import FOLDERS
from s3_server import s3
from tiny_project import call, make_project

__all__ = ["s3"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("adopt_project")]

STAGES = (
    "render_clips", "fetch_data", "extract_frames", "label_landmarks", "label_actions", "label_segments",
    "validate_data",
)  # fmt: skip
CONFIG = """[core]
    remote = store
['remote "store"']
    url = s3://bucket/project
    endpointurl = {}
"""


@pytest.fixture
def made(s3: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """A project in git whose data stages have run under DVC."""
    patch = pytest.MonkeyPatch()
    environment(patch, s3)
    folder = make_project(tmp_path / "made", {"cluster": {"data_remote": "s3://bucket/project"}})
    (folder / ".dvc" / "config").write_text(CONFIG.format(s3["AWS_ENDPOINT_URL_S3"]))
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", "t@example.org"),
        ("config", "user.name", "T"),
    ):
        command(folder, "git", *words)
    command(folder, "git", "add", "-A")
    command(folder, "git", "commit", "-qm", "Project")
    done = call(folder, "dvc", "repro", "validate_data", PYTHONPATH=str(folder / "src"))
    assert done.returncode == 0, done.stdout
    yield folder
    patch.undo()


def test_what_real_stages_made_is_adopted_elsewhere_as_dvc_recorded_it(made: Path, tmp_path: Path) -> None:
    params = parse(read_raw(made / "params.yaml"))
    told = json.loads(pipeline_arguments(params)["push_told"])
    results = tmp_path / "results"
    push_data(told, {stage: made / "out" / FOLDERS[stage] for stage in STAGES}, results)
    push_outputs(told, results)
    command(tmp_path, "git", "clone", "-q", str(made), "other")
    other = tmp_path / "other"
    name_committer(other)
    done = adopt(results / FRAGMENT, params=params, repo=other)
    assert set(done.stages) == set(STAGES)
    ours, theirs = (yaml.safe_load((folder / "dvc.lock").read_text())["stages"] for folder in (other, made))
    assert ours == theirs
    command(other, "dvc", "pull", "-q", *STAGES)
    assert "up to date" in command(other, "dvc", "status", *STAGES)
    assert "Running" not in command(other, "dvc", "repro", "--dry", "validate_data")
