"""The inside of the components: what is told must be what the image holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from reenact.component import run_component
from reenact.errors import SettingsError
from reenact.params import parse, read_raw
from reenact.steps import arguments


class Metrics:
    """As kfp hands it over."""

    def __init__(self, path: Path) -> None:
        self.path, self.values = str(path), dict[str, float]()

    def log_metric(self, name: str, value: float) -> None:
        self.values[name] = value


@pytest.fixture
def told() -> dict[str, Any]:
    drawn = ["render_clips.identities=1", "render_clips.frames=2", "render_clips.size=64", "runtime.workers=1"]
    return arguments(parse(read_raw(Path("params.yaml"), overrides=drawn)), "render_clips")


def test_a_step_told_of_its_own_code_runs(told: dict[str, Any], tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.json")
    run_component("render_clips", told=json.dumps(told), out=str(tmp_path / "out"), metrics=metrics, folders={})
    assert metrics.values["clips"] == 1
    assert json.loads((tmp_path / "metrics.json").read_text())


def test_a_step_told_of_other_code_stops_before_its_result_could_pass_for_that_codes(
    told: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENACT_GIT_COMMIT", "0123456789abcdef")
    (tmp_path / "out").mkdir()
    other = json.dumps({**told, "code": "0" * 64})
    with pytest.raises(SettingsError, match=r"render_clips: .* other code .*0123456789ab\).*make images"):
        run_component("render_clips", told=other, out=str(tmp_path / "out"), metrics=None, folders={})
    assert (tmp_path / "out").is_dir(), "what lies there is left as it is"
