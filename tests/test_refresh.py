"""Nights of a refresh, as `reenact run --refresh` and the schedule run it: what trains, and what does not."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tiny_project import REENACT, call, make_project, set_params

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def night(project: Path, name: str) -> tuple[dict[str, Any], str]:
    """(decision, what was shown) of a refresh that ended well."""
    start = time.monotonic()
    done = call(project, REENACT, "run", "--refresh", "--name", name)
    print(f"{name}: {time.monotonic() - start:.0f} s")
    folder = project / "runs" / name
    assert done.returncode == 0, done.stdout + (folder / "log.txt").read_text()[-6000:]
    return json.loads((folder / "rescored" / "decision.json").read_text()), done.stdout


def trained(project: Path, name: str) -> bool:
    return (project / "runs" / name / "branches").exists()


def state_of(shown: str, step: str) -> str:
    """What the table of steps says of one."""
    (state,) = re.findall(rf"^ *{step} +(\w+)", shown, re.MULTILINE)
    return str(state)


def test_nights_train_only_where_data_or_champion_call_for_it(tmp_path: Path) -> None:
    # Rules that a network of a few seconds passes: this is about when a gate is asked, not what it says.
    project = make_project(tmp_path / "project", {"render_clips": {"yaw": 5.0}, "gate": {"judged": 0.0, "alarms": []},
                                                  "rescore": {"alarms": []}})  # fmt: skip

    first, shown = night(project, "first")
    assert first["needed"]
    assert first["reasons"] == ['"reenact" has no champion']
    assert trained(project, "first")
    assert (project / "runs/first/gate/verdict.json").exists()
    assert "A new model is needed" in shown
    approved = call(project, REENACT, "registry", "approve", "1", "--reason", "the first", "--by", "ana",
                    "--override", "a network of a few seconds")  # fmt: skip
    assert approved.returncode == 0, approved.stdout

    second, shown = night(project, "second")
    assert not second["needed"]
    assert second["reasons"] == []
    assert second["champion"]["version"] == "1"
    assert {line["loss"] for line in second["figures"] if line["loss"] is not None} == {0.0}
    assert not trained(project, "second")
    assert "Nothing to train: the champion stays" in shown
    assert state_of(shown, "rescore") == "done"
    assert state_of(shown, "register") == "skipped"

    set_params(project, {"render_clips": {"yaw": 50.0, "seed": 7}})
    third, shown = night(project, "third")
    assert third["needed"]
    assert any(reason.startswith("turn has moved") for reason in third["reasons"]), third["reasons"]
    assert trained(project, "third")
    gated = json.loads((project / "runs/third/gate/verdict.json").read_text())
    assert gated["facts"]["challenger"]["version"] == "2"
    assert gated["facts"]["champion"]["version"] == "1"
    assert state_of(shown, "gate") == "done"

    fourth, shown = night(project, "fourth")
    assert not fourth["needed"], "version 2 has seen this data; whether it becomes champion is a person's decision"
    assert fourth["reasons"] == third["reasons"]
    assert fourth["answered"]["version"] == "2"
    assert not trained(project, "fourth")
